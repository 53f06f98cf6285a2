import { type Counter, type Histogram, type MeterProvider, metrics } from '@opentelemetry/api'

/** What the host counts and times of its own work; HTTP requests are measured where they are served. */
interface Measures {
  readonly append: Histogram
  readonly delivered: Counter
  readonly command: Histogram
  readonly relay: Histogram
}

let from: MeterProvider | null = null
let made: Measures | null = null

/** Made once for each provider: before the SDK is started the API hands out instruments that stay silent for ever. */
function measures(): Measures {
  const provider = metrics.getMeterProvider()
  if (made && provider === from) return made
  const meter = provider.getMeter('attestry')
  from = provider
  made = {
    append: meter.createHistogram('attestry.append.duration', {
      unit: 's',
      description: 'Time from asking for an append to its commit.',
    }),
    delivered: meter.createCounter('attestry.events.delivered', {
      description: 'Events that messages brought to a service, by whether all its consumers took them.',
    }),
    command: meter.createHistogram('attestry.command.duration', {
      unit: 's',
      description: 'Time that one attempt at a command took, by how it ended.',
    }),
    relay: meter.createHistogram('attestry.relay.delay', {
      unit: 's',
      description: 'Age of the oldest event of a batch when the bus had it.',
    }),
  }
  return made
}

/** Seconds since a reading of performance.now(). */
const since = (began: number): number => (performance.now() - began) / 1000

export const appended = (
  began: number,
  service: string,
  outcome: 'appended' | 'version-conflict' | 'failed',
): void => measures().append.record(since(began), { service, outcome })

export const delivered = (events: number, service: string, context: string, taken: boolean): void =>
  measures().delivered.add(events, { service, context, outcome: taken ? 'taken' : 'returned' })

export const performed = (
  began: number,
  command: string,
  outcome: 'done' | 'failed' | 'cancelled' | 'later' | 'lost',
): void => measures().command.record(since(began), { command, outcome })

export const relayed = (ageSeconds: number): void => measures().relay.record(Math.max(0, ageSeconds))
