import { Memory } from './memory.ts'
import { nextWrite, type Seen } from './seen.ts'

/*
 * What this isolate last read or wrote of installs. A steady heartbeat that comes to the same isolate again asks KV
 * nothing and leaves no work behind its answer. It only ever spares a read: whatever may have to be written is held
 * against KV first, so that isolates which know different things write no more than one would. Another isolate may have
 * written other counts meanwhile; within eight hours, when an entry is too old here too, they agree again.
 */

/** About five megabytes, of the 128 that an isolate has. */
const known = new Memory<Seen>(10_000)

/** Whether nothing is to be written of what was heard, as far as this isolate knows; false where it knows nothing. */
export function isKnown(name: string, heard: Parameters<typeof nextWrite>[1]): boolean {
  const before = known.get(name)
  return before !== undefined && nextWrite(before, heard) === null
}

/** Notes what stands in KV now. */
export const know = (name: string, seen: Seen): void => known.note(name, seen)

/** For an install that gets a place: its entry may have been removed with the one that it had. */
export const forget = (name: string): void => known.forget(name)
