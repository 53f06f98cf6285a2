import type { Place } from './places.ts'

/**
 * Mails each checkpoint with note and token attached.
 * @param address `smtps://user:password@host?to=auditor@example.com&from=attestry@example.com`
 * @throws when the address names no receiver
 */
export function mailPlace(address: string): Place {
  const url = new URL(address)
  const to = url.searchParams.get('to')
  const from = url.searchParams.get('from') ?? to
  if (!to || !from || !/^smtps?:$/.test(url.protocol))
    throw new Error('ATTESTRY_ANCHOR_MAIL must be smtps://user:password@host?to=…&from=…')
  const options = {
    host: url.hostname,
    port: Number(url.port) || (url.protocol === 'smtps:' ? 465 : 587),
    secure: url.protocol === 'smtps:',
    connectionTimeout: 10_000,
    greetingTimeout: 10_000,
    socketTimeout: 20_000,
    ...(url.username
      ? { auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) } }
      : {}),
  }
  return {
    kind: 'mail',
    copy: async ({ size, note, token }, signal) => {
      signal.throwIfAborted()
      const origin = note.slice(0, note.indexOf('\n'))
      // Loaded when the first anchor is mailed: most installs never do.
      const { createTransport } = await import('nodemailer')
      await createTransport(options).sendMail({
        from,
        to,
        subject: `Checkpoint ${size} of ${origin}`,
        text: `${note}\nKeep this message. With it nobody can rewrite the events up to ${size} unseen:\nattestry verify <bundle> --known <the attached .checkpoint> checks it against a bundle.\n`,
        attachments: [
          { filename: `${size}.checkpoint`, content: note, contentType: 'text/plain; charset=utf-8' },
          {
            filename: `${size}.tsr`,
            content: Buffer.from(token),
            contentType: 'application/timestamp-reply',
          },
        ],
      })
    },
  }
}
