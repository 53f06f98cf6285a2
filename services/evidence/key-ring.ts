import { createHash } from 'node:crypto'
import {
  type Actor,
  type Cause,
  type EventOf,
  type Fact,
  fact,
  type KeyPurpose,
  logOrigin,
  type NoteVerifier,
  verifierText,
} from '@attestry/contracts'
import type { KeyRow } from '@attestry/contracts/http'
import type { Fold, Host, Tx } from '@attestry/kit'
import type { EvidenceKeys } from './keys.ts'
import { fingerprint } from './sign.ts'
import { writeRing } from './trusted-keys.ts'

/*
 * The ring: every key that a tenant's evidence was ever made with, folded from the chain. A key is in use from its
 * adoption until the next one of its purpose is adopted.
 */

type Adopted = EventOf<'evidence.key-adopted'>

async function apply(event: Adopted, tx: Tx): Promise<void> {
  const { purpose, kind, keyId, fingerprint: print, publicKey } = event.data
  const [current] = await tx.rows<{ fingerprint: string }>(
    'select fingerprint from key_ring where tenant = $1 and purpose = $2 order by seq desc limit 1',
    [tx.tenant, purpose],
  )
  // Two processes may adopt the same key at once.
  if (current?.fingerprint === print) return
  await tx.rows(
    `insert into key_ring (tenant, purpose, seq, kind, key_id, fingerprint, public_key, from_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing`,
    [tx.tenant, purpose, event.seq, kind, keyId, print, publicKey, event.at],
  )
}

/** The ring as rows. */
export const keyRing: Fold = {
  name: 'key-ring',
  contexts: ['evidence'],
  version: 1,
  apply: async (events, tx) => {
    for (const event of events) if (event.type === 'evidence.key-adopted') await apply(event, tx)
  },
  clear: async (tx) => {
    await tx.rows('delete from key_ring where tenant = $1', [tx.tenant])
  },
}

/** Every key of the tenant, newest first. */
export async function readKeys(tx: Tx): Promise<KeyRow[]> {
  interface Row {
    purpose: KeyPurpose
    kind: KeyRow['kind']
    key_id: string
    fingerprint: string
    public_key: string | null
    from_at: string
    until_at: string | null
  }
  const rows = await tx.rows<Row>(
    `select *, lead(from_at) over (partition by purpose order by seq) as until_at
     from key_ring where tenant = $1 order by seq desc limit 1000`,
    [tx.tenant],
  )
  return rows.map((row) => ({
    purpose: row.purpose,
    kind: row.kind,
    keyId: row.key_id,
    fingerprint: row.fingerprint,
    publicKey: row.public_key,
    from: row.from_at,
    until: row.until_at,
  }))
}

/** `signer.pub` of the tenant. The present key stands first even before it was adopted. */
export function signerRing(ring: readonly KeyRow[], presentPem: string): string {
  const present = fingerprint(presentPem)
  const windows = ring
    .filter(({ purpose }) => purpose === 'bundle')
    .map(({ publicKey, from, until }) => ({ pem: publicKey ?? '', from, until }))
  return ring.some((key) => key.purpose === 'bundle' && key.fingerprint === present)
    ? writeRing(windows)
    : writeRing([{ pem: presentPem, from: null, until: null }, ...windows])
}

/** `checkpoint.vkey` of the tenant. The present verifier stands first even before it was adopted. */
export function verifierRing(ring: readonly KeyRow[], present: NoteVerifier): string {
  const lines = ring.flatMap(({ purpose, publicKey }) =>
    purpose === 'checkpoint' && publicKey !== null ? [publicKey] : [],
  )
  return [...new Set([verifierText(present), ...lines])].map((line) => `${line}\n`).join('')
}

/** The name of a tenant's log, from the first event of its chain. */
export async function originOf(host: Host, tenant: string, signal: AbortSignal): Promise<string> {
  for await (const [first] of host.chain(tenant, { after: 0, upTo: 1, signal }))
    if (first) return logOrigin(tenant, first.leaf)
  throw new Error(`tenant ${tenant} has no chain`)
}

/** The keys in use, as facts that say so. */
function adoptions(keys: EvidenceKeys, origin: string): Fact<'evidence.key-adopted'>[] {
  const { signer, document, checkpoint, hmac } = keys
  const verifier = checkpoint.verifier(origin)
  return [
    {
      purpose: 'bundle' as const,
      kind: signer.kind,
      keyId: signer.keyId,
      fingerprint: fingerprint(signer.publicKeyPem),
      publicKey: signer.publicKeyPem,
    },
    {
      purpose: 'document' as const,
      kind: document.signer.kind,
      keyId: document.signer.keyId,
      fingerprint: document.certificateSha256,
      publicKey: document.certificatesPem,
    },
    {
      purpose: 'checkpoint' as const,
      kind: 'local' as const,
      keyId: verifier.keyId,
      fingerprint: checkpoint.fingerprint,
      publicKey: verifierText(verifier),
    },
    {
      purpose: 'hmac' as const,
      kind: 'local' as const,
      keyId: hmac.keyId,
      fingerprint: hmac.fingerprint,
      publicKey: null,
    },
  ].map((data) => fact('evidence.key-adopted', data))
}

/** Records the keys in use that the chain does not know as such yet. Done before anything is signed with them. */
export async function adoptKeys(
  host: Host,
  tenant: string,
  keys: EvidenceKeys,
  job: { readonly cause: Cause; readonly signal: AbortSignal; readonly by?: Actor },
): Promise<void> {
  const origin = await originOf(host, tenant, job.signal)
  const ring = await host.tx(tenant, readKeys)
  for (const adoption of adoptions(keys, origin)) {
    const { purpose, fingerprint: print } = adoption.data
    if (ring.some((k) => k.purpose === purpose && k.fingerprint === print && k.until === null)) continue
    const id = createHash('sha256').update(`${purpose} ${print}`).digest('hex').slice(0, 24)
    await host.append(tenant, {
      stream: `key-${id}`,
      expected: 'any',
      facts: [adoption],
      by: job.by ?? { kind: 'service', id: 'evidence' },
      cause: job.cause,
    })
  }
}
