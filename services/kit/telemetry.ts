import { once } from 'node:events'
import { createServer } from 'node:net'
import {
  type Attributes,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type SpanContext,
  trace,
} from '@opentelemetry/api'
import type { NodeSDKConfiguration } from '@opentelemetry/sdk-node'

const tracer = trace.getTracer('attestry')

/** W3C trace context as it lies beside an event and travels as message properties. */
export interface TraceContext {
  readonly traceparent: string
  readonly tracestate?: string
}

/** The present trace context, or null outside any trace. */
export function currentTrace(): TraceContext | null {
  const carrier: Record<string, string> = {}
  propagation.inject(context.active(), carrier)
  const { traceparent, tracestate } = carrier
  return traceparent ? { traceparent, ...(tracestate ? { tracestate } : {}) } : null
}

const contextOf = (from: TraceContext): SpanContext | undefined =>
  trace.getSpanContext(propagation.extract(context.active(), { ...from }))

/**
 * Runs work in a span. `from` is where it came from across the bus: the span starts a trace of its own
 * with a link to it, because one event may start work in many services much later.
 */
export function inSpan<T>(
  name: string,
  attributes: Attributes,
  work: (span: Span) => Promise<T>,
  from: readonly TraceContext[] = [],
): Promise<T> {
  const links = from.flatMap((f) => {
    const linked = contextOf(f)
    return linked ? [{ context: linked }] : []
  })
  return tracer.startActiveSpan(
    name,
    {
      kind: links.length > 0 ? SpanKind.CONSUMER : SpanKind.INTERNAL,
      attributes,
      links,
      root: links.length > 0,
    },
    async (span) => {
      try {
        return await work(span)
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR })
        if (error instanceof Error) span.recordException(error)
        throw error
      } finally {
        span.end()
      }
    },
  )
}

/** The exporter itself would only go without metrics, and say nothing. */
async function refuseTakenPort(port: number, host: string): Promise<void> {
  const server = createServer()
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (cause) {
    throw new Error(
      `${host}:${port} is already in use: end what listens there, or set ATTESTRY_METRICS_PORT to another port, or to 0 for no metrics`,
      { cause },
    )
  }
  server.close()
  await once(server, 'close')
}

/**
 * Starts the SDK when somebody listens: an OTLP address for traces, a port for Prometheus metrics.
 * Everything else follows the SDK's own OTEL_ variables.
 * @throws Error naming the port when it is taken
 */
export async function startTelemetry(options: {
  service: string
  version: string
  otlp: string | undefined
  metricsPort: number
  /** Takes the spans in place of OTLP. */
  exporter?: NodeSDKConfiguration['traceExporter']
}): Promise<{ stop(): Promise<void> }> {
  if (!options.otlp && !options.exporter && options.metricsPort === 0)
    return { stop: () => Promise.resolve() }
  process.env['OTEL_SERVICE_NAME'] ??= options.service
  process.env['OTEL_RESOURCE_ATTRIBUTES'] ??= `service.version=${options.version}`
  process.env['OTEL_TRACES_EXPORTER'] ??= options.otlp ? 'otlp' : 'none'
  process.env['OTEL_LOGS_EXPORTER'] ??= 'none'
  if (options.metricsPort > 0) {
    process.env['OTEL_METRICS_EXPORTER'] ??= 'prometheus'
    const host = (process.env['OTEL_EXPORTER_PROMETHEUS_HOST'] ??= '127.0.0.1')
    await refuseTakenPort(options.metricsPort, host)
    process.env['OTEL_EXPORTER_PROMETHEUS_PORT'] ??= String(options.metricsPort)
  } else process.env['OTEL_METRICS_EXPORTER'] ??= 'none'
  // Loaded only for who is listened to: with its exporters it takes longer than the rest of the kit.
  const { NodeSDK } = await import('@opentelemetry/sdk-node')
  const sdk = new NodeSDK(options.exporter ? { traceExporter: options.exporter } : {})
  sdk.start()
  return { stop: () => sdk.shutdown() }
}
