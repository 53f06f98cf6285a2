import * as z from 'zod'
import type { Role } from '../gateway.ts'
import type { Feature } from '../licensing.ts'

/**
 * Why a request is refused, by kind. The transport turns a kind into a status; a table only says which
 * refusals an endpoint has.
 *   invalid 400 · unauthenticated 401 · forbidden 403 · reauthenticate 403 · not-found 404 ·
 *   conflict 409 · too-large 413 · locked 423 · too-many 429 · unavailable 503
 */
export type RefusalKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'too-large'
  | 'locked'
  | 'too-many'
  | 'unavailable'

/** One line of the HTTP contract. Server, console, OpenAPI document and permission all come from it. */
export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Full path as seen at the gateway, parameters in braces: `/api/discovery/scans/{scan}`. */
  readonly path: string
  readonly summary: string
  /** Who may call: `open` needs no sign-in, `anyone` any signed-in operator, else the roles listed. */
  readonly roles: 'open' | 'anyone' | readonly Role[]
  /** The licensed feature it needs, if any. */
  readonly entitlement?: Feature
  /** The password must have been proved within the last five minutes. */
  readonly reauthenticate?: true
  readonly query?: z.ZodObject
  readonly body?: z.ZodType
  /** Where the body is a file as somebody made it, not ours to shape: its media type. */
  readonly upload?: 'application/json'
  /** The reply's shape; `stream` is text/event-stream, `file` is bytes, null is 204. */
  readonly reply: z.ZodType | 'stream' | 'file' | null
  /** Refusals of its own beside invalid input, missing sign-in, role or feature. */
  readonly refusals: Readonly<Record<string, RefusalKind>>
}

/** A context's endpoints by name; names are unique within the context and become operation ids. */
export const endpoints = <const E extends Record<string, Endpoint>>(table: E): E => table

/** Everybody who may read what the product knows of the estate. An auditor sees evidence and the ledger alone. */
export const READERS = [
  'tenant-admin',
  'security-admin',
  'analyst',
  'viewer',
  'service-account',
] as const satisfies readonly Role[]
/** Those who run scans and decide on dependencies. */
export const OPERATORS = [
  'tenant-admin',
  'security-admin',
  'service-account',
] as const satisfies readonly Role[]
export const ADMINS = ['tenant-admin'] as const satisfies readonly Role[]
/** Those who build and fetch evidence. */
export const EVIDENCE = ['tenant-admin', 'security-admin', 'auditor'] as const satisfies readonly Role[]

/** Page arguments: an opaque place to go on from, and how many rows. */
export const Paging = z.object({
  after: z.string().max(400).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
})

/** A page of rows; `next` is null at the end; `total` counts all that match. */
export const pageOf = <S extends z.ZodType>(row: S) =>
  z.object({ items: z.array(row), next: z.string().nullable(), total: z.int().min(0) })

/** RFC 9457 problem details, with the field that is wrong where there is one. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  instance: z.string().optional(),
  /** Our stable code, equal to the last part of `type`. */
  code: z.string(),
  errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
})
export type Problem = z.infer<typeof Problem>

/** The names in braces of a path. */
export type PathParameters<P extends string> = P extends `${string}{${infer N}}${infer R}`
  ? N | PathParameters<R>
  : never
