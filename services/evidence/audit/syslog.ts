import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { Transient } from '@attestry/kit'
import type { AuditSink, Entry } from './sink.ts'

/*
 * Syslog: messages of RFC 5424 in the octet-counting frames of RFC 6587 3.4.1, over TLS (RFC 5425) or plain TCP. The
 * protocol has no acknowledgement: what the kernel took and the network lost is lost, and comes again only where the
 * connection was seen to break. A target that must not lose an entry is a webhook or a blob.
 */

/** Facility 13 is the audit log (RFC 5424 6.2.1). */
const FACILITY = 13
const NOTICE = 5
const WARNING = 4
/** Something was refused, failed or broke. */
const BAD_NEWS = /-(?:refused|failed|locked|broken|lost|turned-away|unreachable)$/

/** JSON in ASCII alone: a message then needs no byte-order mark and survives every relay. */
const asciiJson = (value: unknown): string =>
  // By code unit, as JSON escapes: a character beyond the first plane is two of them.
  JSON.stringify(value).replaceAll(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** What a header field may hold: visible ASCII, or a dash for nothing. */
const field = (text: string, most: number): string =>
  text.replaceAll(/[^\x21-\x7e]/g, '').slice(0, most) || '-'

/** One entry as a message, without its frame. */
export function syslogMessage(entry: Entry, hostname: string): string {
  const type = 'without' in entry ? entry.without : entry.type
  const priority = FACILITY * 8 + (BAD_NEWS.test(type) ? WARNING : NOTICE)
  return `<${priority}>1 ${entry.at} ${field(hostname, 255)} attestry ${field(entry.tenant, 128)} ${field(type, 32)} - ${asciiJson(entry)}`
}

/** Messages in their frames: the length in octets, a blank, the message. All is ASCII, so characters are octets. */
export const syslogFrames = (entries: readonly Entry[], hostname: string): string =>
  entries
    .map((entry) => {
      const message = syslogMessage(entry, hostname)
      return `${message.length} ${message}`
    })
    .join('')

export interface SyslogOptions {
  /** `tls://host:6514` or `tcp://host:601`. */
  readonly address: string
  /** PEM of the authorities that a TLS receiver's certificate is checked against, where they are not the system's. */
  readonly ca?: string | undefined
  /** What entries say they come from. */
  readonly hostname: string
}

export function syslogSink({ address, ca, hostname }: SyslogOptions): AuditSink {
  const url = new URL(address)
  const tls = url.protocol === 'tls:'
  const port = Number(url.port || (tls ? 6514 : 601))
  const host = url.hostname.replaceAll(/^\[|\]$/g, '')
  let open: Socket | null = null
  let broken: Error | null = null

  const connected = (signal: AbortSignal): Promise<Socket> => {
    if (open && !broken && open.writable) return Promise.resolve(open)
    open?.destroy()
    broken = null
    return new Promise((resolve, reject) => {
      const socket = tls
        ? connectTls({
            host,
            port,
            // RFC 6066 3 has no addresses as server names; the certificate is checked against the address then.
            ...(isIP(host) === 0 ? { servername: host } : {}),
            ...(ca === undefined ? {} : { ca }),
          })
        : connect({ host, port })
      const giveUp = () => socket.destroy(new Error('the receiver did not answer in time'))
      signal.addEventListener('abort', giveUp, { once: true })
      socket.once(tls ? 'secureConnect' : 'connect', () => {
        signal.removeEventListener('abort', giveUp)
        open = socket
        resolve(socket)
      })
      socket.on('error', (error) => {
        broken = error
        reject(error)
      })
      socket.on('close', () => {
        broken ??= new Error('the receiver closed the connection')
        reject(broken)
      })
      // Receivers say nothing; reading on lets their end be seen.
      socket.resume()
    })
  }

  return {
    target: 'syslog',
    where: `${url.protocol}//${url.host}`,
    most: 200,
    async deliver(entries, _state, signal) {
      try {
        const socket = await connected(signal)
        await new Promise<void>((resolve, reject) => {
          const giveUp = () => socket.destroy(new Error('the receiver did not take it in time'))
          signal.addEventListener('abort', giveUp, { once: true })
          socket.write(syslogFrames(entries, hostname), 'latin1', (error) => {
            signal.removeEventListener('abort', giveUp)
            if (error) reject(error)
            else resolve()
          })
        })
      } catch (cause) {
        open?.destroy()
        open = null
        throw new Transient(cause instanceof Error ? cause.message : String(cause), { cause })
      }
      return { through: entries.at(-1)?.seq ?? 0 }
    },
    close: () => open?.destroy(),
  }
}
