import { judgeSecret, noteSignIn } from './entra/sign-in.ts'
import type { Estate } from './estate/estate.ts'
import { heldByContainerApp, heldBySite } from './estate/fetched.ts'

/** Where a workload has its credential from. */
export type Holds =
  /** A setting of a site: what App Service holds for it. */
  | { readonly site: string; readonly setting: string }
  /** A secret of a container app: what its serving revision started with. */
  | { readonly containerApp: string; readonly secret: string }
  /** Its own code, which asks the vault for the newest version each time. */
  | { readonly vault: string; readonly secret: string }

/** What it does with it. */
export type SignsInto =
  | { readonly application: string }
  | { readonly storageAccount: string }
  | { readonly serviceBus: string; readonly rule: string }
  /** It only has to be there: a certificate, or a key that something else checks. */
  | { readonly nothing: true }

/** A workload that signs in all the time, and counts. */
export interface Consumer {
  readonly attempts: number
  readonly failures: readonly { readonly at: string; readonly why: string }[]
  /** The value that it holds now. */
  holds(): string | undefined
  stop(): void
}

/** What a workload holds at this moment; what is due is fetched on the way. */
function heldBy(estate: Estate, where: Holds, nowMs: number): string | undefined {
  const named = <T extends { name: string }>(items: readonly T[], name: string): T => {
    const found = items.find((one) => one.name === name)
    if (found === undefined) throw new Error(`The estate has no ${name}.`)
    return found
  }
  if ('site' in where)
    return heldBySite(estate, named(estate.sites, where.site), where.setting, Math.floor(nowMs / 1000))
  if ('containerApp' in where)
    return heldByContainerApp(estate, named(estate.containerApps, where.containerApp), where.secret, nowMs)
  const vault = named(estate.vaults, where.vault)
  const name = where.secret.toLowerCase()
  const item = vault.secrets[name] ?? vault.certificates[name]
  const newest = item?.deleted === null ? item.versions.at(-1) : undefined
  // The service answers 403 for a newest version that is disabled, whatever older ones there are.
  return newest?.enabled === true ? newest.value : undefined
}

/** Why the sign-in fails, or null. */
function refusal(estate: Estate, value: string, into: SignsInto, nowMs: number): string | null {
  if ('nothing' in into) return null
  if ('application' in into) {
    const application = estate.applications.find(({ name }) => name === into.application)
    if (application === undefined) return `there is no application ${into.application}`
    const judged = judgeSecret(estate, application.appId, value, nowMs)
    if ('number' in judged) return `AADSTS${judged.number}`
    noteSignIn(estate, judged.credential.keyId, nowMs)
    return null
  }
  if ('storageAccount' in into) {
    const key = value.match(/AccountKey=([^;]+)/)?.[1] ?? value
    const account = estate.storageAccounts.find(({ name }) => name === into.storageAccount)
    return account?.keys.some((one) => one.value === key) === true ? null : 'AuthenticationFailed'
  }
  const key = value.match(/SharedAccessKey=([^;]+)/)?.[1] ?? value
  const rule = estate.serviceBusNamespaces
    .find(({ name }) => name === into.serviceBus)
    ?.rules.find(({ name }) => name === into.rule)
  return rule?.primaryKey === key || rule?.secondaryKey === key ? null : 'InvalidSignature'
}

/** So many failures are kept; the rest is only counted by its attempts. */
const keptFailures = 100

/** Makes a consumer; `look` lets it sign in once, and the cloud calls it after whatever happens. */
export function consumer(
  estate: Estate,
  nowMs: () => number,
  where: Holds,
  into: SignsInto,
  stop: () => void,
): { readonly consumer: Consumer; readonly look: () => void } {
  let attempts = 0
  const failures: { at: string; why: string }[] = []
  const look = () => {
    const now = nowMs()
    attempts += 1
    const value = heldBy(estate, where, now)
    const why = value === undefined ? 'it holds no value' : refusal(estate, value, into, now)
    if (why !== null && failures.length < keptFailures)
      failures.push({ at: new Date(now).toISOString(), why })
  }
  return {
    look,
    consumer: {
      get attempts() {
        return attempts
      },
      failures,
      holds: () => heldBy(estate, where, nowMs()),
      stop,
    },
  }
}
