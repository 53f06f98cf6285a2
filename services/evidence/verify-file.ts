/** What the command line verifies with: the core, and bundles read from disk piece by piece. */
export * from './verify.ts'
export { knownFromNote, noteSigned, readVerifiers } from './verify-anchors.ts'
export type { KnownPlace } from './verify-log.ts'
export { openZipFile } from './zip-file.ts'
