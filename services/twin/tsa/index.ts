export type { SavedAuthority } from './authority.ts'
export type { Behaviour } from './behaviour.ts'
export { createTsa, localAuthorityName, type Tsa, type TsaOptions } from './tsa.ts'
