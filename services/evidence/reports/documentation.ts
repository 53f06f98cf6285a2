import { reports } from './catalog.ts'

const KIND = {
  events: 'A row an event of the period, in the order of the chain.',
  posture: 'A row a stretch of time in which a state held; both ends of the period are marked.',
} as const

/** A cell of a Markdown table. */
const cell = (text: string): string => text.replaceAll('|', '\\|')

/** `docs/reports.md`: every report with its columns and limits, from the tables that the reports are made by. */
export const reportsPage = (): string =>
  [
    '# Reports',
    'Ten reports, each a pure fold of the ledger alone. A bundle has each as CSV, JSON and PDF; the manifest carries the same tables as this page, which is made from them (`npx vitest run services/evidence/reports/documentation.test.ts --update`).',
    'Every cell is text in the CSV; in the JSON whole numbers and yes or no are such, and an empty cell is null. An empty cell is "not known" or "does not apply". Instants are ISO 8601 in UTC.',
    '`GET /api/evidence/reports/<name>?from=…&to=…&format=csv|json|pdf|oscal` gives one report by itself, CSV and JSON streamed; `framework`, `subscriptions` and `vaults` (parted by commas) narrow it, and OSCAL is of `rule-violations` for a framework. It is for looking and for other programs: the rows are those of a bundle, but nothing is signed or stamped, and the print says so. Each is an event.',
    ...Object.values(reports).map(({ type, title, says, kind, columns, limits }) =>
      [
        `## ${title}\n`,
        `\`${type}\`. ${says} ${KIND[kind]}\n`,
        '| column | type | unit | what it holds | event and field |',
        '|---|---|---|---|---|',
        ...columns.map(
          (c) => `| \`${c.name}\` | ${c.type} | ${c.unit ?? ''} | ${cell(c.says)} | ${cell(c.source)} |`,
        ),
        '\nWhat it does not prove:\n',
        ...limits.map((limit) => `- ${limit}`),
      ].join('\n'),
    ),
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n')
