/// <reference types="node" />
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { openDesk } from '../../../services/desk.fixture.ts'
import { BUILT_CONSOLE_VARIABLE } from './built-console.fixture.ts'

const VITE = fileURLToPath(new URL('../../../node_modules/vite/bin/vite.js', import.meta.url))
const WEB = fileURLToPath(new URL('../../', import.meta.url))
const BUILD_MS = 120_000

/** The console as `npm run build` makes it, in a folder of its own. */
async function build(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'attestry-console-'))
  const { NODE_ENV: _test, VITEST: _run, ...env } = process.env
  await promisify(execFile)(
    process.execPath,
    [VITE, 'build', '--outDir', root, '--emptyOutDir', '--logLevel', 'error'],
    { cwd: WEB, env, timeout: BUILD_MS },
  )
  return root
}

/** Vitest's global setup: the console is built once for the whole run. Two projects name this; the first one opens. */
const setup = async (): Promise<(() => Promise<void>) | undefined> => {
  if (process.env[BUILT_CONSOLE_VARIABLE] !== undefined) return undefined
  let built: Promise<string> | null = null
  const close = await openDesk(BUILT_CONSOLE_VARIABLE, () => {
    built = build()
    return built
  })
  return async () => {
    close()
    // A build that failed has told its tests, and left nothing that is worth keeping.
    const root = await built?.catch(() => null)
    if (root) await rm(root, { recursive: true, force: true })
  }
}

// Vitest asks for a default export.
export default setup
