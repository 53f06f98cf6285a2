import type { RunningCloud } from '../../twin/index.ts'
import type { Account } from './access.ts'
import { AUDIENCE } from './aws.fixture.ts'

/** Where the twin's project is, and how the product may sign in to it. */
export const GCP = {
  project: 'contoso-payments-prod',
  provider:
    '//iam.googleapis.com/projects/418273640917/locations/global/workloadIdentityPools/attestry/providers/entra',
  serviceAccount: 'attestry-sync@contoso-payments-prod.iam.gserviceaccount.com',
} as const

export const gcpAccount: Account = {
  account: GCP.project,
  region: null,
  access: {
    how: 'federation',
    audience: GCP.provider,
    tokenAudience: AUDIENCE,
    serviceAccount: GCP.serviceAccount,
  },
}

/** The project as the twin holds it. */
export function gcpProject(twin: RunningCloud) {
  const [project] = twin.estate.gcp
  if (!project) throw new Error('the estate has no project')
  return project
}
