import type { Feature } from '@attestry/contracts'
import type { Clock } from '../clock.ts'
import type { Caller, Guard } from './bind.ts'
import { type Keyring, verifyToken } from './token.ts'

/** The cookie that carries a browser's token. */
export const COOKIE = 'attestry'

/** The token of a request and how it came: a header that says Bearer goes before the cookie. */
export function tokenOf(headers: Headers): { token: string; as: 'bearer' | 'cookie' } | null {
  const bearer = /^Bearer +([\w.~+/=-]+)$/i.exec(headers.get('authorization') ?? '')
  if (bearer?.[1]) return { token: bearer[1], as: 'bearer' }
  for (const pair of (headers.get('cookie') ?? '').split(';')) {
    const [name, value] = pair.split('=', 2)
    if (name?.trim() === COOKIE && value) return { token: value.trim(), as: 'cookie' }
  }
  return null
}

/**
 * Knows callers by their token, with nothing but the published keys: no service asks the gateway.
 * A token of somebody who must choose a password first is good for `/auth/` alone.
 */
export function createGuard(options: {
  readonly keys: Keyring
  readonly clock: Clock
  readonly entitled: (feature: Feature) => Promise<boolean>
  readonly refused?: (who: Caller, action: string, reason: string) => Promise<void>
}): Guard {
  const { keys, clock, entitled, refused } = options
  return {
    async identify(request) {
      const found = tokenOf(request.headers)
      if (!found) return null
      const verified = await verifyToken(found.token, keys, clock.now())
      if (!verified || verified.expired) return null
      const { restricted, ...caller } = verified.claims
      if (restricted && !new URL(request.url).pathname.startsWith('/auth/')) return null
      return caller
    },
    entitled,
    now: () => clock.now(),
    ...(refused ? { refused } : {}),
  }
}
