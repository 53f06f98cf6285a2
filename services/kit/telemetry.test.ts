import { randomBytes } from 'node:crypto'
import { fact, type EventOf } from '@attestry/contracts'
import { trace } from '@opentelemetry/api'
import type { NodeSDKConfiguration } from '@opentelemetry/sdk-node'
import { beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import topology from '../../deploy/servicebus/config.json' with { type: 'json' }
import { freePort } from '../program.fixture.ts'
import { startBroker } from '../twin/servicebus/broker.ts'
import type { Bus, BusMessage } from './bus/bus.ts'
import { openBus } from './bus/servicebus.ts'
import { pause } from './clock.ts'
import { testHost, type TestHost } from './for-tests.ts'
import { serve } from './http/serve.ts'
import { silentLog } from './log.ts'
import { command, type Host, type Service } from './service.ts'
import { currentTrace, inSpan, startTelemetry } from './telemetry.ts'

/*
 * One request, followed from the HTTP face through the ledger and the real bus to the reaction and the command that
 * it led to, with the SDK that the product starts. The SDK is one a process, so the walk is made once.
 */

type Exporter = NodeSDKConfiguration['traceExporter']
type Span = Parameters<Exporter['export']>[0][number]

const spans: Span[] = []
const collecting: Exporter = {
  export: (batch, done) => {
    spans.push(...batch)
    done({ code: 0 })
  },
  shutdown: () => Promise.resolve(),
}

const by = { kind: 'service', id: 'test' } as const
const cause = { correlation: 'test', causation: 'test' }
const SCAN = 'scan-00000001'

const following = (host: Host): Service => ({
  name: 'discovery',
  schema: new URL('./schema-for-tests/', import.meta.url),
  fetch: async () => {
    const started = fact('discovery.scan-started', {
      scan: SCAN,
      environment: 'env-00000001',
      trigger: 'operator',
      scope: { subscriptions: [] },
    })
    await host.append('acme', { stream: SCAN, expected: 'any', facts: [started], by, cause })
    return new Response(null, { status: 202 })
  },
  schedules: [],
  views: [],
  reactions: [
    {
      name: 'finish',
      on: ['discovery.scan-started'],
      react: (event: EventOf) =>
        Promise.resolve({
          send: [{ command: 'finish', id: `finish-${event.seq}`, session: 'scans', body: {}, by, cause }],
        }),
    },
  ],
  commands: [
    command({
      name: 'finish',
      body: z.object({}),
      work: async (job) => {
        const failed = fact('discovery.scan-failed', {
          scan: SCAN,
          environment: 'env-00000001',
          reason: 'error',
          detail: 'the twin is away',
        })
        await host.append(job.tenant, { stream: SCAN, expected: 'any', facts: [failed], by, cause })
      },
    }),
  ],
})

const published: BusMessage[] = []
let stored: { type: string; traceparent: string | null }[] = []
let scraped = ''

beforeAll(async () => {
  const metricsPort = await freePort()
  const telemetry = await startTelemetry({
    service: 'attestry-test',
    version: '0.0.0',
    otlp: undefined,
    metricsPort,
    exporter: collecting,
  })
  const broker = await startBroker({ config: topology, key: randomBytes(32).toString('base64') })
  const real = openBus({ connectionString: broker.connectionString })
  const bus: Bus = {
    ...real,
    publish: (topic, messages, signal) => {
      published.push(...messages)
      return real.publish(topic, messages, signal)
    },
  }
  let host: TestHost | null = null
  try {
    // Messages alone: what a sweep finds has no request to be followed from.
    host = await testHost({ services: [{ name: 'discovery', make: following }], bus, sweepMs: null })
    await using serving = await serve({
      fetch: host.service('discovery').fetch,
      port: 0,
      variable: 'ATTESTRY_PORT',
      log: silentLog,
      requestId: () => 'request-of-the-test',
    })
    await fetch(`${serving.url}/api/discovery/scans`, { method: 'POST' })
    // Quiet by itself says nothing yet: a consumer that no message reached has no cursor that could be behind.
    const deadline = AbortSignal.timeout(20_000)
    while (stored.length < 2) {
      await pause(50, deadline)
      deadline.throwIfAborted()
      stored = await host
        .host('discovery')
        .tx('acme', (tx) =>
          tx.rows(
            `select type, traceparent from ledger.event where tenant = 'acme' and type like 'discovery.%' order by seq`,
          ),
        )
    }
    await host.settle()
    const response = await fetch(`http://127.0.0.1:${metricsPort}/metrics`)
    scraped = await response.text()
  } finally {
    await host?.[Symbol.asyncDispose]()
    await real.close()
    await broker.stop()
    await telemetry.stop()
  }
})

const named = (name: string, has: (span: Span) => boolean = () => true): Span => {
  const span = spans.find((s) => s.name === name && has(s))
  if (!span) throw new Error(`no span ${name} among ${spans.map((s) => s.name).join(', ')}`)
  return span
}
const of = (span: Span) => {
  const { traceId, spanId } = span.spanContext()
  return { traceId, spanId }
}
const traceparentOf = (span: Span) => `00-${of(span).traceId}-${of(span).spanId}-01`

describe('a request, followed', () => {
  test('its append is a span below it, and lies as W3C trace context beside the event', () => {
    const request = named('POST')
    const append = named('append', (s) => of(s).traceId === of(request).traceId)
    expect(append.parentSpanContext?.spanId).toBe(of(request).spanId)
    expect(stored[0]).toEqual({ type: 'discovery.scan-started', traceparent: traceparentOf(append) })
  })

  test('the event’s message carries it as a property', () => {
    const message = published.find((m) => m.subject === 'discovery.scan-started')
    expect(message?.properties).toMatchObject({
      traceparent: stored[0]?.traceparent,
      'Diagnostic-Id': stored[0]?.traceparent,
    })
  })

  test('the consumer’s span begins a trace of its own with a link to the producer’s', () => {
    const append = named('append', (s) => traceparentOf(s) === stored[0]?.traceparent)
    const delivery = named('deliver discovery', (s) =>
      s.links.some((l) => l.context.spanId === of(append).spanId),
    )
    expect(of(delivery).traceId).not.toBe(of(append).traceId)
    expect(delivery.parentSpanContext).toBeUndefined()
    expect(delivery.attributes).toMatchObject({ service: 'discovery' })
  })

  test('the command’s span links to the delivery that sent it, and what it appends is below it', () => {
    const work = named('command finish')
    const [link] = work.links
    const delivery = named('deliver discovery', (s) => of(s).spanId === link?.context.spanId)
    expect(delivery.links.map((l) => l.context.spanId)).toContain(stored[0]?.traceparent?.split('-')[2])
    const append = named('append', (s) => traceparentOf(s) === stored[1]?.traceparent)
    expect(append.parentSpanContext?.spanId).toBe(of(work).spanId)
  })
})

describe('/metrics', () => {
  test.each([
    ['requests by status', /http_server_request_duration_\w*count\{.*status_code="202".*\} 1\b/],
    [
      'appends by outcome',
      /attestry_append_duration_\w*count\{.*service="discovery".*outcome="appended".*\} 2\b/,
    ],
    ['delivered events', /attestry_events_delivered_total\{.*service="discovery".*outcome="taken".*\} 2\b/],
    ['commands by outcome', /attestry_command_duration_\w*count\{.*command="finish".*outcome="done".*\} 1\b/],
    ['the delay of the relay', /attestry_relay_delay_\w*count(\{.*\})? [1-9]/],
    ['who is asked', /service_name="attestry-test"/],
  ])('tells %s', (_, line) => {
    expect(scraped).toMatch(line)
  })
})

describe('inSpan()', () => {
  test('passes on what the work throws, and marks the span as failed', async () => {
    const error = new Error('the work broke')
    await expect(inSpan('failing', {}, () => Promise.reject(error))).rejects.toBe(error)
  })

  test('outside a trace there is nothing to pass on', () => {
    expect(trace.getActiveSpan()).toBeUndefined()
    expect(currentTrace()).toBeNull()
  })
})
