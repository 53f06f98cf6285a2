import { cleanEstate } from './clean.ts'
import { contosoEstate } from './contoso.ts'
import type { Estate } from './estate.ts'
import { workshopEstate } from './workshop.ts'

/** The seeded estates; every date in them is relative to `nowMs`. */
export const seededEstates = {
  contoso: contosoEstate,
  clean: cleanEstate,
  workshop: workshopEstate,
} as const satisfies Record<string, (nowMs: number) => Estate>

export type SeededName = keyof typeof seededEstates

export const seededEstate = (nowMs: number, name: SeededName = 'contoso'): Estate =>
  seededEstates[name](nowMs)
