import { open } from 'node:fs/promises'
import type { BundleSource } from './bundle-source.ts'
import type { ZipLimits } from './zip.ts'
import { openZip } from './zip-source.ts'

/** An archive on disk whose files are read piece by piece. */
export interface ZipFile extends AsyncDisposable {
  readonly source: BundleSource | { readonly problem: string }
}

/**
 * Opens an archive on disk without reading it into memory.
 * @throws when the file cannot be read
 */
export async function openZipFile(path: string, limits: ZipLimits = {}): Promise<ZipFile> {
  const file = await open(path, 'r')
  const read = async (from: number, to: number) => {
    const bytes = new Uint8Array(to - from)
    let at = 0
    // Ends: every turn reads something, or the file is at its end.
    while (at < bytes.length) {
      const { bytesRead } = await file.read(bytes, at, bytes.length - at, from + at)
      if (bytesRead === 0) break
      at += bytesRead
    }
    return bytes.subarray(0, at)
  }
  const { size } = await file.stat()
  return {
    source: await openZip({ size, read }, limits),
    [Symbol.asyncDispose]: () => file.close(),
  }
}
