import { Denied, type Secret, Transient } from '@attestry/kit'
import { createHttpHeaders, createPipelineRequest } from '@azure/core-rest-pipeline'
import type { Work } from '../issuers/issuer.ts'
import { type Azure, call, ourClaims } from './call.ts'
import { GRAPH } from './graph.ts'

/** What one try with a credential shows. `unknown`: no answer that says anything. */
export type Tried = 'in' | 'not-yet' | 'unknown' | { readonly refused: string }

/**
 * Signs an application in with a secret, once. The request is our own and not an SDK's: credentials of those keep the
 * secret for as long as they live.
 * @see https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
 */
export function applicationSignIn(azure: Azure) {
  return async (appId: string, secret: Secret, signal: AbortSignal): Promise<Tried> => {
    const { tid } = await ourClaims(azure, GRAPH)
    if (typeof tid !== 'string') throw new Denied('UnreadableToken', 'Our own token names no directory')
    const { httpClient } = azure.access.clientOptions()
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: appId,
      client_secret: secret.text(),
      scope: `${GRAPH}/.default`,
    })
    try {
      return await call(azure, signal, async (abortSignal) => {
        const { status, bodyAsText } = await httpClient.sendRequest(
          createPipelineRequest({
            url: `https://login.microsoftonline.com/${encodeURIComponent(tid)}/oauth2/v2.0/token`,
            method: 'POST',
            body: form.toString(),
            headers: createHttpHeaders({ 'content-type': 'application/x-www-form-urlencoded' }),
            abortSignal,
          }),
        )
        if (status === 200) return 'in'
        const code = /AADSTS\d+/.exec(bodyAsText ?? '')?.[0]
        // A secret that is not replicated yet is not known, and neither is one that never was.
        if (code === 'AADSTS7000215') return 'not-yet'
        return code === undefined || status === 429 || status >= 500 ? 'unknown' : { refused: code }
      })
    } catch (error) {
      if (error instanceof Transient) return 'unknown'
      throw error
    }
  }
}

/** Between two tries while the far side does not know a credential yet. */
const AGAIN_MS = 2_000

/**
 * Tries until a credential worked so many times in a row over so long. A failure starts the row anew; a refusal other
 * than "not known yet" ends it at once.
 * @throws Denied 'NotProved' when it gave up, or the refusal's code
 */
export async function prove(
  work: Work,
  tryOnce: () => Promise<Tried>,
  { successes, overMs, giveUpMs }: Work['proof'],
): Promise<{ successes: number; overMs: number }> {
  const began = work.now().epochMilliseconds
  const between = successes > 1 ? Math.ceil(overMs / (successes - 1)) : 0
  let row = 0
  let rowBegan = began
  // Each turn waits, so giving up comes after a bounded number of them.
  for (let tries = 1; ; tries++) {
    if (work.signal.aborted) throw new Transient('The process stops')
    const tried = await tryOnce()
    const now = work.now().epochMilliseconds
    if (typeof tried === 'object')
      throw new Denied(tried.refused, `The new credential is refused: ${tried.refused}`)
    if (tried === 'in') {
      if (row === 0) rowBegan = now
      row += 1
      // A clock that was set back must not make the row look longer or endless.
      const over = Math.max(0, now - rowBegan)
      if (row >= successes && over >= overMs) return { successes: row, overMs: over }
    } else row = 0
    const spent = work.now().epochMilliseconds - began
    if (spent > giveUpMs || tries > 10_000)
      throw new Denied('NotProved', `The new credential did not work for ${Math.round(giveUpMs / 1000)} s`)
    work.progress(`Worked ${row} of ${successes} times in a row.`)
    await work.pause(tried === 'in' ? Math.max(between, row >= successes ? AGAIN_MS : 0) : AGAIN_MS)
  }
}
