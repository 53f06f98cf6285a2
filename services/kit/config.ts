import { homedir } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod'
import { Secret } from './secret.ts'

/** One variable of the environment: what it is for, its default, and how its text is read. */
interface Variable<S extends z.ZodType = z.ZodType> {
  readonly says: string
  readonly read: S
  /** Shown in place of the value. */
  readonly secret?: true
}

const variable = <S extends z.ZodType>(says: string, read: S): Variable<S> => ({ says, read })
const secretVariable = <S extends z.ZodType>(says: string, read: S): Variable<S> => ({
  says,
  read,
  secret: true,
})

const port = z.coerce.number('must be a port number').int().min(0).max(65_535).optional()
const secretText = (least: number) =>
  z
    .string()
    .min(least, `must have at least ${least} characters`)
    .transform((text) => new Secret(text))
const flag = z.enum(['true', 'false'], 'must be true or false').transform((text) => text === 'true')

// Every check of an address is part of its schema: a refinement would run on what is no address at all.
const LOOPBACK = /^(127\.0\.0\.1|localhost|\[::1\])$/
const httpAddress = (error: string) => z.url({ protocol: /^https?$/, error })
const serviceAddress = () => httpAddress('must be an address such as http://discovery:4601').optional()
const keyAddress = () =>
  z
    .string()
    .regex(
      /^https:\/\/[^/\s?#]+\/keys\/[^/\s?#]+(\/[^/\s?#]*)?$/,
      'must be an https:// address of a key: https://<vault>.vault.azure.net/keys/<name>',
    )
    .optional()

/** Whether a text is name=address pairs, as time-stamp authorities are given. */
const isPairs = (text: string): boolean =>
  text
    .split(/\s+/)
    .filter(Boolean)
    .every((pair) => /^[^=]+=https?:\/\/./.test(pair) && URL.canParse(pair.slice(pair.indexOf('=') + 1)))

const stateDir = () =>
  process.getuid?.() === 0
    ? '/var/lib/attestry'
    : join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'attestry')

/** The port of each service where it runs in a process of its own, and of the gateway. */
export const SERVICE_PORTS = {
  gateway: 4600,
  discovery: 4601,
  compliance: 4602,
  rotation: 4603,
  sync: 4604,
  evidence: 4605,
  alerts: 4606,
  licensing: 4607,
} as const

/** Everything that is configured. `attestry config` prints this table; docs/configuration.md is made from it. */
export const variables = {
  DATABASE_URL: secretVariable(
    'Postgres 16 or newer, as a role that may take on the service roles: postgres://user:password@host/database',
    z
      .url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// address' })
      .transform((u) => new Secret(u)),
  ),
  DATABASE_ADMIN_URL: secretVariable(
    'The same database as a role that may create schemas and roles; used for migrations only. Default: DATABASE_URL',
    z
      .url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// address' })
      .transform((u) => new Secret(u))
      .optional(),
  ),
  SERVICE_BUS_CONNECTION: secretVariable(
    'Connection string of an Azure Service Bus namespace or its emulator; or set SERVICE_BUS_NAMESPACE',
    z
      .string()
      .regex(
        /(^|;)Endpoint=sb:\/\/[^;]/i,
        'must be a connection string: Endpoint=sb://…;SharedAccessKeyName=…',
      )
      .transform((text) => new Secret(text))
      .optional(),
  ),
  SERVICE_BUS_NAMESPACE: variable(
    'Host name of a Service Bus namespace, reached with the managed identity: name.servicebus.windows.net',
    z.hostname('must be a host name').optional(),
  ),
  SECRET_KEY: secretVariable(
    'At least 32 characters from a random source; session keys and stored keys are encrypted under it',
    secretText(32),
  ),
  ATTESTRY_TENANT: variable(
    'The tenant that this install serves: lower-case letters, digits and dashes',
    z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and dashes')
      .default('default'),
  ),
  ATTESTRY_STATE_DIR: variable(
    'Folder for the local signing key, bundles and the first sign-in; needs to survive restarts',
    z.string().min(1).default(stateDir),
  ),
  ATTESTRY_HOST: variable('Address that HTTP listens on', z.string().default('127.0.0.1')),
  ATTESTRY_PORT: variable(
    'Port of the gateway (4600), or of the one service that runs; 0 takes a free one',
    port,
  ),
  ATTESTRY_METRICS_PORT: variable(
    'Loopback port of /metrics; 0 turns it off. Default: 4609 beside the gateway, off elsewhere',
    port,
  ),
  ATTESTRY_PUBLIC_URL: variable(
    'Address that browsers use, if a proxy stands before the gateway; https makes cookies Secure',
    httpAddress('must be an address such as https://attestry.example.com').optional(),
  ),
  ATTESTRY_MAIL_URL: secretVariable(
    'Mail server that notices of rotations go through: smtps://user:password@mail.example.com; unset, no mail is sent',
    z
      .url({ protocol: /^smtps?$/, error: 'must be an smtps:// address' })
      .transform((u) => new Secret(u))
      .optional(),
  ),
  ATTESTRY_MAIL_FROM: variable('Sender of such mail', z.email('must be a mail address').optional()),
  ATTESTRY_TRUST_PROXY: variable(
    'true: take the caller’s address from X-Forwarded-For, because a proxy of yours sets it',
    flag.default(false),
  ),
  ATTESTRY_SESSION_IDLE_MINUTES: variable(
    'A session ends when its person has asked for nothing for so long',
    z.coerce.number('must be minutes from 5 to 1440').int().min(5).max(1440).default(60),
  ),
  ATTESTRY_SESSION_MAX_HOURS: variable(
    'A session ends so long after its sign-in, whatever happens',
    z.coerce.number('must be hours from 1 to 168').int().min(1).max(168).default(12),
  ),
  ATTESTRY_ONE_TIME_PASSWORD_HOURS: variable(
    'How long a one-time password opens anything; the first administrator’s is made anew at a start',
    z.coerce.number('must be hours from 1 to 720').int().min(1).max(720).default(72),
  ),
  ATTESTRY_DISCOVERY_URL: variable(
    'Where discovery answers, if it runs in a process of its own',
    serviceAddress(),
  ),
  ATTESTRY_COMPLIANCE_URL: variable('Where compliance answers, likewise', serviceAddress()),
  ATTESTRY_ROTATION_URL: variable('Where rotation answers, likewise', serviceAddress()),
  ATTESTRY_SYNC_URL: variable('Where sync answers, likewise', serviceAddress()),
  ATTESTRY_EVIDENCE_URL: variable('Where evidence answers, likewise', serviceAddress()),
  ATTESTRY_LICENSING_URL: variable('Where licensing answers, likewise', serviceAddress()),
  ATTESTRY_LICENSE_URL: variable(
    'Where the vendor’s licence service answers; unset, the one that this build was made for, if any',
    httpAddress('must be an address such as https://license.example.com').optional(),
  ),
  ATTESTRY_LICENSE_KEY: secretVariable(
    'The licence key; unset, the one that an administrator enters in the console',
    secretText(20).optional(),
  ),
  ATTESTRY_LICENSE_KEYS: variable(
    'Public keys of a licence service on this machine, name=key separated by spaces; a demonstration alone takes them',
    z.string().default(''),
  ),
  ENABLE_FLEET_VISIBILITY: variable(
    'false: counts of what there is are never sent with the licence check, whatever the console says',
    flag.default(true),
  ),
  ATTESTRY_AZURE_ENDPOINT: variable(
    'Loopback address of a twin instead of Azure, AWS and Google Cloud; makes the install a demonstration for ever',
    z
      .url({
        protocol: /^https?$/,
        hostname: LOOPBACK,
        error: 'must be a loopback address such as http://127.0.0.1:4610',
      })
      .optional(),
  ),
  ATTESTRY_DEMO_CONNECTORS: variable(
    'JSON list of the accounts that a demonstration is connected to at its first start; npm start sets it',
    z.string().default('[]'),
  ),
  ATTESTRY_TSA: variable(
    'Time-stamp authorities in order of preference: name=address, separated by spaces',
    z
      .string()
      .refine(
        isPairs,
        'must be name=address, several separated by spaces, such as DigiCert=http://timestamp.digicert.com',
      )
      .default(''),
  ),
  ATTESTRY_TSA_ROOTS: variable(
    'PEM file of the roots that time-stamp authorities are checked against',
    z.string().optional(),
  ),
  ATTESTRY_TSA_SPACING_SECONDS: variable(
    'Least time between two requests to one time-stamp authority that is not on this machine',
    z.coerce.number('must be a number of seconds from 0 to 3600').min(0).max(3600).default(5),
  ),
  ATTESTRY_SIGNING_KEY: variable(
    'Key Vault key that signs bundles, https://<vault>.vault.azure.net/keys/<name> (EC, P-256); else a local one',
    keyAddress(),
  ),
  ATTESTRY_DOCUMENT_KEY: variable(
    'Key Vault key that signs PDF files, likewise; must be another one than ATTESTRY_SIGNING_KEY',
    keyAddress(),
  ),
  ATTESTRY_DOCUMENT_CERTIFICATE: variable(
    'PEM file with the certificate of the key that signs PDF files and its issuers; else a self-signed one is made',
    z.string().optional(),
  ),
  ATTESTRY_ANCHOR_MINUTES: variable(
    'How often the ledger is anchored (signed and time-stamped) while events arrive',
    z.coerce.number('must be a number of minutes from 1 to 1440').min(1).max(1440).default(60),
  ),
  ATTESTRY_ANCHOR_BLOB: variable(
    'Container with version-level immutability that gets a write-once copy of each anchor',
    z.url({ protocol: /^https$/, error: 'must be an https:// address of a container' }).optional(),
  ),
  ATTESTRY_ANCHOR_WEBHOOK: variable(
    'Address that each anchor is posted to, somebody else’s',
    z.url({ protocol: /^https?$/, error: 'must be an https:// address' }).optional(),
  ),
  ATTESTRY_ANCHOR_MAIL: secretVariable(
    'Mailbox that gets each anchor: smtps://user:password@host?to=auditor@example.com&from=attestry@example.com',
    z
      .url({ protocol: /^smtps?$/, error: 'must be an smtps:// address' })
      .transform((u) => new Secret(u))
      .optional(),
  ),
  ATTESTRY_AUDIT_SYSLOG: variable(
    'Where the audit log goes by syslog as it happens: tls://host:6514 or tcp://host:601',
    z
      .string()
      .regex(/^(tls|tcp):\/\/[^/\s@]+$/, 'must be tls://host:port or tcp://host:port')
      .optional(),
  ),
  ATTESTRY_AUDIT_SYSLOG_CA: variable(
    'PEM file of the authorities that the syslog receiver’s certificate is checked against; default: the system’s',
    z.string().optional(),
  ),
  ATTESTRY_AUDIT_WEBHOOK: variable(
    'https address that the audit log is posted to as it happens; needs ATTESTRY_AUDIT_WEBHOOK_KEY',
    z
      .union([z.url({ protocol: /^https$/ }), z.url({ protocol: /^http$/, hostname: LOOPBACK })], {
        error: 'must be an https address',
      })
      .optional(),
  ),
  ATTESTRY_AUDIT_WEBHOOK_KEY: secretVariable(
    'Signs what is posted to ATTESTRY_AUDIT_WEBHOOK (HMAC-SHA-256); at least 32 characters',
    secretText(32).optional(),
  ),
  ATTESTRY_AUDIT_BLOB: secretVariable(
    'Address of a container of a storage account that gets the audit log as append blobs; reached with the managed identity, or a shared access signature in its query',
    httpAddress('must be an https:// address of a container')
      .transform((u) => new Secret(u))
      .optional(),
  ),
  ATTESTRY_SWEEP_SECONDS: variable(
    'How often every consumer looks in the ledger for what no message brought',
    z.coerce.number('must be a number of seconds from 1 to 3600').min(1).max(3600).default(30),
  ),
  ATTESTRY_LOG_LEVEL: variable(
    'debug, info, warn or error',
    z.enum(['debug', 'info', 'warn', 'error'], 'must be debug, info, warn or error').default('info'),
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: variable(
    'Where traces go (OTLP over HTTP); other OTEL_ variables of the SDK work as documented there',
    z.url().optional(),
  ),
} as const satisfies Record<string, Variable>

export type Configuration = { readonly [K in keyof typeof variables]: z.infer<(typeof variables)[K]['read']> }

/** Every variable that is wrong or missing, each with what would be right. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
  readonly problems: readonly { variable: string; message: string }[]
  constructor(problems: readonly { variable: string; message: string }[]) {
    super(
      `The configuration is not complete:\n${problems.map((p) => `  ${p.variable}: ${p.message}`).join('\n')}\n` +
        'All variables: npm run attestry -- config',
    )
    this.problems = problems
  }
}

interface Problem {
  readonly variable: string
  readonly message: string
  readonly short?: string
}

/** A key of Key Vault without its version, which is another copy of the same key. */
const vaultKeyOf = (address: unknown): string | null =>
  typeof address === 'string' ? (/^.*\/keys\/[^/]+/.exec(address)?.[0].toLowerCase() ?? null) : null

type Values = Readonly<Record<string, unknown>>

/** Rules over more than one variable, asked of what each is by itself. */
const TOGETHER: readonly (Problem & { readonly wrong: (values: Values) => boolean })[] = [
  {
    variable: 'SERVICE_BUS_NAMESPACE',
    message: 'is missing, and so is SERVICE_BUS_CONNECTION: one of the two says where the bus is',
    wrong: (v) => !v['SERVICE_BUS_CONNECTION'] && !v['SERVICE_BUS_NAMESPACE'],
  },
  {
    variable: 'SERVICE_BUS_NAMESPACE',
    message: 'is set, and so is SERVICE_BUS_CONNECTION: only one of the two may say where the bus is',
    wrong: (v) => Boolean(v['SERVICE_BUS_CONNECTION'] && v['SERVICE_BUS_NAMESPACE']),
  },
  {
    variable: 'ATTESTRY_AUDIT_WEBHOOK_KEY',
    message: 'is missing: what ATTESTRY_AUDIT_WEBHOOK gets is signed with it',
    wrong: (v) => Boolean(v['ATTESTRY_AUDIT_WEBHOOK'] && !v['ATTESTRY_AUDIT_WEBHOOK_KEY']),
  },
  {
    variable: 'ATTESTRY_TSA_ROOTS',
    message: 'is missing: without the roots of ATTESTRY_TSA no time stamp of theirs counts',
    wrong: (v) => Boolean(v['ATTESTRY_TSA'] && !v['ATTESTRY_TSA_ROOTS']),
  },
  {
    variable: 'ATTESTRY_DOCUMENT_KEY',
    message: 'must be another key than ATTESTRY_SIGNING_KEY: no key has two purposes',
    wrong: (v) => {
      const signing = vaultKeyOf(v['ATTESTRY_SIGNING_KEY'])
      return signing !== null && signing === vaultKeyOf(v['ATTESTRY_DOCUMENT_KEY'])
    },
  },
]

const parsedFrom = (env: Readonly<Record<string, string | undefined>>) => {
  const values: Record<string, unknown> = {}
  const problems: Problem[] = []
  for (const [name, { read, says }] of Object.entries(variables)) {
    const text = env[name] === '' ? undefined : env[name]
    const parsed = (read as z.ZodType).safeParse(text)
    if (parsed.success) values[name] = parsed.data
    else
      problems.push({
        variable: name,
        message: text === undefined ? `is missing. ${says}` : (parsed.error.issues[0]?.message ?? 'is wrong'),
        // Where it stands beside what the variable is for, that need not be said again.
        ...(text === undefined ? { short: 'missing' } : {}),
      })
  }
  const alone = problems.map(({ variable: name }) => name)
  // What is wrong by itself is said once, and a bus that is wrong is not missing.
  const known = (name: string) =>
    alone.includes(name) || (name === 'SERVICE_BUS_NAMESPACE' && alone.includes('SERVICE_BUS_CONNECTION'))
  for (const { variable: name, message, wrong } of TOGETHER)
    if (!known(name) && wrong(values)) problems.push({ variable: name, message })
  return { values, problems }
}

/**
 * Reads the environment once, at start. An empty variable counts as unset.
 * @throws ConfigurationError naming every bad variable at once
 */
export function readConfiguration(env: Readonly<Record<string, string | undefined>>): Configuration {
  const { values, problems } = parsedFrom(env)
  if (problems.length > 0) throw new ConfigurationError(problems)
  // Each value came from its own variable's schema.
  return values as Configuration
}

/** The table that `attestry config` prints: name, meaning, and the value in force where it may be shown. */
export function describeConfiguration(
  env: Readonly<Record<string, string | undefined>>,
): { variable: string; says: string; value: string; problem: string | null }[] {
  const { values, problems } = parsedFrom(env)
  const shown = (value: unknown, secret: true | undefined) =>
    value === undefined
      ? ''
      : secret || value instanceof Secret
        ? '(set)'
        : typeof value === 'string'
          ? value
          : JSON.stringify(value)
  return Object.entries(variables).map(([name, { says, secret }]: [string, Variable]) => {
    const problem = problems.find(({ variable: wrong }) => wrong === name)
    return {
      variable: name,
      says,
      value: shown(values[name], secret),
      problem: problem?.short ?? problem?.message ?? null,
    }
  })
}
