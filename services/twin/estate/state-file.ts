import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { JWK } from 'jose'
import type { Estate } from './estate.ts'

/** What a kept cloud consists of: its estate, and the keys without which tokens of the last run would be refused. */
export interface KeptCloud {
  readonly format: 1
  readonly estate: Estate
  readonly signingKey: JWK
  readonly identityHeader: string
}

/**
 * Reads a kept cloud.
 * @returns undefined when there is no such file
 * @throws Error naming the file when it is not a whole state of this format
 */
export async function readState(file: string): Promise<KeptCloud | undefined> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  try {
    const parsed: unknown = JSON.parse(text)
    if (
      typeof parsed === 'object' &&
      parsed !== null &&
      'format' in parsed &&
      parsed.format === 1 &&
      'estate' in parsed &&
      'signingKey' in parsed &&
      'identityHeader' in parsed
    )
      // Written by `writeState` alone, whole or not at all; the format number says that the shapes are these.
      return grown(parsed as KeptCloud)
  } catch (error) {
    throw new Error(`${file} is not a kept cloud: it is not JSON. Remove it to seed a new one.`, {
      cause: error,
    })
  }
  throw new Error(`${file} is not a kept cloud of format 1. Remove it to seed a new one.`)
}

/** A cloud that an older version kept, with what has been added to estates since. */
function grown(kept: KeptCloud): KeptCloud {
  // What an older file lacks is undefined there, whatever the types say.
  const estate: Partial<Estate> & Estate = kept.estate
  const now = estate.seededAt
  return {
    ...kept,
    estate: {
      ...estate,
      storageAccounts: estate.storageAccounts ?? [],
      serviceBusNamespaces: estate.serviceBusNamespaces ?? [],
      signIns: estate.signIns ?? {},
      appManagementPolicy: estate.appManagementPolicy ?? {
        enabled: false,
        passwordAddition: true,
        maxPasswordDays: null,
        maxKeyDays: null,
      },
      servicePrincipals: estate.servicePrincipals.map((one) => ({ ...one, owners: one.owners ?? [] })),
      sites: estate.sites.map((one) => ({
        ...one,
        revision: one.revision ?? 1,
        fetched: one.fetched ?? {},
      })),
      containerApps: estate.containerApps.map((one) => ({
        ...one,
        fetched: one.fetched ?? {},
        mode: one.mode ?? 'Single',
        revisions: one.revisions ?? [
          {
            name: `${one.name}--0000001`,
            createdAt: now,
            readyAt: now * 1000,
            active: true,
            healthy: true,
            weight: 100,
            holds: {},
          },
        ],
      })),
    },
  }
}

/** Writes beside the file and renames, so that a crash leaves the old state or the new one, never half of one. */
export async function writeState(file: string, state: KeptCloud): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  const beside = `${file}.${process.pid}.tmp`
  await writeFile(beside, JSON.stringify(state), { mode: 0o600 })
  await rename(beside, file)
}
