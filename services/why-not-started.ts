import { ConfigurationError, DatabaseRefused, messageOf, Transient } from '@attestry/kit'
import { EmbeddedFailed } from './embedded.ts'

/** SQLSTATE classes of a connection that Postgres refuses: authorization (28), no such database (3D). */
const REFUSED_CONNECTION = /^(28|3D)/
/** Missing rights: the role may not create schemas, or may not take on a service's role. */
const MISSING_RIGHT = '42501'
const TAKEN_PORT = new Set(['EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL'])

const codeOf = (error: unknown): string | null =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null

/**
 * What whoever starts the product can mend, as a sentence: configuration, database, port, embedded services. Null for
 * anything else, which is a bug and shows where it broke.
 */
export function whyNotStarted(error: unknown): string | null {
  if (
    error instanceof ConfigurationError ||
    error instanceof DatabaseRefused ||
    error instanceof EmbeddedFailed ||
    error instanceof Transient
  )
    return error.message
  const code = codeOf(error)
  if (code === null)
    return error instanceof Error && TAKEN_PORT.has(codeOf(error.cause) ?? '') ? error.message : null
  if (code === 'other-origin')
    return (
      `${messageOf(error)}. A demonstration (a start with --embedded, or with ATTESTRY_AZURE_ENDPOINT) and a real ` +
      'install each need a database of their own: set DATABASE_URL to another one.'
    )
  if (REFUSED_CONNECTION.test(code))
    return `DATABASE_URL: Postgres refuses the connection: ${messageOf(error)}`
  if (code === 'bus-configuration') return messageOf(error)
  if (code === MISSING_RIGHT)
    return `${messageOf(error)}. Set DATABASE_ADMIN_URL to a role that may create schemas and roles.`
  return null
}
