import { zipSync } from 'fflate'
import type { Files } from './zip.ts'

/** An archive of small files, as another program packs it: what the tests change, and hold our own packer to. */
export function writeZip(files: Files): Uint8Array<ArrayBuffer> {
  const sorted = [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))
  // fflate writes local time, so the date is given in local time: the bytes then say 1980-01-01 00:00 everywhere.
  return Uint8Array.from(zipSync(Object.fromEntries(sorted), { level: 6, mtime: new Date(1980, 0, 1) }))
}
