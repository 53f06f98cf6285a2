import type { AzureAccess } from '@attestry/kit/azure'
import type { Azure } from '../azure/call.ts'
import { resourceManager } from '../azure/rights.ts'
import { secretStores } from '../azure/vault.ts'
import { appServiceReferences, appServiceSettings } from './app-service.ts'
import { containerApps } from './container-app.ts'
import type { Switchers } from './dependent.ts'

/** A call to Azure that has no answer by then counts as lost. */
const TIMEOUT_MS = 60_000

/** The dependents in Azure that can be switched and read back. */
export function azureSwitchers(
  access: AzureAccess,
  { timeoutMs = TIMEOUT_MS }: { readonly timeoutMs?: number } = {},
): Switchers {
  const azure: Azure = { access, timeoutMs }
  const manager = resourceManager(azure)
  const parts = { azure, manager, stores: secretStores(azure) }
  return {
    'app-service-reference': appServiceReferences(parts),
    'app-service-setting': appServiceSettings(parts),
    'container-app': containerApps(azure, manager),
  }
}
