#!/usr/bin/env node
/**
 * The local broker as a process of its own: prints one line of JSON, `{ "connectionString", "port" }`, when it is
 * ready, and ends when its standard input closes, so that it never outlives the process that started it.
 *
 *     node main.ts --config ../../../deploy/servicebus/config.json [--port 5672] [--key SECRET]
 *                  [--drop 0.02] [--duplicate 0.02] [--reorder 0.1] [--seed 1]
 *
 * The key may come as SERVICE_BUS_KEY instead, which process listings do not show; without one it is made up.
 */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import * as z from 'zod'
import { startBroker } from './broker.ts'
import { seeded } from './faults.ts'

const share = z.coerce.number().min(0).max(1).optional()
const Options = z.object({
  config: z.string(),
  port: z.coerce.number().int().min(0).max(65_535).default(0),
  key: z.string().min(1).optional(),
  drop: share,
  duplicate: share,
  reorder: share,
  seed: z.coerce.number().int().default(1),
})

const option = { type: 'string' } as const
const { values } = parseArgs({
  options: {
    config: option,
    port: option,
    key: option,
    drop: option,
    duplicate: option,
    reorder: option,
    seed: option,
  },
})
const { config, port, key, seed, ...faults } = Options.parse(values)
const broker = await startBroker({
  config: JSON.parse(await readFile(config, 'utf8')),
  port,
  key: key ?? process.env['SERVICE_BUS_KEY'] ?? randomBytes(32).toString('base64'),
  faults: { ...faults, random: seeded(seed) },
  onError: (error) => console.error('a peer broke the protocol:', error),
})
process.stdin.on('end', () => void broker.stop().then(() => process.exit(0)))
process.stdin.resume()
console.log(JSON.stringify({ connectionString: broker.connectionString, port: broker.port }))
