import { createHmac, hkdfSync } from 'node:crypto'
import { type Actor, type EventOf, type EventType, fact, OpaqueId } from '@attestry/contracts'
import {
  type Command,
  command,
  type Host,
  messageOf,
  type Reaction,
  type Send,
  Transient,
  type Tx,
} from '@attestry/kit'
import * as z from 'zod'
import { readRotation } from './drive.ts'
import { policyOfStream } from './policy-routes.ts'

/*
 * What a policy's owner is told: before, during and after a rotation. By mail, and by a POST that is signed under a key
 * derived from the install's, so that the receiver can tell ours from another's. A notice says what happens to what; it
 * holds no value, and could not: nothing that it is made of does.
 */

export interface NoticeOptions {
  /** smtp:// or smtps:// address of a mail server; unset, no mail is sent and that is recorded as failed. */
  readonly mailUrl: string | undefined
  readonly mailFrom: string | undefined
  readonly publicUrl: string | undefined
  /** At least 32 bytes. */
  readonly masterKey: Uint8Array
  /** Plain http is taken on loopback alone, and only by a demonstration. */
  readonly loopback: boolean
}

/** Events that an owner is told of, and what is said. */
const TOLD: { readonly [T in EventType]?: string } = {
  'rotation.requested': 'A rotation was asked for and awaits approval',
  'rotation.scheduled': 'A rotation is about to begin',
  'rotation.window-missed': 'A rotation missed its window and waits for the next',
  'rotation.blocked': 'A rotation cannot begin; nothing was changed',
  'rotation.grace-entered': 'The new credential is in use; the old one still works for a while',
  'rotation.needs-operator': 'A rotation stands still and needs a person; both credentials work',
  'rotation.retire-failed': 'The old credential could not be removed; it is tried again',
  'rotation.break-glass-used': 'Approval of a rotation was passed over in an emergency',
  'rotation.rolled-back': 'A rotation was taken back; the old credential is in use',
  'rotation.completed': 'A rotation is complete; the old credential is gone',
}
// Keys of a table keyed by type.
const TOLD_TYPES = Object.keys(TOLD) as EventType[]

const Notify = z.object({
  rotation: OpaqueId,
  /** Null: whom there is to tell is still to be looked up. */
  channel: z.enum(['mail', 'webhook']).nullable(),
  about: z.string(),
  at: z.string(),
})
type Notify = z.infer<typeof Notify>

const actor: Actor = { kind: 'service', id: 'rotation' }
const POST_MS = 10_000
/** Below the host's own limit, so that giving up is recorded. */
const TRIES = 10

/** Asks for a notice for each event that an owner is told of. Whom there is to tell is looked up when it is sent. */
export const noticeReaction: Reaction = {
  name: 'notices',
  on: TOLD_TYPES,
  react: async (event: EventOf, tx: Tx) => {
    if (!('rotation' in event.data)) return {}
    const { rotation } = event.data
    if (await hasNoOwner(tx, rotation, event.seq)) return {}
    return {
      send: [
        notify(
          { rotation, channel: null, about: event.type, at: event.at },
          event.id,
          event.cause.correlation,
        ),
      ],
    }
  },
}

/**
 * Whether rows that are no older than an event say that nobody is to be told of it. Most policies of an estate have no
 * owner, and a thousand that are due would be a thousand commands for nobody; where rows are behind, a command looks.
 */
async function hasNoOwner(tx: Tx, rotation: string, seq: number): Promise<boolean> {
  const [row] = await tx.rows<{ none: boolean }>(
    `select coalesce(jsonb_typeof(p.settings->'owner'), 'null') = 'null' as none
     from runs r join policies p on p.tenant = r.tenant and p.policy = r.policy
     where r.tenant = $1 and r.rotation = $2 and exists (select 1 from cursor c
       where c.tenant = r.tenant and c.consumer = 'rotations' and c.context = 'rotation' and c.seq >= $3)`,
    [tx.tenant, rotation, seq],
  )
  return row?.none ?? false
}

const notify = (body: Notify, id: string, correlation: string): Send => ({
  command: 'notify',
  id: `notify-${body.channel ?? 'owner'}-${id}`.slice(0, 200),
  session: `notify ${body.rotation}`,
  body,
  by: actor,
  cause: { correlation, causation: id.slice(0, 80) },
})

/** Key of a policy's webhook: shown to whoever sets the webhook up, stored nowhere. */
export const webhookKey = (masterKey: Uint8Array, policy: string): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', masterKey, policy, 'rotation/v1 webhook', 32))

/** `t=<seconds>,v1=<hex>` over `<seconds>.<body>`, as receivers of webhooks are used to. */
export const signatureOf = (key: Uint8Array, seconds: number, body: string): string =>
  `t=${seconds},v1=${createHmac('sha256', key).update(`${seconds}.${body}`).digest('hex')}`

export function noticeCommand(host: Host, options: NoticeOptions): Command {
  return command<Notify>({
    name: 'notify',
    body: Notify,
    work: async (job) => {
      const { rotation, channel, about, at } = job.body
      const { state } = await readRotation(host, job.tenant, rotation)
      if (!state) return
      const { policy, subject } = state.plan
      const owner = policyOfStream(await host.stream(job.tenant, policy))?.settings.owner
      if (!owner) return
      if (channel === null) {
        const channels = (['mail', 'webhook'] as const).filter((c) => owner[c] !== null)
        await host.tx(job.tenant, (tx) =>
          host.send(
            tx,
            channels.map((c) => notify({ ...job.body, channel: c }, job.id, job.cause.correlation)),
          ),
        )
        return
      }
      // The keys are those of TOLD.
      const says = TOLD[about as EventType] ?? about
      const notice = {
        about,
        says,
        rotation,
        policy,
        credential: subject.name,
        at,
        ...(options.publicUrl ? { link: new URL(`/rotation/${rotation}`, options.publicUrl).href } : {}),
      }
      try {
        if (channel === 'webhook' && owner.webhook)
          await post(owner.webhook, notice, webhookKey(options.masterKey, policy), host, options, job.signal)
        if (channel === 'mail' && owner.mail) await mail(owner.mail, notice, options)
      } catch (error) {
        if (job.signal.aborted) throw error
        if (job.attempt < TRIES && !(error instanceof Refusing))
          throw new Transient('A notice could not be delivered', {
            cause: error,
            retryAfterMs: Math.min(600_000, 1000 * 2 ** job.attempt),
          })
        const reason = messageOf(error).slice(0, 500)
        host.log.warn({ rotation, channel, reason }, 'An owner could not be told')
        return record(
          host,
          job.tenant,
          rotation,
          job.id,
          fact('rotation.notice-failed', { rotation, channel, about, reason }),
        )
      }
      return record(
        host,
        job.tenant,
        rotation,
        job.id,
        fact('rotation.notice-sent', { rotation, channel, about, to: owner.name }),
      )
    },
  })
}

async function record(
  host: Host,
  tenant: string,
  rotation: string,
  id: string,
  what: ReturnType<typeof fact<'rotation.notice-sent'>> | ReturnType<typeof fact<'rotation.notice-failed'>>,
): Promise<void> {
  await host.append(tenant, {
    // Beside the rotation's own stream, where a late notice would come between two steps.
    stream: `notices-${rotation}`,
    expected: 'any',
    facts: [what],
    by: actor,
    cause: { correlation: rotation, causation: id.slice(0, 80) },
  })
}

/** What no repetition mends. */
class Refusing extends Error {}

async function post(
  address: string,
  notice: object,
  key: Uint8Array,
  host: Host,
  { loopback }: NoticeOptions,
  signal: AbortSignal,
): Promise<void> {
  const url = new URL(address)
  const local = ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname)
  if (url.protocol !== 'https:' && !(loopback && local))
    throw new Refusing('A webhook must be an https address')
  const body = JSON.stringify(notice)
  const seconds = Math.floor(host.clock.now().epochMilliseconds / 1000)
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-attestry-signature': signatureOf(key, seconds, body) },
    body,
    redirect: 'error',
    signal: AbortSignal.any([signal, AbortSignal.timeout(POST_MS)]),
  })
  await response.body?.cancel()
  if (!response.ok) throw new Error(`The webhook answered ${response.status}`)
}

async function mail(
  to: string,
  notice: { says: string; credential: string; at: string; link?: string },
  { mailUrl, mailFrom }: NoticeOptions,
): Promise<void> {
  if (!mailUrl || !mailFrom)
    throw new Refusing('No mail server is configured: set ATTESTRY_MAIL_URL and ATTESTRY_MAIL_FROM')
  // Loaded by the first mail: most installs send none.
  const { createTransport } = await import('nodemailer')
  const transport = createTransport({
    url: mailUrl,
    connectionTimeout: POST_MS,
    greetingTimeout: POST_MS,
    socketTimeout: POST_MS,
  })
  try {
    await transport.sendMail({
      from: mailFrom,
      to,
      subject: `Attestry: ${notice.says}`.slice(0, 200),
      text: `${notice.says}.\n\nCredential: ${notice.credential}\nAt: ${notice.at}\n${notice.link ? `\n${notice.link}\n` : ''}`,
    })
  } finally {
    transport.close()
  }
}
