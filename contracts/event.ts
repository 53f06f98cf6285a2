import * as z from 'zod'

/*
 * Glossary
 *   tenant    a customer organisation; every event, row, message and file carries it
 *   context   the service that produces an event: the part of its type before the dot
 *   stream    the events of one thing, in order; its id is opaque, never a name
 *   position  an event's place in its stream (optimistic concurrency)
 *   seq       an event's place in its tenant's one chain, gap-free
 *   committed a field of which the hashed text holds only a salted commitment; salt and value lie beside it
 */

/** An instant in UTC with `Z`, as we write it to the millisecond. No reader of ours knows the year 0 or a tenth digit. */
export const Instant = z.iso
  .datetime({ offset: false })
  .refine(
    (text) => /^(?!0000)[^.]+(\.\d{1,9})?Z$/.test(text),
    'from the year 1 on, to the nanosecond at most',
  )

/** An opaque id: a kind, a dash, and up to 64 characters that tell nothing about what it names. */
export const OpaqueId = z.string().regex(/^[a-z][a-z-]*-[0-9a-z]{4,64}$/, 'an opaque id such as secret-3f9a…')

/** A whole number that survives every JSON reader: canonical data holds no floats. */
export const Count = z.int().min(0)

/** Hexadecimal SHA-256. */
export const Digest = z.string().regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits')

/** Name and value pairs whose names come from outside, so that the keys of our own JSON stay ASCII. */
export const Pairs = z.array(z.tuple([z.string(), z.string()]))

/**
 * Marks a field that names a person, a thing or an address. The envelope holds
 * `SHA-256(salt ‖ path ‖ value)`, the salt and the value lie beside it, and so the field can be disclosed,
 * withheld or erased while every hash stays true.
 */
export const committed = <S extends z.ZodType>(schema: S): S => schema.meta({ committed: true })

/** What a committed text reads as once its value was erased. */
export const ERASED = '[erased]'

/** Who made an event happen. The id is opaque; address and reason are committed. */
export const Actor = z.object({
  kind: z.enum(['operator', 'service', 'schedule', 'install']),
  id: z.string().min(1).max(80),
  address: committed(z.string().max(200)).optional(),
  reason: committed(z.string().max(500)).optional(),
})
export type Actor = z.infer<typeof Actor>

/** Why an event happened: the request or job it belongs to, and the event or command before it. */
export const Cause = z.object({ correlation: z.string().max(80), causation: z.string().max(80) })
export type Cause = z.infer<typeof Cause>

/** One event type: its present version and the shape of its data. */
export interface EventDefinition<S extends z.ZodObject = z.ZodObject> {
  readonly v: number
  readonly data: S
  /** Brings stored data of an older version to the next one. Pure; indexed by the version it starts from. */
  readonly upcast?: Readonly<Record<number, (data: unknown) => unknown>>
  /** One sentence for events.md. */
  readonly says: string
  /**
   * Whether the event may go once the audit log's retention is over, because no state is made of it. `superseded`: only
   * where a newer one of its type stands in its stream. Absent: it stays for ever, as most events do.
   */
  readonly prunable?: 'always' | 'superseded'
}

/** The events of one context, keyed by the part of their type after the dot. */
export const events = <const C extends string, const D extends Record<string, EventDefinition>>(
  context: C,
  definitions: D,
): { readonly [K in keyof D & string as `${C}.${K}`]: D[K] } =>
  // The mapped type is exactly what fromEntries builds; TypeScript cannot follow the template key.
  Object.fromEntries(Object.entries(definitions).map(([name, d]) => [`${context}.${name}`, d])) as never

/** The envelope as it is hashed: keys in canonical order. Defined once, for every event of every service. */
export const Envelope = z.object({
  at: Instant,
  event: z.object({
    by: Actor,
    cause: Cause,
    data: z.record(z.string(), z.unknown()),
    env: z.string().optional(),
    id: z.uuid(),
    run: z.string().optional(),
    v: z.int().min(1),
  }),
  position: z.int().min(1),
  seq: z.int().min(1),
  stream: z.string().max(120),
  tenant: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
  type: z.string().regex(/^[a-z]+\.[a-z-]+$/),
})
export type Envelope = z.infer<typeof Envelope>

/** The context of a type such as `discovery.scan-started`. */
export const contextOf = (type: string): string => type.slice(0, type.indexOf('.'))

/** The reserved tenant of facts that belong to the install and to no customer. */
export const INSTALL = 'install'
