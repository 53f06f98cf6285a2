import type { Estate, PasswordCredential } from '../estate/estate.ts'

/** What the token service makes of a client secret: the credential it is, or Entra's number for the refusal. */
export type Judged = { readonly credential: PasswordCredential } | { readonly number: 7_000_215 | 7_000_222 }

/**
 * Judges a secret that an application signs in with. One that is not yet replicated, or was removed, is not known.
 * @see https://learn.microsoft.com/entra/identity-platform/reference-error-codes
 */
export function judgeSecret(estate: Estate, appId: string, secret: string, nowMs: number): Judged {
  const now = nowMs / 1000
  const credentials = [...estate.applications, ...estate.servicePrincipals]
    .filter((holder) => holder.appId === appId)
    .flatMap(({ passwords }) => passwords)
  const credential = credentials.find(
    (one) => one.secret === secret && one.usableFrom <= now && one.startsAt <= now,
  )
  if (credential === undefined) return { number: 7_000_215 }
  return credential.endsAt <= now ? { number: 7_000_222 } : { credential }
}

/** So many sign-ins of a credential are remembered, a minute apart at least. */
const rememberedSignIns = 500

/** Notes that a credential was used, for the activity report. */
export function noteSignIn(estate: Estate, keyId: string, nowMs: number) {
  const now = Math.floor(nowMs / 1000)
  const times = (estate.signIns[keyId] ??= [])
  const last = times.at(-1)
  if (last !== undefined && now - last < 60) return
  times.push(now)
  if (times.length > rememberedSignIns) times.shift()
}
