import { Secret } from '@attestry/kit'
import { expect, test } from 'vitest'
import { valueOf } from './copy-item.ts'
import { item } from './plan.fixture.ts'

/** What is written for a value and its content type, with each way of handling bytes. */
test.each<[string, string | Uint8Array, string | null, 'as-text' | 'decode', unknown]>([
  ['text', 'pä$$', null, 'decode', ['text', 'pä$$']],
  ['base64 that is wanted as it is', 'AAH/', 'application/octet-stream', 'as-text', ['text', 'AAH/']],
  ['base64 that stands for bytes', 'AAH/', 'application/octet-stream', 'decode', ['binary', '0001ff']],
  ['base64 in lines', 'AAH/\r\nAAE=', 'text/plain; base64', 'decode', ['binary', '0001ff0001']],
  ['text whose type says base64', 'no base64!', 'application/x-pkcs12', 'decode', 'not-base64'],
  ['bytes that are no text', Uint8Array.of(0xff, 0xfe), null, 'as-text', 'not-text'],
  ['nothing', '', null, 'decode', ['text', '']],
])('%s', (_, value, contentType, binary, expected) => {
  const read = { version: 'v1', value: new Secret(value), item: item('db', { contentType }) }
  const written = valueOf(read, { binary })
  const said =
    'refused' in written
      ? written.refused
      : [
          written.form,
          written.form === 'text'
            ? written.bytes.text()
            : Buffer.from(written.bytes.reveal()).toString('hex'),
        ]
  expect(said).toEqual(expected)
})
