import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import { type Clock, Denied, type Ids, iso, Secret, type Tx } from '@attestry/kit'

/*
 * What has to be stored and must never be seen: credentials of targets, and the key of the digests. Each is sealed
 * with AES-256-GCM under a key of the ring; a ring key is wrapped under a key that follows from SECRET_KEY. Names and
 * tenant are authenticated with it, so that a row that was moved does not open.
 */

export interface Keyring {
  /** Seals bytes under a name; what stood under it before is gone. */
  seal(tx: Tx, name: string, value: Secret): Promise<void>
  /** What is sealed under a name, or null. @throws when the row, the ring or SECRET_KEY is not what sealed it */
  open(tx: Tx, name: string): Promise<Secret | null>
  forget(tx: Tx, name: string): Promise<void>
  /**
   * Adds a key to the ring and seals everything anew under it, in the caller's transaction. What is sealed under the
   * older key stays readable until then, and the older key goes once nothing is.
   */
  rotate(tx: Tx): Promise<{ readonly key: string; readonly reencrypted: number }>
  /** HMAC-SHA256 under the install's own key, in hexadecimal: equal for equal bytes, and no help to guess them. */
  mac(tx: Tx): Promise<(bytes: Uint8Array) => string>
}

const NONCE = 12
const TAG = 16
const MAC_KEY = 'digest-key'

const encrypt = (key: Uint8Array, nonce: Uint8Array, bytes: Uint8Array, about: string): Uint8Array => {
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(Buffer.from(about))
  return Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()])
}

const decrypt = (key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, about: string): Uint8Array => {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce)
  decipher.setAAD(Buffer.from(about))
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG))
  return Buffer.concat([decipher.update(sealed.subarray(0, sealed.length - TAG)), decipher.final()])
}

interface RingRow {
  readonly key: string
  readonly nonce: Uint8Array
  readonly wrapped: Uint8Array
}
interface SealedRow {
  readonly name: string
  readonly key: string
  readonly nonce: Uint8Array
  readonly ciphertext: Uint8Array
}

export function createKeyring(secretKey: Secret, clock: Clock, ids: Ids): Keyring {
  const wrapping = (tenant: string) =>
    new Uint8Array(hkdfSync('sha256', secretKey.reveal(), 'attestry sync key ring', tenant, 32))
  const about = (tx: Tx, kind: string, name: string) => `${kind}\0${tx.tenant}\0${name}`

  const unwrapped = (tx: Tx, { key, nonce, wrapped }: RingRow) => {
    try {
      return decrypt(wrapping(tx.tenant), nonce, wrapped, about(tx, 'ring', key))
    } catch (cause) {
      throw new Denied(
        'other-secret-key',
        'Stored credentials cannot be opened: SECRET_KEY is not the one this install was made with. Set that one again.',
        { cause },
      )
    }
  }

  async function addKey(tx: Tx): Promise<{ key: string; bytes: Uint8Array }> {
    const key = ids.opaque('ringkey')
    const bytes = randomBytes(32)
    const nonce = randomBytes(NONCE)
    await tx.rows(
      'insert into ring_key (tenant, key, nonce, wrapped, created_at) values ($1, $2, $3, $4, $5)',
      [
        tx.tenant,
        key,
        nonce,
        encrypt(wrapping(tx.tenant), nonce, bytes, about(tx, 'ring', key)),
        iso(clock.now()),
      ],
    )
    return { key, bytes }
  }

  /** Two that seal at the same moment would both make a first key. */
  const alone = (tx: Tx) =>
    tx.rows('select pg_advisory_xact_lock(hashtext($1), hashtext($2))', [tx.tenant, 'sync key ring'])

  async function current(tx: Tx): Promise<{ key: string; bytes: Uint8Array }> {
    await alone(tx)
    const [row] = await tx.rows<RingRow>(
      'select key, nonce, wrapped from ring_key where tenant = $1 and not retired order by created_at desc limit 1',
      [tx.tenant],
    )
    return row ? { key: row.key, bytes: unwrapped(tx, row) } : addKey(tx)
  }

  const put = async (tx: Tx, name: string, value: Uint8Array, ring: { key: string; bytes: Uint8Array }) => {
    const nonce = randomBytes(NONCE)
    await tx.rows(
      `insert into sealed (tenant, name, key, nonce, ciphertext) values ($1, $2, $3, $4, $5)
       on conflict (tenant, name) do update set key = excluded.key, nonce = excluded.nonce, ciphertext = excluded.ciphertext`,
      [tx.tenant, name, ring.key, nonce, encrypt(ring.bytes, nonce, value, about(tx, 'sealed', name))],
    )
  }

  const opened = async (tx: Tx, row: SealedRow): Promise<Uint8Array> => {
    const [ring] = await tx.rows<RingRow>(
      'select key, nonce, wrapped from ring_key where tenant = $1 and key = $2',
      [tx.tenant, row.key],
    )
    if (!ring) throw new Error(`the key ${row.key} is not on the ring any more`)
    return decrypt(unwrapped(tx, ring), row.nonce, row.ciphertext, about(tx, 'sealed', row.name))
  }

  const keyring: Keyring = {
    seal: async (tx, name, value) => put(tx, name, value.reveal(), await current(tx)),
    open: async (tx, name) => {
      const [row] = await tx.rows<SealedRow>(
        'select name, key, nonce, ciphertext from sealed where tenant = $1 and name = $2',
        [tx.tenant, name],
      )
      return row ? new Secret(await opened(tx, row)) : null
    },
    forget: async (tx, name) => {
      await tx.rows('delete from sealed where tenant = $1 and name = $2', [tx.tenant, name])
    },
    rotate: async (tx) => {
      await alone(tx)
      const rows = await tx.rows<SealedRow>(
        'select name, key, nonce, ciphertext from sealed where tenant = $1 order by name',
        [tx.tenant],
      )
      const values: [string, Uint8Array][] = []
      for (const row of rows) values.push([row.name, await opened(tx, row)])
      await tx.rows('update ring_key set retired = true where tenant = $1', [tx.tenant])
      const ring = await addKey(tx)
      for (const [name, value] of values) {
        await put(tx, name, value, ring)
        value.fill(0)
      }
      await tx.rows(
        `delete from ring_key r where tenant = $1 and retired
           and not exists (select 1 from sealed s where s.tenant = r.tenant and s.key = r.key)`,
        [tx.tenant],
      )
      return { key: ring.key, reencrypted: values.length }
    },
    mac: async (tx) => {
      let key = await keyring.open(tx, MAC_KEY)
      if (!key) {
        await alone(tx)
        key = (await keyring.open(tx, MAC_KEY)) ?? new Secret(randomBytes(32))
        await keyring.seal(tx, MAC_KEY, key)
      }
      const bytes = key.reveal()
      return (value) => createHmac('sha256', bytes).update(value).digest('hex')
    },
  }
  return keyring
}

/** The name under which a connector's secret is sealed. */
export const sealedName = (connector: string): string => `credential ${connector}`
