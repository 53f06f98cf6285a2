import * as z from 'zod'

export interface Mail {
  readonly to: string
  readonly subject: string
  readonly text: string
}

/** Sends mail through somebody's HTTP API. Answers whether the provider took it; never throws for a refusal. */
export interface Mailer {
  send(mail: Mail): Promise<boolean>
}

const SEND_WITHIN_MS = 10_000

/** @see https://developers.smtp2go.com/docs/send-an-email */
const Sent = z.object({ data: z.object({ succeeded: z.int() }) })

/** Mail by SMTP2GO. `api` is a region's address, such as https://eu-api.smtp2go.com/v3. */
export const smtp2go = (options: {
  readonly api: string
  readonly apiKey: string
  readonly from: string
  readonly fetchIt: typeof fetch
}): Mailer => ({
  async send({ to, subject, text }) {
    try {
      const response = await options.fetchIt(`${options.api}/email/send`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-smtp2go-api-key': options.apiKey },
        body: JSON.stringify({ sender: options.from, to: [to], subject, text_body: text }),
        signal: AbortSignal.timeout(SEND_WITHIN_MS),
      })
      const sent = Sent.safeParse(await response.json())
      return response.ok && sent.success && sent.data.data.succeeded === 1
    } catch (error) {
      // oxlint-disable-next-line no-console -- the only log there is: a name, never what it was about
      console.error('mail not sent', error instanceof Error ? error.name : 'unknown')
      return false
    }
  },
})

/** The provider that the bindings name; null where no mail is sent. */
export const mailerOf = (env: Env, fetchIt: typeof fetch): Mailer | null =>
  env.SMTP2GO_API_KEY && env.MAIL_FROM
    ? smtp2go({ api: env.MAIL_API, apiKey: env.SMTP2GO_API_KEY, from: env.MAIL_FROM, fetchIt })
    : null
