import { certificates } from './certificates.ts'
import { dependencies } from './dependencies.ts'
import { keys } from './keys.ts'
import { kms } from './kms.ts'
import { rotation } from './rotation.ts'
import type { Rule } from './rule.ts'
import { secrets } from './secrets.ts'
import { sync } from './sync.ts'
import { vaults } from './vaults.ts'

/** The 40 rules, in the order in which they are shown. P011 is a retired number. */
export const builtIn = [
  ...secrets,
  ...certificates,
  ...keys,
  ...rotation,
  ...vaults,
  ...kms,
  ...dependencies,
  ...sync,
] as const satisfies readonly Rule[]

/** Ids of built-in rules: a misspelt one does not compile. */
export type BuiltInId = (typeof builtIn)[number]['id']
