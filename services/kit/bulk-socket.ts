import { Socket } from 'node:net'

/** What a connection reads at once at most: some hundred events. */
const READ_BYTES = 1 << 18

/**
 * A socket that reads into one place, again and again. Node otherwise takes 64 kB anew for each read, however little
 * comes, and that memory counts: to read in bulk is then a collection of all garbage every few hundred reads.
 */
export class BulkSocket extends Socket {
  /** Takes what is read while it is set, valid only within the call; listeners for 'data' otherwise get a copy. */
  taker: ((bytes: Buffer) => void) | null = null

  constructor() {
    super({
      onread: {
        buffer: Buffer.allocUnsafe(READ_BYTES),
        callback: (length, place) => {
          const bytes = (place as Buffer).subarray(0, length)
          if (this.taker) this.taker(bytes)
          else this.emit('data', Buffer.from(bytes))
          return true
        },
      },
    })
  }
}
