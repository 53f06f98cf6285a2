import { azureAccess } from '@attestry/kit/azure'
import { SecretClient } from '@azure/keyvault-secrets'
import { generatedEstate, startCloud } from '../../twin/index.ts'
import { mayWriteSecrets } from '../for-tests.ts'
import { KEY_VAULT, keyVaultTarget } from './keyvault.ts'
import { targetContract } from './target.contract.ts'

targetContract('Azure Key Vault', KEY_VAULT, async () => {
  const estate = generatedEstate({ vaults: 1, secrets: 0, keys: 0, certificates: 0, now: Date.now() })
  mayWriteSecrets(estate)
  const twin = await startCloud({ estate })
  process.env['IDENTITY_ENDPOINT'] = twin.identityEndpoint
  process.env['IDENTITY_HEADER'] = twin.identityHeader
  const vault = Object.values(estate.vaults)[0]
  if (!vault) throw new Error('the estate has no vault')
  const access = azureAccess({ endpoint: twin.url, env: {} })
  const uri = `https://${vault.name}.vault.azure.net`
  const person = new SecretClient(uri, access.credential, access.clientOptions())
  let names = 0
  return {
    target: keyVaultTarget(access, uri),
    plant: async (name, value) => void (await person.setSecret(name, value)),
    tamper: async (name, value) => void (await person.setSecret(name, value)),
    drop: async (name) => void (await person.beginDeleteSecret(name)),
    served: async (name) => {
      const secret = Object.values(vault.secrets).find((s) => s.name === name)
      const newest = secret?.versions.at(-1)
      return newest?.enabled ? newest.value : null
    },
    pass: () => twin.clock.advance(1000),
    name: (topic) => `${topic}-${++names}`,
    value: (topic) => `a value of ${topic}`,
    close: () => twin.stop(),
  }
})
