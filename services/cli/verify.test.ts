import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { foldSubtrees, inclusionPlan, leafOf, receiptText, treeFrontier } from '@attestry/contracts'
import { sha256 } from '@attestry/kit/ledger'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Attack,
  attacks,
  type Chronicle,
  checkpointLine,
  chronicle,
  type World,
  worldOf,
} from '../evidence/attacks.fixture.ts'
import { readZip } from '../evidence/zip-source.ts'
import { receiptCommand } from './receipt.ts'
import { BadOption } from './bad-option.ts'
import { verifyCommand, type VerifyOptions } from './verify.ts'

/* `attestry verify` with everything an auditor may hold beside the bundle, and `attestry receipt`. */

let folder: string
let world: World
let chain: Chronicle
let all: Attack[]
const at = (name: string) => join(folder, name)
const zipOf = (name: string): Uint8Array => {
  const found = all.find((each) => each.name === name)
  if (!found) throw new Error(`there is no attack ${name}`)
  return found.zip
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attestry-cli-verify-'))
  world = await worldOf()
  all = await attacks(world)
  chain = await chronicle(world)
  await writeFile(at('honest.zip'), zipOf('nothing: the honest bundle'))
  await writeFile(
    at('fork.zip'),
    zipOf('events since the last anchor are rewritten, and nobody holds anything'),
  )
  await writeFile(at('changed.zip'), zipOf('a file is changed'))
  await writeFile(at('signer.pub'), world.signer.publicKeyPem)
  await writeFile(at('roots.pem'), world.tsa.rootPem)
  await writeFile(at('log.vkey'), `${checkpointLine(world, chain)}\n`)
  const honest = await readZip(zipOf('nothing: the honest bundle'))
  if ('problem' in honest) throw new Error(honest.problem)
  for (const size of [2, 6])
    await writeFile(at(`${size}.checkpoint`), honest.files.get(`log/anchors/${size}.checkpoint`) ?? '')
  const strange = await chronicle(world, undefined, { key: world.strangeLog })
  await writeFile(at('strange.checkpoint'), strange.anchors[0]?.note ?? '')
}, 60_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

async function verify(
  path: string,
  more: Partial<VerifyOptions> = {},
): Promise<{ code: number; said: string }> {
  const said: string[] = []
  const code = await verifyCommand(
    at(path),
    {
      key: at('signer.pub'),
      tsaRoot: at('roots.pem'),
      checkpointKey: at('log.vkey'),
      now: new Date('2026-03-01T12:00:00Z'),
      ...more,
    },
    (line) => said.push(line),
  )
  return { code, said: said.join('\n') }
}

describe('attestry verify', () => {
  test('with all keys and the period says yes to every question, and exits 0', async () => {
    const { code, said } = await verify('honest.zip', {
      period: '2026-02-02T00:00:00Z/2026-02-20T00:00:00Z',
    })
    expect(said).toContain('ok    Nothing of the period is missing: from the first event to checkpoint')
    expect(said).toContain('ok    Checkpoints are signed with the log’s key you were given')
    expect(code).toBe(0)
  })

  test('fails a period that the bundle does not reach', async () => {
    const { code, said } = await verify('honest.zip', {
      period: '2026-02-02T00:00:00Z/2026-02-28T00:00:00Z',
    })
    expect(said).toMatch(/^FAIL {2}Nothing of the period is missing: .*less than you asked for$/m)
    expect(code).toBe(1)
  })

  test.each([
    '2026-02-02/2026-02-20',
    '2026-02-02T00:00:00Z',
    'yesterday/today',
    '2026-02-02T00:00:00Z/2026-02-20T00:00:00Z/x',
  ])('takes no period like %s', async (period) => {
    await expect(verify('honest.zip', { period })).rejects.toThrow(BadOption)
  })

  test('finds a fork by another bundle, whichever of the two is looked at', async () => {
    for (const [path, other] of [
      ['fork.zip', 'honest.zip'],
      ['honest.zip', 'fork.zip'],
    ] as const) {
      const { code, said } = await verify(path, { against: [at(other)] })
      expect(said).toMatch(/^FAIL {2}The chain holds the places you knew before/m)
      expect(code).toBe(1)
    }
    expect((await verify('fork.zip')).code, 'alone it is not caught, as the documentation says').toBe(0)
  })

  test('holds a bundle against itself and a checkpoint that was kept', async () => {
    const { code, said } = await verify('honest.zip', {
      against: [at('honest.zip'), at('2.checkpoint'), at('6.checkpoint')],
    })
    expect(said).toContain('ok    The chain holds the places you knew before')
    expect(code).toBe(0)
  })

  test('compares with nothing that does not hold itself', async () => {
    await expect(verify('honest.zip', { against: [at('changed.zip')] })).rejects.toThrow('look at it first')
    await expect(verify('honest.zip', { against: [at('strange.checkpoint')] })).rejects.toThrow(
      'is not a checkpoint signed with the key given',
    )
  })
})

describe('attestry receipt', () => {
  /** The receipt of an event under the last checkpoint, as the service makes it from its tiles. */
  const receiptOf = (index: number): string => {
    const { size, note } = chain.anchors.at(-1) ?? { size: 0, note: '' }
    const hashes = inclusionPlan(index, size).map((subtrees) =>
      foldSubtrees(
        sha256,
        subtrees.map(({ level, index: n }) => {
          const tree = treeFrontier(sha256)
          for (const line of chain.lines.slice(n * 2 ** level, (n + 1) * 2 ** level))
            tree.push(leafOf(sha256, line))
          return tree.root()
        }),
      ),
    )
    return receiptText({ index, proof: hashes, note, extra: null })
  }
  async function receipt(index: number, event: string, checkpointKey = at('log.vkey')) {
    await writeFile(at('event.tlog-proof'), receiptOf(index))
    await writeFile(at('event.jsonl'), event)
    const said: string[] = []
    const code = await receiptCommand(
      at('event.tlog-proof'),
      { checkpointKey, event: at('event.jsonl') },
      (line) => said.push(line),
    )
    return { code, said: said.join('\n') }
  }

  test('shows every event under the checkpoint, with the log’s key alone', async () => {
    for (const [index, line] of chain.lines.slice(0, chain.anchors.at(-1)?.size).entries()) {
      const { code, said } = await receipt(index, `${line}\n`)
      expect(said).toContain(`Event ${index + 1} is in the ledger`)
      expect(code).toBe(0)
    }
  })

  test('does not hold for another event, another place, or another log’s key', async () => {
    const [first = '', second = ''] = chain.lines
    expect(await receipt(0, second)).toMatchObject({
      code: 1,
      said: expect.stringContaining('not the one at this place'),
    })
    expect(await receipt(1, first)).toMatchObject({ code: 1 })
    expect(await receipt(0, first.replace('"real"', '"demo"'))).toMatchObject({ code: 1 })
    await writeFile(at('other.vkey'), checkpointLine({ ...world, log: world.strangeLog }, chain))
    expect(await receipt(0, first, at('other.vkey'))).toMatchObject({
      code: 1,
      said: expect.stringContaining('not signed with the log’s key'),
    })
  })
})
