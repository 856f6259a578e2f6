/** Whether a client takes what it is sent. */
import type { Socket } from 'node:net'

/** What Node has under its hood: bytes of the write under way that the system has not taken. Other runtimes lack it. */
interface Inside {
  _handle?: { writeQueueSize?: number } | null
}

/**
 * Tells progress of the output from a standstill. A socket calls a write done when the system has taken all of it, which
 * may be megabytes: the queue of its handle also tells that some of it was taken.
 */
export class Taken {
  private readonly socket: Socket
  /** Bytes of the writes that were done, and those that were missing of the next one, at the last look. */
  private done = 0
  private missing = 0

  constructor(socket: Socket) {
    this.socket = socket
  }

  /** True if bytes were taken since it was called last; `written`: bytes that were given to the socket in all. */
  hasGrown(written: number): boolean {
    const { socket } = this
    const done = written - socket.writableLength
    const missing = (socket as unknown as Inside)._handle?.writeQueueSize ?? 0
    const grown = done > this.done || missing < this.missing
    this.done = done
    this.missing = missing
    return grown
  }
}
