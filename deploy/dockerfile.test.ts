import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, matchesGlob, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { SERVICES } from '../services/process.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string) => readFileSync(join(root, path), 'utf8')

interface Stage {
  readonly base: string
  readonly lines: readonly string[]
}

/** The stages of the Dockerfile by name, each instruction on one line. */
function stagesOf(text: string): Map<string, Stage> {
  const stages = new Map<string, Stage>()
  let lines: string[] = []
  for (const line of text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter(Boolean)) {
    const [, base, name] = /^FROM (\S+) AS (\S+)$/.exec(line) ?? []
    if (base !== undefined && name !== undefined) stages.set(name, { base, lines: (lines = []) })
    else lines.push(line)
  }
  return stages
}

const dockerfile = read('deploy/Dockerfile')
const stages = stagesOf(dockerfile)
const stage = (name: string): Stage => {
  const found = stages.get(name)
  if (!found) throw new Error(`the Dockerfile has no stage ${name}`)
  return found
}

const Manifest = z.object({
  name: z.string(),
  workspaces: z.array(z.string()).default([]),
  dependencies: z.record(z.string(), z.string()).default({}),
})
const manifest = (folder: string) => Manifest.parse(JSON.parse(read(join(folder, 'package.json'))))
const { workspaces } = manifest('.')

/** Workspaces whose dependencies a stage installs. */
const installed = (name: string) =>
  stage(name).lines.flatMap((line) => [...line.matchAll(/--workspace (\S+)/g)].map((m) => m[1] ?? ''))

/** What a stage copies from the repository: pairs of source and target. */
const copied = (name: string) =>
  stage(name)
    .lines.filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
    .flatMap((line) => {
      const words = line.split(/\s+/).slice(1)
      const target = words.pop() ?? ''
      return words.map((source) => ({ source, target }))
    })

const ignored = read('.dockerignore')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))

/** Whether a build sees a file: neither it nor a folder above it is ignored. */
const isSeen = (path: string) =>
  path
    .split('/')
    .map((_, i, parts) => parts.slice(0, i + 1).join('/'))
    .every((part) => !ignored.some((pattern) => matchesGlob(part, pattern)))

/** The files that a build copies for one source, as paths of the repository. */
const filesOf = (source: string) =>
  globSync([source, `${source}/**`], { cwd: root, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter(isSeen)

/** Makes a stage's tree in a folder: its files as a build would copy them, and links to the packages it installs. */
function makeTree(folder: string, name: string, dependencies: string) {
  for (const { source, target } of copied(name))
    for (const file of filesOf(source)) {
      // Into a folder goes a file by its name; a folder's files keep their places under the target.
      const at = join(folder, target, target.endsWith('/') ? basename(file) : relative(source, file))
      mkdirSync(dirname(at), { recursive: true })
      copyFileSync(join(root, file), at)
    }
  // The install stage brings the workspace's manifest.
  copyFileSync(join(root, 'package.json'), join(folder, 'package.json'))
  const link = (target: string, path: string) => {
    mkdirSync(dirname(path), { recursive: true })
    if (!existsSync(path)) symlinkSync(target, path)
  }
  for (const workspace of installed(dependencies)) {
    const { name: own, dependencies: needed } = manifest(workspace)
    link(join(folder, workspace), join(folder, 'node_modules', own))
    // Only what the package itself says that it needs to run.
    for (const other of Object.keys(needed).filter((other) => !other.startsWith('@attestry/')))
      link(join(root, 'node_modules', other), join(folder, 'node_modules', other))
  }
}

/** Runs a program of a tree as the image would: with nothing in its environment. */
const start = (folder: string, ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: folder,
    env: { ATTESTRY_STATE_DIR: join(folder, 'state') },
    input: '',
    encoding: 'utf8',
    timeout: 25_000,
  })
  return { status, stdout, stderr }
}

describe('the Dockerfile', () => {
  test('takes its base image as a build argument, in every stage', () => {
    expect(dockerfile).toMatch(/^ARG NODE_IMAGE=node:26/m)
    const bases = [...stages.values()].map((s) => s.base).filter((base) => !stages.has(base))
    expect(new Set(bases)).toEqual(new Set(['${NODE_IMAGE}']))
  })

  test('shows npm every workspace before it installs', () => {
    const manifests = copied('manifests').map((c) => c.source)
    for (const workspace of workspaces) expect(manifests).toContain(`${workspace}/package.json`)
    expect(manifests).toEqual(expect.arrayContaining(['package.json', 'package-lock.json', '.npmrc']))
  })

  test('builds the console from its sources, the packages of ours that it needs, and the settings that its own extend', () => {
    const sources = copied('console').map((c) => c.source)
    const needed = Object.keys(manifest('web').dependencies)
    const ours = workspaces.filter((workspace) => needed.includes(manifest(workspace).name))
    expect(ours).toContain('contracts')
    const { extends: settings } = z
      .object({ extends: z.string() })
      .parse(JSON.parse(read('web/tsconfig.json')))
    expect(sources).toEqual(expect.arrayContaining([...ours, 'web', join('web', settings)]))
    expect(stage('console').lines).toContain('RUN npm run build --workspace web')
    expect(stage('production').lines).toContain('COPY --from=console /app/web/dist web/dist')
  })

  test('installs and copies every service, and nothing of the twin', () => {
    const folders = [
      'contracts',
      'services/kit',
      'services/cli',
      ...SERVICES.map((name) => `services/${name}`),
    ].toSorted()
    expect(installed('dependencies').toSorted()).toEqual(folders)
    const sources = copied('production').map((c) => c.source)
    expect(sources).toEqual(expect.arrayContaining(folders))
    expect(sources.filter((s) => s === 'services' || s === '.' || s.includes('twin'))).toEqual([])
    expect(stage('dependencies').lines.join()).toMatch(/rm -r [^&]*services\/twin/)
  })

  test('leaves development’s dependencies and install scripts out', () => {
    for (const name of ['dependencies', 'twin-dependencies'])
      expect(stage(name).lines.find((line) => line.includes('npm ci'))).toMatch(
        /--omit=dev .*--ignore-scripts/,
      )
  })

  test('ends with the product, which runs without rights and can be asked for its health', () => {
    expect([...stages.keys()].at(-1)).toBe('production')
    const lines = stage('production').lines
    expect(lines).toContain('USER attestry')
    expect(lines).toContain('VOLUME /var/lib/attestry')
    expect(lines).toContain('ENTRYPOINT ["node", "--max-semi-space-size=8", "services/main.ts"]')
    expect(lines.find((line) => line.startsWith('HEALTHCHECK'))).toContain('deploy/health.ts')
    expect(stage('production').base).toBe('runtime')
    expect(stage('runtime').lines.join()).toMatch(/useradd --system --uid [1-9]\d*/)
  })
})

describe('the tree of the image', () => {
  let product: string
  let twin: string
  beforeAll(() => {
    product = mkdtempSync(join(tmpdir(), 'attestry-image-'))
    twin = mkdtempSync(join(tmpdir(), 'attestry-image-twin-'))
    makeTree(product, 'production', 'dependencies')
    makeTree(twin, 'twin', 'twin-dependencies')
  })
  afterAll(() => {
    for (const folder of [product, twin]) rmSync(folder, { recursive: true, force: true })
  })

  test('has no twin, no test and no fixture in it', () => {
    const files = globSync('{contracts,services,deploy}/**', { cwd: product })
    expect(files.length).toBeGreaterThan(100)
    expect(files.filter((f) => /twin|\.test\.ts$|\.fixture\.|for-tests/.test(f))).toEqual([])
  })

  test('starts, and misses nothing but its configuration', () => {
    const { status, stderr } = start(product, 'services/main.ts')
    expect(stderr).toMatch(/^The configuration is not complete:\n {2}DATABASE_URL: is missing/)
    expect(stderr).not.toMatch(/ERR_|Cannot find/)
    expect(status).toBe(1)
  })

  test('has the command line in it', () => {
    const { status, stdout } = start(product, 'services/cli/attestry.ts', '--help')
    expect(stdout).toContain('attestry <command>')
    expect(status).toBe(0)
  })

  test('has a health check that says no where nobody answers', () => {
    expect(start(product, 'deploy/health.ts', '1').status).toBe(1)
  })

  test('of the twin starts by itself and ends with its standard input', () => {
    const { status, stdout, stderr } = start(twin, 'services/twin/cloud-main.ts', '--port', '0')
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toMatchObject({ url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) })
    expect(status).toBe(0)
  })
})
