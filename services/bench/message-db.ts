import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from '../kit/postgres.ts'

/*
 * message-db as a peer. No package of the registry carries its SQL, so it is measured where a folder of it is given:
 * `ATTESTRY_BENCH_MESSAGE_DB=…/message-db/database npm run bench -- ledger`.
 * @see https://github.com/message-db/message-db
 */

/** In the order of its own install.sh; what only reads or prints is left out. */
const FILES = [
  'roles/message-store',
  'schema/message-store',
  'tables/messages',
  'types/message',
  'functions/hash-64',
  'functions/acquire-lock',
  'functions/category',
  'functions/is-category',
  'functions/id',
  'functions/cardinal-id',
  'functions/stream-version',
  'functions/write-message',
  'indexes/messages-category',
  'indexes/messages-id',
  'indexes/messages-stream',
]

export interface Message {
  readonly id: string
  readonly type: string
  readonly data: unknown
  readonly metadata: unknown
}

/** Installs it in the database and answers how to write messages to one stream, many in one statement. */
export const messageDb = async (url: string, folder: string) => {
  const pool = connect({ url, max: 64 })
  for (const name of FILES) await pool.query(await readFile(join(folder, `${name}.sql`), 'utf8'))
  // Its functions name each other without their schema.
  const withPath = new URL(url)
  withPath.searchParams.set('options', '-c search_path=message_store,public')
  const writers = connect({ url: withPath.href, max: 64 })
  return {
    write: (stream: string, messages: readonly Message[]) =>
      writers.query(
        `select write_message(m ->> 'id', $1, m ->> 'type', m -> 'data', m -> 'metadata')
         from jsonb_array_elements($2::jsonb) with ordinality a(m, n)`,
        [stream, JSON.stringify(messages)],
      ),
    end: () => Promise.all([pool.end(), writers.end()]),
  }
}
