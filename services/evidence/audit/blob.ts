import type { AppendBlobClient, ContainerClient } from '@azure/storage-blob'
import { type AzureAccess, azureFailure, httpStatusOf } from '@attestry/kit/azure'
import * as z from 'zod'
import { jsonLine } from './record.ts'
import type { AuditSink, Entry, SinkState } from './sink.ts'

/*
 * An append blob an hour and tenant: `acme/2026/11/26/04.jsonl`. Each append says at which byte it must begin, so two
 * processes, or one that crashed between an append and its cursor, never write an entry twice: the blob itself is then
 * asked for the last entry it holds.
 */

const State = z.object({ blob: z.string(), size: z.number() })

/** Where an entry goes. */
export const blobNameOf = (entry: Entry): string =>
  `${entry.tenant}/${entry.at.slice(0, 13).replaceAll('-', '/').replace('T', '/')}.jsonl`

/** The seq of the last whole line of a blob's end. */
export function lastSeqOf(text: string): number | null {
  const lines = text.split('\n')
  // What stands after the last newline is no whole line.
  for (let i = lines.length - 2; i >= 0; i--) {
    const seq = /^\{"seq":(\d{1,15}),/.exec(lines[i] ?? '')?.[1]
    if (seq !== undefined) return Number(seq)
  }
  return null
}

/** More than one line of ours can be: an event holds at most 128 kB, and its values may lie beside it once more. */
const TAIL_BYTES = 1_000_000

async function contentOf(
  blob: AppendBlobClient,
  from: number,
  size: number,
  signal: AbortSignal,
): Promise<string> {
  const answer = await blob.download(from, size - from, { abortSignal: signal })
  const chunks: Uint8Array[] = []
  // In Node the body is a stream, whatever else its type admits.
  for await (const chunk of answer.readableStreamBody as AsyncIterable<Uint8Array>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

export interface BlobOptions {
  /** Address of a container; with a shared access signature in its query, or reached with the identity. */
  readonly container: string
  readonly credential: () => AzureAccess['credential']
}

export function blobSink({ container, credential }: BlobOptions): AuditSink {
  const url = new URL(container)
  let client: Promise<ContainerClient> | null = null
  const open = async (): Promise<ContainerClient> => {
    // Loaded when it is needed first: few installs have this target.
    const { AnonymousCredential, ContainerClient: Client } = await import('@azure/storage-blob')
    return new Client(container, url.searchParams.has('sig') ? new AnonymousCredential() : credential(), {
      retryOptions: { maxTries: 2, tryTimeoutInMs: 15_000 },
    })
  }
  const opened = () => (client ??= open())

  /** What the blob holds already, where it is not what we remember. */
  const lookAgain = async (
    blob: AppendBlobClient,
    first: Entry,
    signal: AbortSignal,
  ): Promise<{ through: number; size: number }> => {
    const { contentLength: size = 0 } = await blob.getProperties({ abortSignal: signal })
    const last =
      size === 0 ? null : lastSeqOf(await contentOf(blob, Math.max(0, size - TAIL_BYTES), size, signal))
    return { through: Math.max(last ?? 0, first.seq - 1), size }
  }

  return {
    target: 'blob',
    where: `${url.origin}${url.pathname}`,
    most: 500,
    async deliver(entries, state: SinkState, signal) {
      const first = entries[0]
      if (!first) throw new Error('a delivery holds an entry at least')
      const name = blobNameOf(first)
      const blob = (await opened()).getAppendBlobClient(name)
      const known = State.safeParse(state)
      let size = known.success && known.data.blob === name ? known.data.size : null
      if (size === null) {
        const created = await blob.createIfNotExists({
          abortSignal: signal,
          blobHTTPHeaders: { blobContentType: 'application/x-ndjson' },
        })
        if (created.succeeded) size = 0
        else {
          const found = await lookAgain(blob, first, signal)
          if (found.through >= first.seq)
            return { through: found.through, state: { blob: name, size: found.size } }
          size = found.size
        }
      }
      const next = entries.findIndex((e) => blobNameOf(e) !== name)
      const same = next === -1 ? entries : entries.slice(0, next)
      const text = Buffer.from(same.map(jsonLine).join(''))
      try {
        await blob.appendBlock(text, text.length, {
          abortSignal: signal,
          conditions: { appendPosition: size },
        })
      } catch (error) {
        if (httpStatusOf(error) !== 412) throw azureFailure(error)
        const found = await lookAgain(blob, first, signal)
        return { through: found.through, state: { blob: name, size: found.size } }
      }
      return { through: same.at(-1)?.seq ?? first.seq, state: { blob: name, size: size + text.length } }
    },
    close() {},
  }
}
