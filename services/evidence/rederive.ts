import { createHash } from 'node:crypto'
import {
  type BundleManifest,
  bundlePaths,
  canonical,
  DisclosureLine,
  fromHex,
  GENESIS_LINK,
  leafOf,
  linkOf,
  MAX_ENVELOPE_BYTES,
} from '@attestry/contracts'
import { type ChainEvent, messageOf, openRecorded } from '@attestry/kit'
import { sha256 } from '@attestry/kit/ledger'
import { type BundleSource, linesOf } from './bundle-source.ts'
import { gather } from './gather.ts'
import type { Sink } from './written-file.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const LEAF_LINE = /^\{"leaf":"([0-9a-f]{64})"\}$/

/** The lines of a file one by one. */
async function* each(source: BundleSource, path: string, longest: number): AsyncGenerator<string> {
  for await (const lines of linesOf(source.chunks(path), longest))
    for (const line of lines) yield utf8.decode(line)
}

/** The chain of an export as a walk over the database would give it: what was not disclosed reads as erased. */
async function* chainOf(source: BundleSource): AsyncGenerator<ChainEvent[]> {
  const disclosures = each(source, bundlePaths.disclosures, 4 * MAX_ENVELOPE_BYTES)
  const nextDisclosure = async () => {
    const { value } = await disclosures.next()
    return typeof value === 'string' ? DisclosureLine.parse(JSON.parse(value)) : null
  }
  let opened = await nextDisclosure()
  let link: Uint8Array = GENESIS_LINK
  let seq = 0
  let at = ''
  for await (const line of each(source, bundlePaths.events, MAX_ENVELOPE_BYTES + 1)) {
    seq++
    const hidden = fromHex(LEAF_LINE.exec(line)?.[1] ?? '-')
    const leaf = hidden ?? leafOf(sha256, line)
    link = linkOf(sha256, link, leaf)
    const beside = opened?.seq === seq ? canonical(opened.open) : null
    if (beside !== null) opened = await nextDisclosure()
    const envelope = hidden === null ? line : null
    const event = envelope === null ? null : openRecorded({ envelope, private: beside })
    at = event?.at ?? at
    yield [{ seq, at, envelope, leaf, link, private: beside, event }]
  }
}

const nowhere: Sink = { write: () => undefined, close: () => undefined }

/**
 * Makes every CSV of a bundle again from the events in it, with the very code that made them, and gives their digests.
 * It shows that the rows follow from the events; that the code does what the report says is for its reader to judge.
 */
export async function rederive(
  source: BundleSource,
  manifest: BundleManifest,
): Promise<ReadonlyMap<string, string> | { readonly problem: string }> {
  if (manifest.ledger.start.seq !== 0)
    return { problem: 'the export does not begin with the first event: what was known before is not in it' }
  try {
    const { scope, framework } = manifest.request
    const made = await gather(
      chainOf(source),
      {
        reports: manifest.reports.map(({ type }) => type),
        period: manifest.period,
        scope,
        framework,
        formats: ['csv'],
      },
      { open: () => nowhere, hash: () => createHash('sha256') },
      () => undefined,
    )
    return new Map(made.reports.flatMap(({ csv }) => csv.map((part) => [part.path, part.sha256] as const)))
  } catch (error) {
    // The chain was verified before: what does not fold is a difference of versions, and is told as such.
    return { problem: `the events could not be folded by this version: ${messageOf(error)}` }
  }
}
