import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { mergeFonts } from './merge-fonts.ts'
import type { PdfFonts } from './page.ts'
import { sfntOf } from './woff.ts'

/** Scripts that are printed, the most common first; the packages have a file for each. */
const SCRIPTS = ['latin', 'latin-ext', 'greek', 'cyrillic', 'cyrillic-ext', 'vietnamese'] as const

let loaded: Promise<PdfFonts> | null = null

/**
 * IBM Plex (SIL Open Font License 1.1) as its packages ship it: Latin, Greek, Cyrillic and Vietnamese in one font a face;
 * the monospaced face, in which only digests and commands are set, in Latin. Read once.
 * @throws when a package is not installed
 */
export function loadFonts(): Promise<PdfFonts> {
  loaded ??= load().catch((error: unknown) => {
    // What could not be read is tried again at the next need.
    loaded = null
    throw error
  })
  return loaded
}

async function load(): Promise<PdfFonts> {
  const read = async (path: string) => sfntOf(await readFile(fileURLToPath(import.meta.resolve(path))))
  const sans = async (weight: 400 | 600) =>
    mergeFonts(
      await Promise.all(
        SCRIPTS.map((script) =>
          read(`@fontsource/ibm-plex-sans/files/ibm-plex-sans-${script}-${weight}-normal.woff`),
        ),
      ),
    )
  const [regular, bold, mono] = await Promise.all([
    sans(400),
    sans(600),
    read('@fontsource/ibm-plex-mono/files/ibm-plex-mono-latin-400-normal.woff'),
  ])
  return { regular, bold, mono }
}
