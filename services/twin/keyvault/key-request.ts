import type { Curve, KeyShape, RotationPolicy, Vault } from '../estate/estate.ts'
import { Refusal } from '../refusal.ts'

const curveNames: Record<string, Curve> = {
  'P-256': 'P-256',
  'P-256K': 'P-256K',
  'P-384': 'P-384',
  'P-521': 'P-521',
}

/** Shape of a new key from `kty`, `key_size` and `crv`; Key Vault makes RSA of 2048, 3072 and 4096 bits. */
export function shapeFrom(body: Record<string, unknown>, sku: Vault['sku']): KeyShape {
  const { kty } = body
  if ((kty === 'RSA-HSM' || kty === 'EC-HSM') && sku !== 'premium')
    throw new Refusal(400, 'BadParameter', `The key type '${kty}' needs a vault of the Premium SKU.`, {
      inner: 'KeyTypeNotSupported',
    })
  if (kty === 'RSA' || kty === 'RSA-HSM') {
    const bits = body.key_size ?? 2048
    if (bits !== 2048 && bits !== 3072 && bits !== 4096)
      throw new Refusal(
        400,
        'BadParameter',
        `Property 'key_size' has an unsupported value: ${JSON.stringify(bits)}.`,
      )
    return { kty, bits }
  }
  if (kty === 'EC' || kty === 'EC-HSM') {
    const curve = curveNames[typeof body.crv === 'string' ? body.crv : 'P-256']
    if (curve === undefined)
      throw new Refusal(
        400,
        'BadParameter',
        `Property 'crv' has an unsupported value: ${JSON.stringify(body.crv)}.`,
      )
    return { kty, curve }
  }
  throw new Refusal(400, 'BadParameter', `Property 'kty' has an unsupported value: ${JSON.stringify(kty)}.`)
}

/** A rotation policy as a request gives it. */
export function rotationPolicyFrom(body: Record<string, unknown>, now: number): RotationPolicy {
  const actions = Array.isArray(body.lifetimeActions) ? body.lifetimeActions : []
  const given = typeof body.attributes === 'object' && body.attributes !== null ? { ...body.attributes } : {}
  const expiryTime = 'expiryTime' in given && typeof given.expiryTime === 'string' ? given.expiryTime : null
  const lifetimeActions = actions.map((entry: unknown) => {
    const { trigger, action }: Record<string, unknown> = typeof entry === 'object' ? { ...entry } : {}
    const type = typeof action === 'object' && action !== null && 'type' in action ? String(action.type) : ''
    const known = ['Rotate', 'Notify'].find((name) => name.toLowerCase() === type.toLowerCase())
    if (known === undefined || typeof trigger !== 'object' || trigger === null)
      throw new Refusal(
        400,
        'BadParameter',
        'A lifetime action needs a trigger and an action of type Rotate or Notify.',
      )
    const durations = Object.entries(trigger).filter(
      (pair): pair is [string, string] => typeof pair[1] === 'string',
    )
    return { trigger: Object.fromEntries(durations), action: known }
  })
  return { lifetimeActions, expiryTime, created: now, updated: now }
}

/** Seconds of an ISO 8601 duration of years, months and days (a month counts 30 days, a year 365). */
export function secondsOf(duration: string): number {
  const [, years = '0', months = '0', days = '0'] =
    duration.match(/^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?$/) ?? []
  return (Number(years) * 365 + Number(months) * 30 + Number(days)) * 86_400
}
