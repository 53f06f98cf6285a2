import { type Actor, fact } from '@attestry/contracts'
import { syncHttp } from '@attestry/contracts/http'
import { command, type Host } from '@attestry/kit'
import * as z from 'zod'
import { accessPairs, connectorProblems } from './connector.ts'
import { decided } from './decided.ts'

const install: Actor = { kind: 'install', id: 'install-first-run' }

const Connectors = z.array(syncHttp.addConnector.body)

/**
 * The accounts that a demonstration begins with, read from JSON in the shape of the endpoint that adds one.
 * @throws where it is not that: it comes from the program that brings the accounts
 */
export function demonstrationConnectors(json: string): z.infer<typeof Connectors> {
  const list = Connectors.parse(JSON.parse(json))
  for (const one of list) {
    const [problem] = connectorProblems(one)
    if (problem) throw new Error(`ATTESTRY_DEMO_CONNECTORS: ${one.name}: ${problem.field} ${problem.message}`)
  }
  return list
}

/**
 * Connects a demonstration to the clouds that were started with it, once: what is there, or was removed by a person, is
 * left alone. Their sign-in is tried when a person asks for it, or a route is planned.
 */
export const firstConnectorsCommand = (host: Host, connectors: z.infer<typeof Connectors>) =>
  command({
    name: 'first-connectors',
    body: z.object({}),
    work: async ({ tenant }) => {
      if (host.origin !== 'demo') return
      const opaque = await host.opaque(tenant)
      for (const { cloud, name, account, region, access } of connectors) {
        const connector = opaque('connector', name.trim().toLowerCase())
        const at = { stream: connector, by: install, correlation: 'first-run' }
        await decided(host, tenant, at, (events) =>
          events.length > 0
            ? []
            : [
                fact('sync.connector-added', {
                  connector,
                  cloud,
                  name,
                  account,
                  region,
                  how: access.how,
                  access: accessPairs(access),
                }),
              ],
        )
      }
    },
  })

/** Asks for it, as a command: it survives a stop in between, and blocks no start. */
export async function askForFirstConnectors(host: Host): Promise<void> {
  for (const tenant of await host.tenants())
    await host.tx(tenant, (tx) =>
      host.send(tx, [
        {
          command: 'first-connectors',
          id: 'first-connectors',
          session: 'first-connectors',
          body: {},
          by: install,
          cause: { correlation: 'first-run', causation: 'start' },
        },
      ]),
    )
}
