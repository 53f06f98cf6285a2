export type { KeyFamily, SavedAuthority } from './authority.ts'
export type { Behaviour } from './behaviour.ts'
export { createTsa, localAuthorityName, localPolicy, type Tsa, type TsaOptions } from './tsa.ts'
