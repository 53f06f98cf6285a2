import type { AzureAccess } from '@attestry/kit/azure'
import type { Azure } from '../azure/call.ts'
import { directory } from '../azure/graph.ts'
import { resourceManager } from '../azure/rights.ts'
import { applicationSignIn } from '../azure/sign-in.ts'
import { secretStores } from '../azure/vault.ts'
import { appSecretIssuer } from './app-secret.ts'
import { certificateIssuer } from './certificate.ts'
import type { Issuers } from './issuer.ts'
import { keyIssuer } from './key.ts'
import { serviceBusKeys } from './servicebus-key.ts'
import { storageKeys } from './storage-key.ts'
import { targetsOf } from './targets.ts'
import { twoKeyIssuer } from './two-keys.ts'

/** A call to Azure that has no answer by then counts as lost. */
const TIMEOUT_MS = 60_000

/** Every kind of credential that can be rotated in Azure, through the real SDKs. One set an environment: clients are kept. */
export function azureIssuers(
  access: AzureAccess,
  {
    timeoutMs = TIMEOUT_MS,
    reportLagMs,
  }: { readonly timeoutMs?: number; readonly reportLagMs?: number } = {},
): Issuers {
  const azure: Azure = { access, timeoutMs }
  const manager = resourceManager(azure)
  const vaults = targetsOf({ stores: secretStores(azure), manager })
  const parts = {
    directory: directory(azure),
    vaults,
    signIn: applicationSignIn(azure),
    ...(reportLagMs === undefined ? {} : { reportLagMs }),
  }
  return {
    'app-secret': appSecretIssuer('app-secret', parts),
    'sp-secret': appSecretIssuer('sp-secret', parts),
    key: keyIssuer(azure, manager),
    certificate: certificateIssuer(azure, manager),
    'storage-key': twoKeyIssuer(storageKeys(azure, manager), vaults),
    'servicebus-key': twoKeyIssuer(serviceBusKeys(azure, manager), vaults),
  }
}
