import { randomBytes } from 'node:crypto'
import {
  type BundleManifest,
  canonical,
  commitment,
  envelopeText,
  GENESIS_LINK,
  leafOf,
  linkOf,
  logOrigin,
  manifestText,
  toHex,
  treeFrontier,
  verifierText,
} from '@attestry/contracts'
import type { Behaviour, Tsa } from '../twin/tsa/index.ts'
import { createTsa } from '../twin/tsa/index.ts'
import { checkpointKey, type CheckpointKey, generateCheckpointKey } from './anchors/checkpoint-key.ts'
import {
  columns,
  manifestOf,
  now,
  printed,
  rows,
  sealInMemory,
  sha256,
  text,
  trustOf,
} from './bundle.fixture.ts'
import { type BundleParts, headerOf } from './bundle.ts'
import { csvBytes } from './csv.ts'
import { generateSigningKey, localSigner, type Signer } from './sign.ts'
import { writeSums } from './sums.ts'
import { requestTimestamp, timestampNonce, timestampQuery } from './timestamp.ts'
import type { Trust } from './verify.ts'
import { writeZip } from './zip.fixture.ts'

/*
 * A bundle with anchors, and what may be done to it by whom: the list of `docs/verification.md`, for every verifier.
 */

const random = (length: number) => Uint8Array.from(randomBytes(length))
const salt = '00112233445566778899aabbccddeeff'
const SECRET_NAME = 'smtp-für-alle'.normalize('NFC')
const { signal } = new AbortController()
const PERIOD = { from: '2026-02-02T00:00:00.000Z', to: '2026-02-20T00:00:00.000Z' }

/** Keys and authority of an install, and of a stranger. */
export interface World {
  readonly signer: Signer
  readonly stranger: Signer
  readonly log: CheckpointKey
  readonly strangeLog: CheckpointKey
  readonly tsa: Tsa
  /** Stamps at a time of the past: authorities are honest, so only the tests can. */
  readonly stampAt: (bytes: Uint8Array, at: string) => Promise<Uint8Array<ArrayBuffer>>
  readonly timestamp: BundleParts['timestamp']
}

export async function worldOf(): Promise<World> {
  // Its certificates are valid from the day before it is made on.
  let clock = new Date('2026-01-15T00:00:00Z')
  const tsa = await createTsa({ clock: () => clock, random })
  clock = now
  const timestamp: BundleParts['timestamp'] = (data, given) =>
    requestTimestamp(
      {
        data,
        authorities: [
          { name: 'local', url: 'http://a.invalid/tsa', rootsPem: tsa.rootPem, independent: false },
        ],
        signal: given,
      },
      { clock: () => clock, random, fetch: (url, init) => tsa.fetch(new Request(url, init)) },
    )
  return {
    signer: localSigner(generateSigningKey()),
    stranger: localSigner(generateSigningKey()),
    log: checkpointKey(generateCheckpointKey()),
    strangeLog: checkpointKey(generateCheckpointKey()),
    tsa,
    timestamp,
    stampAt: async (bytes, at) => {
      clock = new Date(at)
      const stamp = await timestamp(bytes, signal)
      clock = now
      if (stamp.status !== 'stamped') throw new Error(stamp.reason)
      return stamp.token
    },
  }
}

interface Fact {
  readonly at: string
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
}

interface Anchor {
  readonly size: number
  readonly note: string
  readonly token: Uint8Array<ArrayBuffer> | null
}

/** A chain as it is written; an anchor stamps all before it and becomes the next event. */
export interface Chronicle {
  readonly lines: readonly string[]
  readonly anchors: readonly Anchor[]
  readonly head: BundleManifest['ledger']['head']
  readonly origin: string
}

/** What happens, day by day. A number is an anchor, stamped at noon of that day of February. */
type Plot = readonly (Fact | number)[]

const day = (n: number, hour = '08') => `2026-02-${String(n).padStart(2, '0')}T${hour}:00:00.000Z`
const scanned = (n: number, scope = 'all'): Fact => ({
  at: day(n),
  type: 'discovery.scan-started',
  data: { count: n, scope },
})
const opened = (origin: string): Fact => ({
  at: day(1),
  type: 'ledger.opened',
  data: { origin, productVersion: '0.1.0' },
})
const named: Fact = {
  at: day(6),
  type: 'discovery.vault-scanned',
  data: { name: commitment(sha256, Uint8Array.fromHex(salt), '/data/name', SECRET_NAME) },
}
/** Events 1–3, anchor of 2 at noon of the first; the fifth commits to a name; anchors on the 10th and the 25th. */
const honest: Plot = [
  opened('real'),
  scanned(1),
  1,
  scanned(5),
  named,
  scanned(7),
  10,
  scanned(12),
  25,
  scanned(26),
]

export async function chronicle(
  world: World,
  plot: Plot = honest,
  {
    tenant = 'contoso',
    key = world.log,
    stamped = true,
    logName,
  }: {
    tenant?: string
    key?: CheckpointKey
    stamped?: boolean
    logName?: string
  } = {},
): Promise<Chronicle> {
  const tree = treeFrontier(sha256)
  const lines: string[] = []
  const anchors: Anchor[] = []
  let link = GENESIS_LINK
  let at = ''
  let origin = ''
  const add = ({ at: time, type, data }: Fact) => {
    const seq = lines.length + 1
    const event = canonical({
      by: { id: 'discovery', kind: 'service' },
      cause: { causation: 'c', correlation: 'c' },
      data,
      id: `018f0000-0000-7000-8000-${String(seq).padStart(12, '0')}`,
      v: 1,
    })
    const line = envelopeText({ at: time, event, position: 1, seq, stream: `s-${seq}`, tenant, type })
    const leaf = leafOf(sha256, line)
    if (seq === 1) origin = logName ?? logOrigin(tenant, leaf)
    link = linkOf(sha256, link, leaf)
    tree.push(leaf)
    lines.push(line)
    at = time
  }
  for (const step of plot) {
    if (typeof step !== 'number') {
      add(step)
      continue
    }
    const size = lines.length
    const note = key.note({ origin, size, root: tree.root() })
    const token = stamped ? await world.stampAt(text(note), day(step, '12')) : null
    anchors.push({ size, note, token })
    add({
      at: `2026-02-${String(step).padStart(2, '0')}T12:00:05.000Z`,
      type: 'evidence.anchored',
      data: { note, size, token: token?.toBase64() ?? null },
    })
  }
  return {
    lines,
    anchors,
    head: { seq: lines.length, link: toHex(link), root: toHex(tree.root()), at },
    origin,
  }
}

const disclosure = { open: [['/data/name', salt, SECRET_NAME]], seq: 5 }

/** Everything that a bundle of a chain is sealed from. */
export function partsOfChain(world: World, chain: Chronicle, more: Partial<BundleParts> = {}): BundleParts {
  const manifest = manifestOf(world.signer, {
    ...chain.head,
    lines: [...chain.lines],
    at: chain.head.at ?? '',
    name: '',
  })
  const sizes = chain.anchors.map(({ size }) => size)
  return {
    manifest: {
      ...manifest,
      period: PERIOD,
      ledger: {
        start: { seq: 0, link: toHex(GENESIS_LINK), at: null },
        head: chain.head,
        events: chain.lines.length,
        hidden: 0,
        anchors:
          sizes.length === 0
            ? null
            : { origin: chain.origin, verifier: verifierText(world.log.verifier(chain.origin)), sizes },
      },
    },
    data: new Map([
      ['report/asset-inventory.csv', csvBytes(columns, rows)],
      ['log/events.jsonl', text(chain.lines.map((line) => `${line}\n`).join(''))],
      ['log/start.json', text(`${canonical({ frontier: [], prev: toHex(GENESIS_LINK), size: 0 })}\n`)],
      ['log/disclosures.jsonl', text(`${canonical(disclosure)}\n`)],
      ...chain.anchors.flatMap(({ size, note, token }): [string, Uint8Array][] => [
        [`log/anchors/${size}.checkpoint`, text(note)],
        ...(token === null ? [] : [[`log/anchors/${size}.tsr`, token] satisfies [string, Uint8Array]]),
      ]),
    ]),
    print: async (tier) => printed(tier),
    signer: world.signer,
    hmacMaster: new Uint8Array(32).fill(9),
    timestamp: world.timestamp,
    tsaChainPem: world.tsa.chainPem,
    tsaRootsPem: world.tsa.rootPem,
    progress: () => undefined,
    signal,
    ...more,
  }
}

export const checkpointLine = (world: World, chain: Chronicle): string =>
  verifierText(world.log.verifier(chain.origin))

type Draft = Map<string, Uint8Array>

/** One attack: the archive that comes of it, what the auditor trusts, and which check finds it. */
export interface Attack {
  readonly name: string
  /** The check that fails; null: not caught by the bundle alone, and `docs/verification.md` says so. */
  readonly caught: string | null
  readonly zip: Uint8Array
  readonly trust: Trust
  /** Another bundle of the same ledger, which the auditor has. */
  readonly against: Uint8Array | null
}

/** All attacks, on fresh keys. The first is the honest bundle, which nothing must find fault with. */
export async function attacks(world: World): Promise<Attack[]> {
  const chain = await chronicle(world)
  const parts = partsOfChain(world, chain)
  const sealed = await sealInMemory(parts)
  const trust: Trust = {
    ...trustOf(world.signer, world.tsa),
    checkpointVerifiers: checkpointLine(world, chain),
    period: PERIOD,
  }
  const signature = sealed.files.get('sig/SHA256SUMS.es256') ?? text('')
  const oldToken = await world.stampAt(signature, '2026-02-27T00:00:00.000Z')
  const strangeTsa = await createTsa({ clock: () => now, random })
  const strangers = await chronicle(world, honest, { tenant: 'fabrikam' })
  const made: Attack[] = []
  const attack = (
    name: string,
    caught: string | null,
    zip: Uint8Array,
    more: Partial<Trust> = {},
    against: Uint8Array | null = null,
  ) => made.push({ name, caught, zip, trust: { ...trust, ...more }, against })

  /** By somebody without any key. */
  const tampered = (change: (files: Draft) => unknown): Uint8Array => {
    const files = new Map(sealed.files)
    change(files)
    return writeZip(files)
  }
  /** By an insider who holds the signing key: everything is made anew and stamped honestly today. */
  const resealed = async (
    change: (draft: { data: Draft; manifest: BundleManifest }) => unknown,
    more: Partial<BundleParts> = {},
    of = parts,
  ) => {
    const draft = {
      data: new Map(
        [...of.data].flatMap(([path, file]) => (file instanceof Uint8Array ? [[path, file]] : [])),
      ),
      manifest: structuredClone(of.manifest),
    }
    change(draft)
    return (await sealInMemory({ ...of, ...draft, ...more })).zip
  }
  const linesOf = (data: Draft) =>
    new TextDecoder().decode(data.get('log/events.jsonl')).trimEnd().split('\n')
  const withLines = (change: (lines: string[]) => string[]) =>
    resealed(({ data }) =>
      data.set(
        'log/events.jsonl',
        text(
          change(linesOf(data))
            .map((line) => `${line}\n`)
            .join(''),
        ),
      ),
    )
  /** The chain written anew by an insider with the database: other history, the hashes all right. */
  const rewritten = async (
    plot: Plot,
    more: Parameters<typeof chronicle>[2] = {},
    anchors?: readonly Anchor[],
  ) => {
    const other = await chronicle(world, plot, more)
    return (await sealInMemory(partsOfChain(world, anchors ? { ...other, anchors } : other))).zip
  }
  const patched = (zip: Uint8Array, from: string, to: string) =>
    Uint8Array.from(Buffer.from(Buffer.from(zip).toString('latin1').replaceAll(from, to), 'latin1'))

  attack('nothing: the honest bundle', null, sealed.zip)

  // Without any key.
  attack(
    'a file is changed',
    'files',
    tampered((f) => f.set('README.txt', text('other'))),
  )
  attack(
    'a file is added',
    'files',
    tampered((f) => f.set('report/extra.csv', text('x'))),
  )
  attack(
    'a file is dropped',
    'files',
    tampered((f) => f.delete('README.txt')),
  )
  attack(
    'the signature is stripped',
    'signature',
    tampered((f) => f.delete('sig/SHA256SUMS.es256')),
  )
  attack(
    'the period is widened in the signed list',
    'signature',
    tampered((f) =>
      f.set(
        'SHA256SUMS',
        text(new TextDecoder().decode(f.get('SHA256SUMS')).replace('/2026-02-20', '/2026-02-28')),
      ),
    ),
  )
  attack(
    'the list of files is taken out',
    'files',
    tampered((f) => f.delete('SHA256SUMS')),
  )
  const other = await sealInMemory({
    ...parts,
    hmacMaster: new Uint8Array(32),
    print: async (tier) => {
      const [[path, bytes] = ['', new Uint8Array()]] = printed(tier)
      return new Map([[path, Buffer.concat([bytes.subarray(0, -6), Buffer.from('other\n%%EOF\n')])]])
    },
  })
  attack(
    'the signature of another bundle is put in',
    'signature',
    tampered((f) => f.set('sig/SHA256SUMS.es256', other.files.get('sig/SHA256SUMS.es256') ?? text(''))),
  )
  attack(
    'the token of another bundle is put in',
    'timestamp',
    tampered((f) =>
      f.set('sig/SHA256SUMS.es256.tsr', other.files.get('sig/SHA256SUMS.es256.tsr') ?? text('')),
    ),
  )
  attack(
    'an old token is put in',
    'timestamp',
    tampered((f) => f.set('sig/SHA256SUMS.es256.tsr', oldToken)),
  )

  // Archives that two programs read in two ways.
  attack('bytes follow the archive', 'archive', Uint8Array.of(...sealed.zip, 0))
  attack('the archive is cut off', 'archive', sealed.zip.slice(0, -30))
  attack('a name climbs out of the folder', 'archive', patched(sealed.zip, 'README.txt', '../DME.txt'))
  attack(
    'a name stands twice',
    'archive',
    patched(
      tampered((f) => f.set('log/sturt.json', text('x'))),
      'log/sturt.json',
      'log/start.json',
    ),
  )
  attack(
    'two names differ in case alone',
    'archive',
    patched(
      tampered((f) => f.set('log/sturt.json', text('x'))),
      'log/sturt.json',
      'log/Start.json',
    ),
  )
  attack('a file is a link', 'archive', linked(sealed.zip))
  attack('a file is a bomb', 'archive', inflated(sealed.zip))

  // Keys and authorities.
  attack(
    'an insider signs with a key of his own',
    'signature',
    await resealed(
      ({ manifest }) => {
        manifest.signing.keyId = world.stranger.keyId
        manifest.signing.fingerprint = sha256(
          Uint8Array.fromBase64(world.stranger.publicKeyPem.split('\n').slice(1, -2).join('')),
        ).toHex()
      },
      { signer: world.stranger },
    ),
  )
  attack('no key is given: the bundle’s own copy proves nothing', 'signature', sealed.zip, {
    signerPublicKeyPem: null,
  })
  attack('the key was retired before the bundle was made', 'signature', sealed.zip, {
    signerPublicKeyPem: `Used: 2025-01-01T00:00:00Z to 2026-01-01T00:00:00Z\n${world.signer.publicKeyPem}`,
  })
  attack('another authority’s root is trusted', 'timestamp', sealed.zip, { tsaRootsPem: strangeTsa.rootPem })
  for (const [name, way] of [
    ['a code-signing certificate stamped it', 'code-signing-eku'],
    ['the stamping certificate may do other things', 'extra-eku'],
    ['the token does not bind its certificate', 'missing-ess-cert-id'],
    ['bytes follow the token', 'trailing-bytes'],
    ['the token’s signature does not hold', 'bad-signature'],
    ['two signed the token', 'two-signers'],
    ['the stamping certificate had expired', 'expired-certificate'],
  ] satisfies [string, Behaviour][])
    attack(
      name,
      'timestamp',
      writeZip(new Map(sealed.files).set('sig/SHA256SUMS.es256.tsr', await answerOf(world, way, signature))),
    )

  // The manifest and the reports, by an insider with the key.
  attack(
    'the manifest is of an older format',
    'manifest',
    await relisted(world, sealed.files, (f) =>
      f.set('manifest.json', text(manifestText(parts.manifest).replace('bundle/v1', 'bundle/v0'))),
    ),
  )
  attack(
    'the manifest repeats a key',
    'manifest',
    await relisted(world, sealed.files, (f) =>
      f.set(
        'manifest.json',
        text(manifestText(parts.manifest).replace('{', '{\n  "bundle": "bundle-ffffffff",')),
      ),
    ),
  )
  attack(
    'a CSV is swapped',
    'reports',
    await relisted(world, sealed.files, (f) =>
      f.set(
        'report/asset-inventory.csv',
        csvBytes(columns, [
          ['a', 'key'],
          ['b', 'secret'],
        ]),
      ),
    ),
  )
  attack(
    'the period is trimmed',
    'period',
    await resealed(({ manifest }) => {
      manifest.period = { ...manifest.period, from: '2026-02-08T00:00:00.000Z' }
    }),
  )
  attack(
    'a PDF is updated after it was made',
    'printed',
    await relisted(world, sealed.files, (f) =>
      f.set(
        'report/asset-inventory.pdf',
        Buffer.concat([f.get('report/asset-inventory.pdf') ?? text(''), Buffer.from('more\n%%EOF\n')]),
      ),
    ),
  )
  attack(
    'a PDF says stamped while it is pending',
    'printed',
    await relisted(world, sealed.files, (f) => f.delete('DATA.tsr')),
  )

  // The ledger, by an insider with the key.
  attack(
    'an event is edited',
    'head',
    await withLines((l) => l.map((line) => line.replace('"count":5', '"count":6'))),
  )
  attack('an event is deleted', 'chain', await withLines((l) => l.toSpliced(3, 1)))
  attack('an event is inserted', 'chain', await withLines((l) => l.toSpliced(3, 0, l[3] ?? '')))
  attack(
    'two events change places',
    'chain',
    await withLines(([a = '', b = '', c = '', d = '', ...rest]) => [a, b, d, c, ...rest]),
  )
  attack('the end is cut off', 'head', await withLines((l) => l.slice(0, -1)))
  attack(
    'an event repeats a key',
    'chain',
    await withLines((l) => l.map((line) => line.replace('"count":5', '"count":5,"count":5'))),
  )
  attack(
    'an event is spaced otherwise',
    'chain',
    await withLines((l) => l.map((line) => line.replace('"count":5', '"count": 5'))),
  )
  attack(
    'an event holds a float',
    'chain',
    await withLines((l) => l.map((line) => line.replace('"count":5', '"count":5.0'))),
  )
  attack(
    'an event holds 2^53+1',
    'chain',
    await withLines((l) => l.map((line) => line.replace('"count":5', '"count":9007199254740993'))),
  )
  attack(
    'an event holds half a character',
    'chain',
    await withLines((l) => l.map((line) => line.replace('"scope":"all"', '"scope":"\\ud800"'))),
  )
  attack(
    'another tenant’s ledger is put in',
    'chain',
    await resealed(({ data }) =>
      data.set('log/events.jsonl', text(strangers.lines.map((l) => `${l}\n`).join(''))),
    ),
  )
  attack(
    'a disclosed name is forged',
    'disclosures',
    await resealed(({ data }) =>
      data.set(
        'log/disclosures.jsonl',
        text(`${canonical({ ...disclosure, open: [['/data/name', salt, 'other']] })}\n`),
      ),
    ),
  )
  attack(
    'a disclosed name is spelt with other code points',
    'disclosures',
    await resealed(({ data }) =>
      data.set(
        'log/disclosures.jsonl',
        text(`${canonical({ ...disclosure, open: [['/data/name', salt, SECRET_NAME.normalize('NFD')]] })}\n`),
      ),
    ),
  )
  attack('a demonstration poses as real', 'origin', await rewritten([opened('demo'), ...honest.slice(1)]), {
    checkpointVerifiers: checkpointLine(world, await chronicle(world, [opened('demo'), ...honest.slice(1)])),
  })

  // Anchors.
  const history: Plot = [
    opened('real'),
    scanned(1),
    1,
    scanned(5),
    named,
    scanned(7, 'few'),
    10,
    scanned(12),
    25,
    scanned(26),
  ]
  attack(
    'history before an anchor is rewritten and signed again, the old anchors kept',
    'anchors',
    await rewritten(history, {}, chain.anchors),
  )
  attack(
    'the same, with the tokens of the old checkpoints',
    'anchor-times',
    await rewritten(history, { stamped: false }, await forgedNotes(world, history, chain.anchors)),
  )
  attack(
    'the same by somebody without the log’s key',
    'anchors-signed',
    await rewritten(history, { key: world.strangeLog }),
  )
  attack('the log’s key is another', 'anchors-signed', sealed.zip, {
    checkpointVerifiers: verifierText(world.strangeLog.verifier(chain.origin)),
  })
  attack(
    'an anchor is missing',
    'anchors',
    await resealed(({ data }) => data.delete('log/anchors/6.checkpoint')),
  )
  attack(
    'an anchor is moved to another place',
    'anchors',
    await resealed(({ data }) =>
      data.set('log/anchors/6.checkpoint', data.get('log/anchors/2.checkpoint') ?? text('')),
    ),
  )
  attack(
    'the tokens of two anchors are swapped',
    'anchor-times',
    await resealed(({ data }) => {
      const [a, b] = [data.get('log/anchors/2.tsr'), data.get('log/anchors/6.tsr')]
      data.set('log/anchors/2.tsr', b ?? text('')).set('log/anchors/6.tsr', a ?? text(''))
    }),
  )
  attack(
    'the token of an anchor is taken out',
    'anchor-times',
    await resealed(({ data }) => data.delete('log/anchors/6.tsr')),
  )
  attack(
    'the anchors are of another tenant’s log',
    'anchors',
    await rewritten(honest, { logName: strangers.origin }),
  )
  attack(
    'events are backdated to before an anchor that the chain already holds',
    'anchor-times',
    await backdated(world),
  )
  attack(
    'the newest anchors are left out, to hide what came after',
    'period',
    await rewritten(honest.slice(0, 8)),
  )
  const fork = await chronicle(world, [...honest.slice(0, -1), scanned(26, 'few')])
  const forked = (await sealInMemory(partsOfChain(world, fork))).zip
  attack(
    'events since the last anchor are rewritten, and the auditor holds another bundle',
    'known',
    forked,
    {},
    sealed.zip,
  )
  attack('events since the last anchor are rewritten, and nobody holds anything', null, forked)
  return made
}

/** Notes of a rewritten chain, signed with the log's key, beside the tokens of the notes that they replace. */
async function forgedNotes(world: World, plot: Plot, old: readonly Anchor[]): Promise<Anchor[]> {
  const { anchors } = await chronicle(world, plot, { stamped: false })
  return anchors.map((anchor, i) => ({ ...anchor, token: old[i]?.token ?? null }))
}

/** An insider writes, after the anchor of the 25th, events that claim to be of the 11th. */
async function backdated(world: World): Promise<Uint8Array> {
  const first: Plot = [opened('real'), scanned(1), 1, scanned(5), named, scanned(7)]
  const chain = await chronicle(world, [...first, 10, scanned(12), 25])
  // The last anchor's own event claims the 13th, so that what follows may claim any time after it.
  const lines = [...chain.lines]
  const last = lines.at(-1)?.replace('2026-02-25T12:00:05', '2026-02-13T12:00:05') ?? ''
  const tree = treeFrontier(sha256)
  let link = GENESIS_LINK
  lines.splice(-1, 1, last)
  for (const line of lines) {
    const leaf = leafOf(sha256, line)
    link = linkOf(sha256, link, leaf)
    tree.push(leaf)
  }
  const head = {
    seq: lines.length,
    link: toHex(link),
    root: toHex(tree.root()),
    at: '2026-02-13T12:00:05.000Z',
  }
  return (await sealInMemory(partsOfChain(world, { ...chain, lines, head }))).zip
}

/** The bundle with both lists and the signature made anew over changed files; nothing is stamped again. */
async function relisted(
  world: World,
  files: ReadonlyMap<string, Uint8Array>,
  change: (files: Draft) => unknown,
): Promise<Uint8Array> {
  const draft: Draft = new Map(files)
  change(draft)
  const list = (omit: (path: string) => boolean, header?: ReturnType<typeof headerOf>) =>
    text(
      writeSums(
        [...draft]
          .filter(([path]) => !omit(path))
          .map(([path, bytes]) => ({ path, sha256: sha256(bytes).toHex() })),
        header,
      ),
    )
  draft.set(
    'DATA.SHA256SUMS',
    list((path) => /^(sig\/|SHA256SUMS$|DATA\.)|\.pdf$/.test(path)),
  )
  const header = new TextDecoder().decode(files.get('SHA256SUMS')).split('\n')[0] ?? ''
  const [, bundleId = '', report = '', from = '', to = ''] =
    /^# \S+ (\S+) (\S+) (\S+)\/(\S+)$/.exec(header) ?? []
  const sums = list((path) => path.startsWith('sig/') || path === 'SHA256SUMS', {
    bundleId,
    report,
    from,
    to,
  })
  draft.set('SHA256SUMS', sums)
  draft.set('sig/SHA256SUMS.es256', await world.signer.sign(sums, signal))
  return writeZip(draft)
}

/** What an authority that behaves so answers, unlooked at. */
async function answerOf(world: World, way: Behaviour, over: Uint8Array): Promise<Uint8Array> {
  const tsa = await createTsa({ clock: () => now, random, saved: world.tsa.saved, behaviour: () => way })
  const response = await tsa.fetch(
    new Request('http://a.invalid/tsa', {
      method: 'POST',
      headers: { 'content-type': 'application/timestamp-query' },
      body: timestampQuery(sha256(over), timestampNonce(random)),
    }),
  )
  return new Uint8Array(await response.arrayBuffer())
}

/** The first file of the archive as one that says it unpacks to two gigabytes. */
function inflated(zip: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(zip)
  const at = Buffer.from(bytes).indexOf(Buffer.from('504b0102', 'hex'))
  new DataView(bytes.buffer).setUint32(at + 24, 0x7fffffff, true)
  return bytes
}

/** The first file of the archive as a symbolic link, in its directory entry. */
function linked(zip: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(zip)
  const at = Buffer.from(bytes).indexOf(Buffer.from('504b0102', 'hex'))
  new DataView(bytes.buffer).setUint32(at + 38, 0xa1ff0000, true)
  return bytes
}
