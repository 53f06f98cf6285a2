import { pino } from 'pino'
import { Secret } from './secret.ts'

/** Structured log lines: fields first, then a sentence. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  child(fields: object): Logger
}

/** Names of fields whose value never belongs in a log, wherever they stand in the object. */
const REDACTED = [
  'password',
  'secret',
  'token',
  'authorization',
  'cookie',
  'value',
  'connectionString',
  'oneTimePassword',
  'private',
]

const paths = REDACTED.flatMap((name) => [name, `*.${name}`, `*.*.${name}`, `*.*.*.${name}`])

/**
 * JSON lines on the given stream; on a terminal the same lines in a readable form.
 * Credentials are redacted by name, and a `Secret` redacts itself anywhere.
 */
export function createLog(options: {
  level: string
  pretty: boolean
  destination?: NodeJS.WritableStream
}): Logger {
  const settings = {
    level: options.level,
    base: null,
    timestamp: () => `,"at":"${new Date().toISOString()}"`,
    formatters: { level: (level: string) => ({ level }) },
    redact: { paths, censor: '[redacted]' },
    messageKey: 'message',
    errorKey: 'error',
    serializers: { error: pino.stdSerializers.errWithCause },
    hooks: {
      logMethod(this: unknown, args: unknown[], method: (...a: unknown[]) => void) {
        method.apply(
          this,
          args.map((a) => (a instanceof Secret ? a.toString() : a)),
        )
      },
    },
  } satisfies Parameters<typeof pino>[0]
  if (options.pretty)
    return pino({
      ...settings,
      transport: { target: 'pino-pretty', options: { messageKey: 'message', timestampKey: 'at' } },
    })
  return options.destination ? pino(settings, options.destination) : pino(settings)
}

/** Says nothing: for tests that do not look at logs. */
export const silentLog: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
}
