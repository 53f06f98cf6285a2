import type { BundleManifest } from '@attestry/contracts'
import type { BundleSource } from './bundle-source.ts'
import type { Say, Skip, Trust } from './verdict.ts'
import { periodCovered, readVerifiers, verifyAnchors } from './verify-anchors.ts'
import { type LogFindings, verifyLog } from './verify-log.ts'
import { tokenVerdict } from './verify-signatures.ts'
import type { Files } from './zip.ts'

/*
 * The ledger in a bundle: chain, anchors, period, and whether the rows follow from it.
 */

export async function checkLog(
  source: BundleSource,
  files: Files,
  manifest: BundleManifest,
  trust: Trust,
  say: Say,
  skip: Skip,
): Promise<void> {
  const found = await verifyLog(source, manifest, trust.sha256, trust.known ?? [])
  const shown = `${found.events} events, ${found.hidden} of them without their body`
  if (!say('chain', 'The ledger is one unbroken chain', found.chain, shown)) return
  say(
    'head',
    'The chain ends where the manifest says',
    found.head,
    `event ${manifest.ledger.head.seq}, ${manifest.ledger.head.link}`,
  )
  say(
    'disclosures',
    'Every disclosed value is the one that was recorded',
    found.disclosures,
    `${found.disclosed} values`,
  )
  const origin = 'The chain is of the origin that the manifest says'
  if (found.origin === undefined) skip('origin', origin, 'the opening event is not in this export')
  else say('origin', origin, found.origin, manifest.origin)
  const known = 'The chain holds the places you knew before'
  if (found.known === undefined) skip('known', known, 'no place inside this export was given')
  else say('known', known, found.known, 'nothing was rewritten before them')
  await checkAnchors(files, manifest, found, trust, say, skip)
  const rederived = 'Each CSV follows from the events'
  if (trust.rederive === undefined) return skip('rederived', rederived, 'not asked for')
  const made = await trust.rederive(source, manifest)
  const problem = 'problem' in made ? made.problem : rederivedProblem(manifest, made)
  say('rederived', rederived, problem, 'made anew, the same bytes')
}

function rederivedProblem(manifest: BundleManifest, made: ReadonlyMap<string, string>): string | null {
  for (const { path, sha256 } of manifest.reports.flatMap(({ csv }) => csv)) {
    const again = made.get(path)
    if (again === undefined) return `the events give no ${path}`
    if (again !== sha256) return `the events give other rows than ${path} has`
  }
  return null
}

async function checkAnchors(
  files: Files,
  manifest: BundleManifest,
  log: LogFindings,
  trust: Trust,
  say: Say,
  skip: Skip,
): Promise<void> {
  const given = trust.checkpointVerifiers
  const verifiers = given === undefined ? null : readVerifiers(trust.sha256, given)
  const found = await verifyAnchors(files, manifest, log, {
    verifiers,
    stampOf: async (token, over) => {
      const verdict = await tokenVerdict(token, over, trust, 0)
      return verdict.ok ? { genTime: verdict.details.genTime } : { problem: verdict.reason }
    },
  })
  const count = manifest.ledger.anchors?.sizes.length ?? 0
  const titles = {
    anchors: 'Every checkpoint is of this chain',
    signed: 'Checkpoints are signed with the log’s key you were given',
    times: 'The times of the checkpoints fit the events around them',
    period: 'Nothing of the period is missing',
  }
  if (count === 0 && found.places === null) {
    skip('anchors', titles.anchors, 'there is no checkpoint in this bundle')
  } else if (say('anchors', titles.anchors, found.places, `${count} checkpoints`)) {
    if (given !== undefined && verifiers === null)
      say('anchors-signed', titles.signed, 'the key that was given is no verifier’s line', '')
    else if (found.signed === undefined) skip('anchors-signed', titles.signed, 'no checkpoint key given')
    else say('anchors-signed', titles.signed, found.signed, manifest.ledger.anchors?.origin ?? '')
    const pending = count - found.stamped.length
    say(
      'anchor-times',
      titles.times,
      found.times,
      `${found.stamped.length} stamped${pending > 0 ? `, ${pending} PENDING` : ''}`,
    )
  }
  const period = trust.period ?? manifest.period
  const outside =
    Date.parse(period.from) < Date.parse(manifest.period.from) ||
    Date.parse(period.to) > Date.parse(manifest.period.to)
  if (Number.isNaN(Date.parse(period.from)) || Number.isNaN(Date.parse(period.to)))
    return void say('period', titles.period, 'the period that was given is not two instants', '')
  if (outside)
    return void say(
      'period',
      titles.period,
      `the bundle is of ${manifest.period.from} to ${manifest.period.to}, less than you asked for`,
      '',
    )
  const covered = periodCovered(period, log, found.stamped)
  if (covered.complete) say('period', titles.period, null, covered.detail)
  else if (trust.period) say('period', titles.period, covered.detail, '')
  else skip('period', titles.period, covered.detail)
}
