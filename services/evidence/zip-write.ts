import { zipSync } from 'fflate'
import { type Files, pathsProblem } from './zip.ts'

/**
 * Packs files so that the same files always give the same bytes, in any time zone: sorted, all of one fixed date.
 * @throws RangeError for a path that `readZip` would refuse
 */
export function writeZip(files: Files): Uint8Array<ArrayBuffer> {
  const sorted = [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const problem = pathsProblem(sorted.map(([path]) => path))
  if (problem !== null) throw new RangeError(problem)
  // fflate writes local time, so the date is given in local time: the bytes then say 1980-01-01 00:00 everywhere.
  return Uint8Array.from(zipSync(Object.fromEntries(sorted), { level: 6, mtime: new Date(1980, 0, 1) }))
}
