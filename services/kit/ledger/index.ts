export { type ActivityFilter, type Happened, readActivity, tail } from './activity.ts'
export { tenantChains } from './open.ts'
export { sha256, verifyFile, verifyLedger } from './verify.ts'
