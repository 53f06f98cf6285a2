#!/usr/bin/env node
/**
 * The licence service on one's own machine: the Worker in workerd, with KV, registry, keys and one evaluation licence
 * that are kept in a folder.
 *
 *     node local-main.ts --state DIR [--port 4640]     for a person: says where it is and how to enter
 *     node local-main.ts --state DIR --child           for `npm start`: one line of JSON, and ends with its standard input
 */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import * as z from 'zod'
import { type LocalService, startLocal } from './local.ts'

const { values } = parseArgs({
  options: {
    state: { type: 'string' },
    port: { type: 'string', default: '4640' },
    child: { type: 'boolean', default: false },
  },
})
const options = z
  .object({
    state: z.string('--state names a folder to keep things in'),
    port: z.coerce.number().int().min(0).max(65_535),
  })
  .parse(values)

let service: LocalService | null = null
let ending = false
const end = async (code: number) => {
  if (ending) return
  ending = true
  await service?.miniflare.dispose()
  process.exit(code)
}

try {
  service = await startLocal({ state: resolve(options.state), port: options.port })
  const { url, token, environment } = service
  if (options.port !== 0 && !values.child) {
    console.log(`The licence service answers at ${url.origin}.`)
    console.log(
      service.hasFleetView
        ? `The fleet view: ${url.origin}/fleet/`
        : 'The fleet view was not built: npm run build:fleet -w web',
    )
    console.log(`Vendor token: ${token}`)
    console.log('An install is pointed at it by:')
    for (const [name, value] of Object.entries(environment)) console.log(`  ${name}='${value}'`)
  } else console.log(JSON.stringify({ environment }))
  if (values.child) {
    process.stdin.on('end', () => void end(0))
    process.stdin.resume()
    // The terminal sends its interrupt to the whole group: the parent decides when we stop.
    process.on('SIGINT', () => {})
  } else for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => void end(0))
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  await end(1)
}
