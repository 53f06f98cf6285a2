#!/usr/bin/env node
/**
 * Attestry: all services in one process, or the one that is named.
 *
 *     node services/main.ts [--embedded] [--free-ports] [--state DIR] [service …]
 *
 * `--embedded` brings Postgres, the bus and a cloud twin of its own, as a marked demonstration. Without it every
 * variable that is needed must be set; `npm run attestry -- config` lists them.
 */
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

// Some two thousand modules are compiled at each start, in this process and in those that it starts. What is kept of
// it lies beside the packages, where only those may write who may change the packages; elsewhere it is just not kept.
const cache = fileURLToPath(new URL('../node_modules/.cache/compiled', import.meta.url))
enableCompileCache(cache)
process.env['NODE_COMPILE_CACHE'] ??= cache
await import('./start.ts')
