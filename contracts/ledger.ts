/*
 * The bytes of the ledger and the walk that verifies a chain. Imports nothing else and takes the hash function as a
 * parameter, so that the same lines run in the services, in the command line and in the single-file verifier of a
 * browser.
 */
export * from './canonical.ts'
export * from './chain.ts'
export * from './hashes.ts'
