import { estateBuilder } from './builder.ts'
import { contosoDirectory } from './contoso-directory.ts'
import { contosoRotation } from './contoso-rotation.ts'
import { contosoElsewhere } from './elsewhere.ts'
import { contosoWorkloads } from './contoso-workloads.ts'
import type { Estate, KeyShape } from './estate.ts'

const rsa = (bits: number): KeyShape => ({ kty: 'RSA', bits })
const ec = (curve: 'P-256' | 'P-256K' | 'P-384' | 'P-521'): KeyShape => ({ kty: 'EC', curve })

/** Systems that the data platform reads from, a connection each. */
const sources = [
  'sap-finance',
  'sap-logistics',
  'salesforce',
  'zendesk',
  'workday',
  'netsuite',
  'shopify',
  'adyen',
  'klarna',
  'google-ads',
  'meta-ads',
  'braze',
  'segment',
  'jira',
  'servicenow',
  'datadog',
  'pagerduty',
  'postgres-orders',
  'postgres-inventory',
  'mongo-catalog',
  'oracle-pricing',
  'kafka-clickstream',
  's3-partners',
  'sftp-carriers',
  'weather',
  'exchange-rates',
  'address-register',
  'customs',
  'tax-rates',
  'holiday-calendar',
]

/**
 * A company of realistic shape: four subscriptions, fourteen vaults, some well kept, some forgotten. Which asset
 * trips which rule (all of these pass in `clean`):
 *
 * | rule     | fails because of |
 * |----------|------------------|
 * | P001     | kv-payments-prod/settlement-sftp-passphrase, kv-legacy-erp/password and others without an expiry |
 * | P002     | kv-payments-prod/acquirer-gateway-api-key, three days left |
 * | P003     | kv-data-warehouse/synapse-sql-admin, twenty days left |
 * | P004     | kv-identity-mfa/duo-integration-key-old, disabled |
 * | P005     | kv-data-ingest (firewall), kv-hr-restricted (no role) |
 * | P006     | kv-legacy-erp/password, untagged |
 * | P007     | kv-checkout-prod/fraud-score-token, expired twelve days ago |
 * | P008     | kv-legacy-crm/crm-service-account, last version three years old |
 * | P015     | kv-legacy-erp/password, kv-legacy-batch/secret1, kv-legacy-batch/test |
 * | C001     | nothing: an X.509 certificate always ends (near-vacuous by nature) |
 * | C002     | kv-payments-prod/pay-contoso, four days left |
 * | C003     | kv-identity-prod/login-contoso, twenty-two days left |
 * | C004     | kv-legacy-crm/crm-old, disabled |
 * | C005     | kv-legacy-erp/erp-internal, expired |
 * | C006     | kv-legacy-erp/erp-edi, RSA 1024 |
 * | K001     | kv-data-lake/lake-cmk and kv-legacy-erp/erp-archive without an expiry |
 * | K002     | kv-payments-hsm/pin-translation, five days left |
 * | K003     | kv-ml-features/feature-store-cmk, eighteen days left |
 * | K004     | kv-identity-mfa/otp-seed-wrap-2023, disabled |
 * | K005     | kv-legacy-batch/batch-signing, expired |
 * | K006     | kv-legacy-erp/erp-archive, RSA 1024 |
 * | CIS-8.5  | kv-legacy-erp, soft delete off |
 * | CIS-8.6  | kv-legacy-erp, kv-legacy-crm, kv-payments-stg without purge protection |
 * | CIS-8.7  | kv-legacy-erp (open), kv-legacy-crm (0.0.0.0/0), kv-ml-features (default Allow) |
 * | CIS-RBAC | kv-legacy-erp (false), kv-legacy-crm (not set): access policies |
 * | KMS-HSM  | kv-payments-stg, kv-data-warehouse and the legacy vaults are Standard |
 * | VM001    | most data platform and legacy secrets have no known consumer |
 * | VM002    | app-checkout-legacy, func-erp-bridge, ca-crm-connector hold literal credentials |
 * | VM003    | kv-data-lake/retired-etl-token and others that nothing refers to |
 * | VM005    | app-ledger-ui and func-batch-runner name a vault and a secret in plain settings only |
 */
export function contosoEstate(nowMs: number): Estate {
  const build = estateBuilder('contoso', nowMs)
  const payments = build.subscription('contoso-payments-prod', [
    'rg-payments',
    'rg-checkout',
    'rg-observability',
  ])
  const identity = build.subscription('contoso-identity', ['rg-identity', 'rg-hr-restricted'])
  const data = build.subscription('contoso-data-platform', ['rg-data', 'rg-ml'], 'northeurope')
  const legacy = build.subscription('contoso-legacy', ['rg-legacy'])
  const tagged = (owner: string, env = 'prod') => ({ env, owner })
  const inPayments = { subscription: payments.id, resourceGroup: 'rg-payments', tags: tagged('payments') }

  const pay = build.vault('kv-payments-prod', {
    ...inPayments,
    publicNetworkAccess: 'Disabled',
    privateLink: true,
  })
  pay.secret('acquirer-gateway-api-key', { expiresIn: 3, age: 87, older: 3 })
  pay.secret('settlement-sftp-passphrase', { expiresIn: null, age: 210 })
  pay.secret('payments-db-connection', { expiresIn: 64, age: 26, older: 2, contentType: 'text/plain' })
  pay.secret('card-vault-hmac', { expiresIn: 180, age: 12, older: 1 })
  pay.secret('chargeback-portal-token', { expiresIn: 95, age: 40 })
  pay.secret('sepa-direct-debit-key', { expiresIn: 130, age: 33 })
  pay.secret('3ds-server-credential', { expiresIn: 240, age: 9 })
  pay.secret('payout-bank-client-secret', { expiresIn: 77, age: 50, older: 1 })
  pay.key(
    'card-data-encryption',
    { kty: 'RSA-HSM', bits: 4096 },
    { expiresIn: 320, age: 45, rotates: true, older: 1 },
  )
  pay.key(
    'payment-message-signing',
    { kty: 'EC-HSM', curve: 'P-256' },
    { expiresIn: 210, age: 60, rotates: true },
  )
  pay.certificate('pay-contoso', {
    expiresIn: 4,
    age: 361,
    dnsNames: ['pay.contoso.example', 'api.pay.contoso.example'],
  })
  pay.certificate('acquirer-mtls', { expiresIn: 150, age: 120, issuer: 'GlobalSign' })
  pay.certificate('settlement-mtls', { expiresIn: 260, age: 90 })

  const stage = build.vault('kv-payments-stg', {
    ...inPayments,
    sku: 'standard',
    purgeProtection: null,
    tags: tagged('payments', 'stage'),
    diagnostics: [],
  })
  for (const [index, name] of [
    'acquirer-gateway-api-key',
    'payments-db-connection',
    'payments-db-password',
    'card-vault-hmac',
    'webhook-signing-key',
  ].entries())
    stage.secret(name, { expiresIn: 60 + index * 21, age: 30 + index * 11 })
  stage.secret('load-test-account', { expiresIn: null, age: 420, tags: { env: 'stage' } })
  stage.key('stage-data-encryption', rsa(2048), { expiresIn: 120, age: 200 })
  stage.certificate('stage-pay-contoso', { expiresIn: 88, age: 277, issuer: 'Self', action: 'EmailContacts' })

  const hsm = build.vault('kv-payments-hsm', {
    ...inPayments,
    publicNetworkAccess: 'Disabled',
    privateLink: true,
  })
  hsm.key('pin-translation', { kty: 'RSA-HSM', bits: 3072 }, { expiresIn: 5, age: 360 })
  hsm.key('emv-issuer-master', { kty: 'RSA-HSM', bits: 4096 }, { expiresIn: 400, age: 80, rotates: true })
  hsm.key(
    'token-vault-root',
    { kty: 'EC-HSM', curve: 'P-521' },
    { expiresIn: 380, age: 75, rotates: true, older: 2 },
  )
  hsm.key('settlement-file-signing', { kty: 'EC-HSM', curve: 'P-384' }, { expiresIn: 190, age: 66 })
  hsm.key('crypto-payout-wallet', { kty: 'EC-HSM', curve: 'P-256K' }, { expiresIn: 165, age: 20 })

  const checkout = build.vault('kv-checkout-prod', {
    subscription: payments.id,
    resourceGroup: 'rg-checkout',
    tags: tagged('checkout'),
  })
  checkout.secret('fraud-score-token', { expiresIn: -12, age: 377 })
  checkout.secret('cart-redis-connection', { expiresIn: 83, age: 40, older: 4 })
  checkout.secret('address-lookup-api-key', { expiresIn: 141, age: 55 })
  checkout.secret('loyalty-points-client-secret', { expiresIn: 26, age: 154 })
  checkout.secret('checkout-session-signing-key', { expiresIn: 111, age: 14, older: 1 })
  checkout.secret('sendgrid-api-key', { expiresIn: 204, age: 31 })
  checkout.secret('feature-flag-sdk-key', { expiresIn: 330, age: 70 })
  checkout.key('checkout-cookie-wrap', rsa(2048), { expiresIn: 98, age: 190, rotates: true })
  checkout.certificate('checkout-contoso', { expiresIn: 120, age: 240 })
  checkout.certificate('checkout-cdn-origin', { expiresIn: 210, age: 150, shape: ec('P-256') })

  const inIdentity = { subscription: identity.id, resourceGroup: 'rg-identity', tags: tagged('identity') }
  const sso = build.vault('kv-identity-prod', {
    ...inIdentity,
    publicNetworkAccess: 'Disabled',
    privateLink: true,
  })
  for (const [name, expiresIn, age] of [
    ['entra-connect-sync-credential', 71, 19],
    ['scim-provisioning-token', 58, 32],
    ['hr-feed-client-secret', 119, 61],
    ['radius-shared-secret', 29, 151],
    ['b2c-google-client-secret', 300, 65],
    ['b2c-apple-signing-key', 166, 14],
    ['pam-checkout-token', 45, 45],
  ] as const)
    sso.secret(name, { expiresIn, age, older: 1 })
  sso.key('saml-token-signing', rsa(3072), { expiresIn: 270, age: 95, rotates: true })
  sso.key(
    'oidc-token-signing',
    { kty: 'EC-HSM', curve: 'P-256' },
    { expiresIn: 85, age: 5, rotates: true, older: 3 },
  )
  sso.certificate('login-contoso', { expiresIn: 22, age: 343, dnsNames: ['login.contoso.example'] })
  sso.certificate('adfs-token-signing', { expiresIn: 310, age: 55, issuer: 'Self' })

  const mfa = build.vault('kv-identity-mfa', inIdentity)
  mfa.secret('duo-integration-key', { expiresIn: 140, age: 44 })
  mfa.secret('duo-integration-key-old', { expiresIn: 44, age: 310, disabled: true })
  mfa.secret('sms-gateway-auth-token', { expiresIn: 91, age: 52 })
  mfa.secret('push-notification-key', { expiresIn: 175, age: 88 })
  mfa.key('otp-seed-wrap', rsa(4096), { expiresIn: 240, age: 110, rotates: true })
  mfa.key('otp-seed-wrap-2023', rsa(2048), { expiresIn: 51, age: 700, disabled: true })
  mfa.certificate('mfa-radius-eap', { expiresIn: 99, age: 266 })

  // Nobody but HR may look in here: no role at this resource group.
  const hr = build.vault('kv-hr-restricted', {
    ...inIdentity,
    resourceGroup: 'rg-hr-restricted',
    tags: tagged('people'),
  })
  for (const name of ['payroll-export-passphrase', 'workday-api-credential', 'pension-sftp-key'])
    hr.secret(name)
  hr.key('salary-data-encryption', rsa(4096))

  const inData = {
    subscription: data.id,
    resourceGroup: 'rg-data',
    location: 'northeurope',
    tags: tagged('data-platform'),
  }
  const lake = build.vault('kv-data-lake', { ...inData, publicNetworkAccess: null })
  for (const [name, expiresIn, age] of [
    ['storage-account-lake-key1', 52, 38],
    ['storage-account-lake-key2', 52, 38],
    ['databricks-workspace-token', 68, 22],
    ['eventhub-ingest-connection', 133, 47],
    ['purview-scan-credential', 215, 150],
    ['retired-etl-token', 170, 195],
    ['airflow-fernet-key', null, 300],
  ] as const)
    lake.secret(name, { expiresIn, age })
  // One vault longer than a page of 25.
  for (const [index, system] of sources.entries())
    lake.secret(`source-${system}-connection`, {
      expiresIn: 40 + index * 9,
      age: 5 + index * 7,
      older: index % 3,
    })
  lake.key('lake-cmk', rsa(3072), { expiresIn: null, age: 400 })
  lake.key('purview-cmk', rsa(2048), { expiresIn: 144, age: 220 })
  lake.certificate('kafka-broker', { expiresIn: 76, age: 289, issuer: 'contoso-internal-ca' })

  const warehouse = build.vault('kv-data-warehouse', { ...inData, sku: 'standard' })
  warehouse.secret('synapse-sql-admin', { expiresIn: 20, age: 160 })
  warehouse.secret('powerbi-gateway-recovery-key', { expiresIn: 190, age: 170 })
  warehouse.secret('snowflake-private-key-passphrase', { expiresIn: 101, age: 80 })
  warehouse.secret('dbt-service-account', { expiresIn: 87, age: 3, older: 5 })
  warehouse.secret('looker-client-secret', { expiresIn: 254, age: 111, tags: null })
  warehouse.key('warehouse-tde', rsa(2048), { expiresIn: 200, age: 165, rotates: true })
  warehouse.certificate('reports-contoso', { expiresIn: 183, age: 182 })

  const ml = build.vault('kv-ml-features', {
    ...inData,
    resourceGroup: 'rg-ml',
    network: { bypass: 'AzureServices', defaultAction: 'Allow', ipRules: [], virtualNetworks: [] },
  })
  ml.secret('model-registry-token', { expiresIn: 62, age: 28 })
  ml.secret('openai-endpoint-key', { expiresIn: 118, age: 36 })
  ml.secret('labeling-vendor-api-key', { expiresIn: -3, age: 368 })
  ml.secret('gpu-cluster-ssh-passphrase', { expiresIn: 147, age: 91, tags: { env: 'prod' } })
  ml.key('feature-store-cmk', rsa(2048), { expiresIn: 18, age: 347 })
  ml.certificate('inference-gateway', { expiresIn: 240, age: 20, shape: ec('P-384') })

  // The firewall lets another network in, not the one that the scanner sits in.
  const ingest = build.vault('kv-data-ingest', {
    ...inData,
    network: { bypass: 'None', defaultAction: 'Deny', ipRules: ['203.0.113.0/28'], virtualNetworks: [] },
  })
  for (const name of ['partner-feed-sftp-key', 'edi-as2-passphrase', 'weather-api-key']) ingest.secret(name)
  ingest.certificate('edi-as2', { expiresIn: 60 })

  const inLegacy = {
    subscription: legacy.id,
    resourceGroup: 'rg-legacy',
    tags: { env: 'prod' },
    sku: 'standard' as const,
    diagnostics: [],
  }
  const erp = build.vault('kv-legacy-erp', {
    ...inLegacy,
    rbac: false,
    softDelete: false,
    purgeProtection: null,
    publicNetworkAccess: null,
    network: null,
  })
  erp.secret('password', { expiresIn: null, age: 1400, tags: null })
  erp.secret('sap-rfc-user', { expiresIn: null, age: 900, tags: null })
  erp.secret('erp-db-connection-string', { expiresIn: -200, age: 930, tags: null })
  erp.secret('edi-partner-passphrase', { expiresIn: 12, age: 353, tags: null })
  erp.secret('print-server-account', { expiresIn: null, age: 640 })
  erp.key('erp-archive', rsa(1024), { expiresIn: null, age: 2200, tags: null })
  erp.key('erp-backup', rsa(2048), { expiresIn: 140, age: 590 })
  erp.certificate('erp-internal', {
    expiresIn: -35,
    age: 400,
    issuer: 'contoso-internal-ca',
    action: 'EmailContacts',
  })
  erp.certificate('erp-edi', {
    expiresIn: 210,
    age: 520,
    shape: rsa(1024),
    issuer: 'Unknown',
    action: 'EmailContacts',
  })

  const crm = build.vault('kv-legacy-crm', {
    ...inLegacy,
    rbac: null,
    softDelete: null,
    purgeProtection: null,
    network: { bypass: 'AzureServices', defaultAction: 'Deny', ipRules: ['0.0.0.0/0'], virtualNetworks: [] },
  })
  crm.secret('crm-service-account', { expiresIn: 300, age: 1100 })
  crm.secret('marketing-list-export-key', { expiresIn: null, age: 760 })
  crm.secret('salesforce-connected-app', { expiresIn: 36, age: 329 })
  crm.secret('mailchimp-api-key', { expiresIn: 155, age: 130, disabled: true })
  crm.key('crm-field-encryption', rsa(2048), { expiresIn: 60, age: 800 })
  crm.certificate('crm-contoso', { expiresIn: 130, age: 235 })
  crm.certificate('crm-old', { expiresIn: 40, age: 325, disabled: true })

  const batch = build.vault('kv-legacy-batch', { ...inLegacy, purgeProtection: true })
  batch.secret('secret1', { expiresIn: null, age: 1010, tags: null })
  batch.secret('test', { expiresIn: null, age: 870, tags: null })
  batch.secret('ftp-drop-credential', { expiresIn: 49, age: 316 })
  batch.secret('mainframe-bridge-account', { expiresIn: 205, age: 160 })
  batch.secret('report-mailer-smtp', { expiresIn: 6, age: 359 })
  batch.key('batch-signing', ec('P-256'), { expiresIn: -20, age: 750 })
  batch.key('batch-archive-wrap', rsa(2048), { expiresIn: 222, age: 143 })
  batch.certificate('batch-scheduler', { expiresIn: 164, age: 201 })

  contosoWorkloads(build, { payments: payments.id, identity: identity.id, data: data.id, legacy: legacy.id })
  contosoDirectory(build, payments.id)

  const scanner = build.scanner()
  for (const [id, group] of [
    [payments.id, 'rg-payments'],
    [payments.id, 'rg-checkout'],
    [identity.id, 'rg-identity'],
    [data.id, 'rg-data'],
    [data.id, 'rg-ml'],
    [legacy.id, 'rg-legacy'],
  ] as const)
    build.mayScan(scanner, id, group)
  contosoElsewhere(build, scanner, nowMs)
  contosoRotation(build, scanner)
  // The scanner comes first among the managed identities: it is the machine that the product runs on.
  build.estate.servicePrincipals.sort((a, b) => Number(b.id === scanner.id) - Number(a.id === scanner.id))
  return build.estate
}
