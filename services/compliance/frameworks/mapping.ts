import { createHash } from 'node:crypto'
import { canonical, type Fact, fact, type FrameworkStatement } from '@attestry/contracts'
import { frameworks } from './frameworks.ts'

/**
 * The mapping from rules to frameworks as it goes into the chain, so that evidence for a framework can be made, and
 * made again, from the chain alone.
 */
const statements: FrameworkStatement[] = frameworks.map(({ id, title, limits, controls }) => ({
  framework: id,
  title,
  limits,
  controls: controls.map((c) => ({
    control: c.id,
    title: c.title,
    published: [...c.published],
    relation: c.relation,
    note: c.note,
    coverage: c.coverage,
    customerAction: c.customerAction,
    rules: [...c.rules],
  })),
}))

/** Hexadecimal SHA-256 of the mapping's canonical text. */
export const mappingDigest = createHash('sha256').update(canonical(statements)).digest('hex')

/** The fact that adopts today's mapping; none where it is the one that was adopted last. */
export const adoption = (adopted: string | null): Fact[] =>
  adopted === mappingDigest
    ? []
    : [fact('compliance.frameworks-adopted', { mappingDigest, frameworks: statements })]
