import type { Reference } from '../cloud.ts'

/** A setting and its value, held in memory while a resource is read and never kept. */
export type Setting = readonly [name: string, value: string]

/** Settings that by their name hold the name of a secret: `DB_PASSWORD_SECRET_NAME`, `FtpSecretName`. */
const NAMES_A_SECRET = /secret[-_.]?name$/i
/** What Key Vault takes as a secret's name. */
const SECRET_NAME = /^[0-9A-Za-z-]{1,127}$/

/** The vault that a value names, by its name or its address; null where it names none of ours. */
function vaultIn(value: string, vaults: ReadonlySet<string>): string | null {
  const text = value.trim().toLowerCase()
  const name = URL.canParse(text) ? (new URL(text).hostname.split('.')[0] ?? '') : text
  return vaults.has(name) ? name : null
}

/**
 * Secrets that a resource seems to fetch by itself: its settings name one vault that we know, and secrets. A guess,
 * for a person to confirm; where two vaults are named there is none.
 * @param vaults names of the known vaults in lower case
 */
export function namedReferences(settings: readonly Setting[], vaults: ReadonlySet<string>): Reference[] {
  const named = new Set(settings.flatMap(([, value]) => vaultIn(value, vaults) ?? []))
  const [vaultName] = named
  if (vaultName === undefined || named.size > 1) return []
  return settings.flatMap(([setting, value]) =>
    NAMES_A_SECRET.test(setting) && SECRET_NAME.test(value.trim())
      ? [{ setting, vaultName, secretName: value.trim(), status: null }]
      : [],
  )
}
