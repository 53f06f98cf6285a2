import type { EventOf } from '@attestry/contracts'

interface Policy {
  readonly credential: string
  readonly cadenceDays: number
}

/** Sets by key, without empty ones. */
class Index {
  readonly #sets = new Map<string, Set<string>>()

  add(key: string, value: string): void {
    const set = this.#sets.get(key)
    if (set) set.add(value)
    else this.#sets.set(key, new Set([value]))
  }

  remove(key: string, value: string): void {
    this.#sets.get(key)?.delete(value)
  }

  of(key: string): readonly string[] {
    return [...(this.#sets.get(key) ?? [])]
  }
}

/** How often credentials are to be rotated, as rotation policies declare it, with the secrets verified to hold them. */
export class Policies {
  readonly #policies = new Map<string, Policy>()
  readonly #matches = new Map<string, { readonly policy: string; readonly secret: string }>()
  /** Policies of a credential, verified secrets of a policy, and policies of a verified secret. */
  readonly #ofCredential = new Index()
  readonly #secretsOf = new Index()
  readonly #ofSecret = new Index()

  /** @returns the assets whose cadence may be another now */
  apply(event: EventOf): readonly string[] {
    switch (event.type) {
      case 'rotation.policy-enabled':
      case 'rotation.policy-revised': {
        const { policy, credential, cadenceDays } = event.data
        const before = this.#forget(policy)
        this.#policies.set(policy, { credential, cadenceDays })
        this.#ofCredential.add(credential, policy)
        return [credential, ...before, ...this.#secretsOf.of(policy)]
      }
      case 'rotation.policy-disabled':
        return [...this.#forget(event.data.policy), ...this.#secretsOf.of(event.data.policy)]
      case 'rotation.match-proposed': {
        const { match, policy, secret } = event.data
        this.#matches.set(match, { policy, secret })
        return []
      }
      case 'rotation.match-verified':
      case 'rotation.match-excluded': {
        const known = this.#matches.get(event.data.match)
        if (!known) return []
        const { policy, secret } = known
        if (event.type === 'rotation.match-verified') {
          this.#secretsOf.add(policy, secret)
          this.#ofSecret.add(secret, policy)
        } else {
          this.#secretsOf.remove(policy, secret)
          this.#ofSecret.remove(secret, policy)
        }
        return [secret]
      }
      default:
        return []
    }
  }

  /** The credential that a policy rotates; null for one that is not enabled. */
  credentialOf(policy: string): string | null {
    return this.#policies.get(policy)?.credential ?? null
  }

  /** Days that a policy allows an asset to be used; null where none does. The shortest, where several do. */
  cadenceOf(asset: string): number | null {
    const days = [...this.#ofCredential.of(asset), ...this.#ofSecret.of(asset)].flatMap(
      (policy) => this.#policies.get(policy)?.cadenceDays ?? [],
    )
    return days.length === 0 ? null : Math.min(...days)
  }

  /** Ends a policy. @returns the credential that it was of */
  #forget(policy: string): readonly string[] {
    const known = this.#policies.get(policy)
    if (!known) return []
    this.#policies.delete(policy)
    this.#ofCredential.remove(known.credential, policy)
    return [known.credential]
  }
}
