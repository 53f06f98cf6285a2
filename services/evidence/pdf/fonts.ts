import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { PdfFonts } from './page.ts'
import { sfntOf } from './woff.ts'

/**
 * IBM Plex (SIL Open Font License 1.1) as its packages ship it, in the Latin subset. Reads three files of about
 * 20 kB; throws when a package is not installed.
 */
export async function loadFonts(): Promise<PdfFonts> {
  const read = async (path: string) => sfntOf(await readFile(fileURLToPath(import.meta.resolve(path))))
  const [regular, bold, mono] = await Promise.all([
    read('@fontsource/ibm-plex-sans/files/ibm-plex-sans-latin-400-normal.woff'),
    read('@fontsource/ibm-plex-sans/files/ibm-plex-sans-latin-600-normal.woff'),
    read('@fontsource/ibm-plex-mono/files/ibm-plex-mono-latin-400-normal.woff'),
  ])
  return { regular, bold, mono }
}
