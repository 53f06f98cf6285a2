import { pemBlocks } from './pem.ts'

/*
 * `signer.pub`: the public keys that bundles of an install were signed with, the present one first, each with the
 * time in which it was used. Stock tools read the first block and pass over the lines between.
 */

/** A public key and when it was in use; null is open. */
export interface KeyWindow {
  readonly pem: string
  readonly from: string | null
  readonly until: string | null
}

const block =
  /(?:^Used: (\S+) to (\S+)\n)?-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]*-----END PUBLIC KEY-----/gm

/** The text of `signer.pub`. */
export function writeRing(keys: readonly KeyWindow[]): string {
  return keys
    .map(({ pem, from, until }) => `Used: ${from ?? '-'} to ${until ?? '-'}\n${pem.trimEnd()}\n`)
    .join('\n')
}

/** The keys of such a text, or of plain PEM; none when it holds no public key. */
export function readRing(text: string): KeyWindow[] {
  return [...text.replaceAll('\r\n', '\n').matchAll(block)].flatMap(([whole, from, until]) => {
    const time = (given: string | undefined) =>
      given === undefined || Number.isNaN(Date.parse(given)) ? null : given
    const pem = whole.slice(whole.indexOf('-----BEGIN'))
    return pemBlocks(pem, 'PUBLIC KEY').length === 1 ? [{ pem, from: time(from), until: time(until) }] : []
  })
}

/** Clocks of signer and authority may differ by so much. */
const skewMs = 5 * 60_000

/** Why a key may not have signed at a time, or null. */
export function windowProblem({ from, until }: KeyWindow, at: Date): string | null {
  if (from !== null && at.getTime() < Date.parse(from) - skewMs)
    return `the key was not in use yet: from ${from}, signed ${at.toISOString()}`
  if (until !== null && at.getTime() > Date.parse(until) + skewMs)
    return `the key was retired already: on ${until}, signed ${at.toISOString()}`
  return null
}
