import type { EstateBuilder } from './builder.ts'
import { roles } from './roles.ts'

/** The value that a vault keeps, for the credential that it is a copy of. */
function storedSecret(build: EstateBuilder, vault: string, secret: string): string {
  const value = build.estate.vaults
    .find(({ name }) => name === vault)
    ?.secrets[secret]?.versions.at(-1)?.value
  if (value === undefined) throw new Error(`There is no ${secret} in ${vault}.`)
  return value
}

/** Entra's own "never": what people enter to be rid of expiry. */
const endlessDays = 270 * 365

/**
 * Contoso's app registrations: one, two, expired and endless credentials, certificates, federation, no owner at
 * all; then the product's own principals and one without any right.
 */
export function contosoDirectory(build: EstateBuilder, paymentsSubscription: string) {
  const anna = build.user('Anna Berg')
  const luis = build.user('Luis Ortega')
  const priya = build.user('Priya Nair')
  const rotator = build.application('attestry-rotation', {
    owners: [priya],
    passwords: [{ startedDaysAgo: 20, endsIn: 160 }],
    graphRoles: ['Application.Read.All', 'Application.ReadWrite.OwnedBy'],
    federated: [
      { issuer: 'https://cluster.contoso.example', subject: 'system:serviceaccount:attestry:attestry' },
    ],
  })
  const byProduct = {
    id: rotator.principal.id,
    kind: 'servicePrincipal',
    name: 'attestry-rotation',
    userPrincipalName: null,
  } as const

  build.application('contoso-payments-api', {
    owners: [anna, byProduct],
    passwords: [{ startedDaysAgo: 100, endsIn: 80 }],
  })
  build.application('contoso-settlement', {
    owners: [anna, byProduct],
    passwords: [{ startedDaysAgo: 175, endsIn: 5 }],
  })
  build.application('contoso-chargebacks', {
    owners: [anna, byProduct],
    passwords: [
      { startedDaysAgo: 340, endsIn: 25 },
      { startedDaysAgo: 10, endsIn: 170 },
    ],
  })
  build.application('contoso-payout-bank', {
    owners: [anna],
    certificates: [{ startedDaysAgo: 200, endsIn: 165 }],
  })
  build.application('contoso-checkout-web', {
    owners: [luis, byProduct],
    passwords: [{ startedDaysAgo: 60, endsIn: 120 }],
  })
  build.application('contoso-checkout-mobile', {
    owners: [luis],
    passwords: [{ startedDaysAgo: 400, endsIn: -35 }],
  })
  build.application('contoso-loyalty', {
    owners: [luis],
    passwords: [
      { startedDaysAgo: 700, endsIn: -10 },
      { startedDaysAgo: 30, endsIn: 335 },
    ],
  })
  build.application('contoso-order-mail', {
    owners: [luis],
    passwords: [{ startedDaysAgo: 120, endsIn: 60 }],
  })
  build.application('contoso-github-deploy', {
    owners: [priya],
    federated: [
      { issuer: 'https://token.actions.example', subject: 'repo:contoso/platform:ref:refs/heads/main' },
    ],
  })
  build.application('contoso-terraform', {
    owners: [priya],
    passwords: [{ startedDaysAgo: 800, endsIn: endlessDays }],
    graphRoles: ['Application.ReadWrite.All'],
  })
  build.application('contoso-scim', { owners: [priya], certificates: [{ startedDaysAgo: 340, endsIn: 20 }] })
  // Its secret is the one that kv-identity-prod keeps for func-scim-provisioning.
  build.application('contoso-hr-feed', {
    owners: [priya, byProduct],
    passwords: [
      {
        startedDaysAgo: 61,
        endsIn: 119,
        secret: storedSecret(build, 'kv-identity-prod', 'hr-feed-client-secret'),
      },
    ],
  })
  build.application('contoso-b2c-portal', {
    owners: [priya],
    passwords: [{ startedDaysAgo: 150, endsIn: 30 }],
  })
  build.application('contoso-mfa-gateway', {
    owners: [priya],
    passwords: [{ startedDaysAgo: 45, endsIn: 135 }],
  })
  build.application('contoso-data-lake', { owners: [luis], passwords: [{ startedDaysAgo: 20, endsIn: 70 }] })
  build.application('contoso-databricks', { passwords: [{ startedDaysAgo: 365, endsIn: 365 }] })
  build.application('contoso-purview', {
    owners: [luis],
    certificates: [{ startedDaysAgo: 365, endsIn: -2 }],
  })
  build.application('contoso-powerbi', {
    owners: [luis],
    passwords: [
      { startedDaysAgo: 500, endsIn: 230 },
      { startedDaysAgo: 300, endsIn: 430 },
      { startedDaysAgo: 10, endsIn: 720 },
    ],
  })
  build.application('contoso-ml-registry', { passwords: [{ startedDaysAgo: 15, endsIn: 75 }] })
  build.application('contoso-erp-bridge', { passwords: [{ startedDaysAgo: 1500, endsIn: endlessDays }] })
  build.application('contoso-crm-connector', { passwords: [{ startedDaysAgo: 720, endsIn: 10 }] })
  build.application('contoso-batch', { passwords: [{ startedDaysAgo: 1100, endsIn: -370 }] })
  build.application('contoso-intranet', { owners: [anna] })
  build.application('contoso-poc-chatbot', {})

  for (const definition of [roles.secretWriter, roles.cryptoOfficer, roles.certificatesOfficer])
    build.assign(
      rotator.principal,
      definition,
      `/subscriptions/${paymentsSubscription}/resourceGroups/rg-payments`,
    )
  build.assign(rotator.principal, roles.reader, `/subscriptions/${paymentsSubscription}`)
}
