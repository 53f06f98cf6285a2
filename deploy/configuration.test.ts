import { describeConfiguration, variables } from '@attestry/kit'
import { expect, test } from 'vitest'

/** A default that depends on the machine, in words. */
const IN_WORDS: Readonly<Record<string, string>> = {
  ATTESTRY_STATE_DIR:
    '`/var/lib/attestry` as root, else `$XDG_STATE_HOME/attestry` or `~/.local/state/attestry`',
}

/** The page as it must be: made from the table that the product reads its environment with. */
function page(): string {
  const rows = describeConfiguration({}).map(({ variable, says, value, problem }) => {
    const needed = problem === 'missing' ? '**needed**' : value === '' ? '' : `\`${value}\``
    return `| \`${variable}\` | ${says.replaceAll('|', '\\|')} | ${IN_WORDS[variable] ?? needed} |`
  })
  return `# Configuration

Everything is configured by variables of the environment, read once at start. A variable that is missing or wrong is an
error that names it, all of them at once; an empty one counts as unset. \`npm run attestry -- config\` prints this table
with what is in force, secrets left out. \`npm start\` and \`npm run demo\` bring their own database, bus and cloud and
need none of it.

This page is made from \`services/kit/config.ts\` and held against it by a test. After a change there:
\`npx vitest run deploy/configuration.test.ts --update\`.

| Variable | What it is | Default |
| --- | --- | --- |
${rows.join('\n')}

Exactly one of \`SERVICE_BUS_CONNECTION\` and \`SERVICE_BUS_NAMESPACE\` is needed: it says where the bus is.

## Read by Azure's own libraries

Who the product is to Azure follows the standard variables, the first that is complete:

| Variables | Identity |
| --- | --- |
| \`AZURE_TENANT_ID\`, \`AZURE_CLIENT_ID\`, \`AZURE_FEDERATED_TOKEN_FILE\` | Workload identity |
| \`AZURE_TENANT_ID\`, \`AZURE_CLIENT_ID\`, \`AZURE_CLIENT_SECRET\` | Application with a secret |
| \`AZURE_TENANT_ID\`, \`AZURE_CLIENT_ID\`, \`AZURE_CLIENT_CERTIFICATE_PATH\` | Application with a certificate |
| none of these | The machine's managed identity; \`AZURE_CLIENT_ID\` alone picks a user-assigned one |

\`AZURE_AUTHORITY_HOST\` names another sign-in host. See [azure-setup.md](azure-setup.md) for the rights it needs.

## Ports

All on loopback unless \`ATTESTRY_HOST\` says otherwise: gateway 4600, services in processes of their own 4601 to 4607,
metrics 4609. \`npm start\` also uses 4610 (cloud twin), 4611 (its time-stamp authority), 4620 (local broker), 4630
(Postgres) and 4640 (licence service).
`
}

test('docs/configuration.md says what the product reads', async () => {
  const text = page()
  for (const name of Object.keys(variables)) expect(text).toContain(`| \`${name}\` |`)
  await expect(text).toMatchFileSnapshot('../docs/configuration.md')
})
