import { parseReference, resolve } from '../arm/key-vault-reference.ts'
import type { ContainerApp, Estate, Revision, Site, Vault } from './estate.ts'

/*
 * What platforms keep of the secrets that they fetch for a workload. App Service and Functions fetch a reference
 * again after a day, on a refresh, and when settings change; Container Apps fetch after half an hour and restart what
 * uses the secret. A fetch that fails leaves what is held.
 * @see https://learn.microsoft.com/azure/app-service/app-service-key-vault-references#rotation
 * @see https://learn.microsoft.com/azure/container-apps/manage-secrets#key-vault-secret-uri-and-secret-rotation
 */
const siteCacheSeconds = 86_400
const containerAppCacheSeconds = 1_800

const vaultNamed = (estate: Estate, name: string): Vault | undefined =>
  estate.vaults.find((vault) => vault.name.toLowerCase() === name.toLowerCase())

/** Fetches one setting's reference, or all of them. */
export function refetchSite(estate: Estate, site: Site, now: number, only?: string) {
  for (const { name, value } of site.settings) {
    if (only !== undefined && name !== only) continue
    const reference = parseReference(value)
    if (reference === undefined) continue
    const found = resolve(estate, site.identity, reference)
    if (found.activeVersion !== null) site.fetched[name] = { version: found.activeVersion, at: now }
  }
}

/** The value that a version of a vault's secret has, disabled or not: who fetched it in time still holds it. */
function valueOf(estate: Estate, vaultName: string, secret: string, version: string): string | undefined {
  const vault = vaultNamed(estate, vaultName)
  const item = vault?.secrets[secret.toLowerCase()] ?? vault?.certificates[secret.toLowerCase()]
  return item?.versions.find((one) => one.version === version)?.value
}

/** What a running site has in a setting: the literal, or the value of the version that App Service holds. */
export function heldBySite(estate: Estate, site: Site, setting: string, now: number): string | undefined {
  const text = site.settings.find(({ name }) => name === setting)?.value
  const reference = text === undefined ? undefined : parseReference(text)
  if (reference === undefined) return text
  const held = site.fetched[setting]
  if (held === undefined || now - held.at >= siteCacheSeconds) refetchSite(estate, site, now, setting)
  const version = site.fetched[setting]?.version
  return version === undefined ? undefined : valueOf(estate, reference.vault, reference.secret, version)
}

const parseUrl = (url: string | undefined) =>
  url?.match(/^https:\/\/([^./]+)\.vault\.azure\.net\/secrets\/([^/]+)(?:\/([^/]+))?\/?$/i) ?? []

/** Fetches what a container app's secrets point at. */
export function refetchContainerApp(estate: Estate, app: ContainerApp, now: number) {
  for (const { name, keyVaultUrl } of app.secrets) {
    const [, vault, secret, version = null] = parseUrl(keyVaultUrl)
    if (vault === undefined || secret === undefined) continue
    const found = resolve(estate, app.identity, { vault, secret, version })
    if (found.activeVersion !== null) app.fetched[name] = { version: found.activeVersion, at: now }
  }
}

/** The versions that the platform holds now, by secret. */
export const versionsHeld = (app: ContainerApp): Record<string, string> =>
  Object.fromEntries(Object.entries(app.fetched).map(([name, { version }]) => [name, version]))

/** The revision that answers requests: the newest active one with traffic that is up. */
export const serving = (app: ContainerApp, nowMs: number): Revision | undefined =>
  app.revisions.findLast(
    ({ active, healthy, weight, readyAt }) => active && healthy && weight > 0 && readyAt <= nowMs,
  )

/** What the serving revision of a container app has in a secret; due fetches and restarts happen here. */
export function heldByContainerApp(
  estate: Estate,
  app: ContainerApp,
  secret: string,
  nowMs: number,
): string | undefined {
  const now = Math.floor(nowMs / 1000)
  const entry = app.secrets.find(({ name }) => name === secret)
  if (entry?.keyVaultUrl === undefined) return entry?.value
  const oldest = Math.min(...Object.values(app.fetched).map(({ at }) => at))
  if (now - oldest >= containerAppCacheSeconds) {
    refetchContainerApp(estate, app, now)
    for (const revision of app.revisions) if (revision.active) revision.holds = versionsHeld(app)
  }
  const [, vault, name] = parseUrl(entry.keyVaultUrl)
  const version = serving(app, nowMs)?.holds[secret]
  return vault === undefined || name === undefined || version === undefined
    ? undefined
    : valueOf(estate, vault, name, version)
}
