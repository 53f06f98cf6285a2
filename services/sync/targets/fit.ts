import { refuse } from '@attestry/kit'
import type { Capabilities, TargetRefusal, Value } from './target.ts'

/** Why a store does not take a value, by what its provider documents; null where it does. */
export function unfit({ bytes, form }: Value, { value }: Capabilities, store: string): TargetRefusal | null {
  if (form === 'binary' && !value.binary) return refuse('not-text', `${store} holds text only.`)
  const size = bytes.reveal().byteLength
  if (size < value.minBytes) return refuse('too-small', `${store} takes no empty value.`)
  return size > value.maxBytes
    ? refuse('too-large', `The value is above the ${value.maxBytes} bytes that ${store} takes.`)
    : null
}
