import type { TargetKind } from '@attestry/contracts'
import type { Account, World } from './access.ts'
import type { Capabilities, Target } from './target.ts'

/** A kind of target: what it can, and how one account of it is opened. */
export interface TargetType {
  readonly can: Capabilities
  readonly open: (account: Account, world: World) => Target
}

/**
 * Every kind that can be written to. A kind is added by its adapter and a line here. An adapter comes in when it is
 * first needed, because the SDKs of three clouds would slow every start.
 */
const KINDS: Readonly<Record<TargetKind, () => Promise<TargetType>>> = {
  'azure-key-vault': async () => {
    const { KEY_VAULT, keyVaultTarget } = await import('./keyvault.ts')
    return { can: KEY_VAULT, open: ({ account }, world) => keyVaultTarget(world.azure, account) }
  },
  'aws-secrets-manager': async () => {
    const { AWS_SECRETS_MANAGER, awsSecretsManagerTarget } = await import('./aws-secrets-manager.ts')
    return { can: AWS_SECRETS_MANAGER, open: awsSecretsManagerTarget }
  },
  'aws-parameter-store': async () => {
    const { AWS_PARAMETER_STORE, awsParameterStoreTarget } = await import('./aws-parameter-store.ts')
    return { can: AWS_PARAMETER_STORE, open: awsParameterStoreTarget }
  },
  'aws-acm': async () => {
    const { AWS_ACM, awsAcmTarget } = await import('./aws-acm.ts')
    return { can: AWS_ACM, open: awsAcmTarget }
  },
  'gcp-secret-manager': async () => {
    const { GCP_SECRET_MANAGER, gcpSecretManagerTarget } = await import('./gcp-secret-manager.ts')
    return { can: GCP_SECRET_MANAGER, open: gcpSecretManagerTarget }
  },
  'gcp-certificate-manager': async () => {
    const { GCP_CERTIFICATE_MANAGER, gcpCertificateManagerTarget } = await import(
      './gcp-certificate-manager.ts'
    )
    return { can: GCP_CERTIFICATE_MANAGER, open: gcpCertificateManagerTarget }
  },
}

/** What a kind of target is. */
export const targetType = (kind: TargetKind): Promise<TargetType> => KINDS[kind]()
