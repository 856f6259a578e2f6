/**
 * Reads parts of a file on the threads of the system's calls, so that the page cache has them when somebody reads them
 * in line a little later. What was read is dropped, errors are left to that somebody: nothing but time depends on it.
 */
import { read } from 'node:fs'
import { closeQuietly } from './regular-file.ts'

/**
 * Reads under way. That one has ended is known only when the event loop turns: a program that never lets it turn reads
 * so many parts ahead, and no more.
 */
const MOST_PENDING = 4096

export class ReadAhead {
  readonly #fd: number
  readonly #target: Uint8Array
  #pending = 0
  #isClosed = false

  /** Owns the descriptor, which is nobody else's; parts are at most `bytes` long. */
  constructor(fd: number, bytes: number) {
    this.#fd = fd
    this.#target = new Uint8Array(bytes)
  }

  ask(length: number, position: number): void {
    if (this.#pending === MOST_PENDING) return
    this.#pending++
    read(this.#fd, this.#target, 0, Math.min(length, this.#target.length), position, () => {
      this.#pending--
      if (this.#isClosed) this.close()
    })
  }

  /** The descriptor lives until the last read has ended, which would else read whatever file has its number then. */
  close(): void {
    this.#isClosed = true
    if (this.#pending === 0) closeQuietly(this.#fd)
  }
}
