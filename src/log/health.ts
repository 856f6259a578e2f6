/**
 * Whether the handle may go on as it is. Operations look at `attention` alone, which costs one load; whoever has
 * something to say before the next operation (a failure, the close, a pool that wants to grow) raises it.
 */
import { MovedError, XenonError } from '../errors.ts'
import type { Observer } from '../runtime/observer.ts'
import type { Stall } from '../types.ts'

export class Health {
  attention = false
  failure: unknown = undefined
  /** It changes nothing: that other files stand in place of its own is all there is to say. */
  isReader = false
  /** Code of the caller runs inside an operation (toJSON, a codec): the handle takes no other call meanwhile. */
  busy = false
  /** The longest time that work in line has held up the event loop. */
  longestStall: Stall | undefined
  /** Who looks on, if anybody does. */
  observer: Observer | undefined = undefined

  /** After an I/O error that leaves the files in doubt: remembers the first one; returns the error to throw. */
  fail(error: unknown): unknown {
    this.failure ??= error
    this.attention = true
    return error
  }

  /** Work in line has held up the event loop for so many milliseconds. */
  stalled(cause: Stall['cause'], milliseconds: number): void {
    if (milliseconds <= (this.longestStall?.milliseconds ?? 0)) return
    this.longestStall = { cause, milliseconds, at: Date.now() }
  }

  check(): void {
    if (this.isReader && this.failure instanceof MovedError) throw this.failure
    if (this.failure !== undefined)
      throw new XenonError(
        'XENON_FAILED',
        `an earlier input/output error stopped this handle (${(this.failure as Error).message}); close it and open the database again to recover`,
        { cause: this.failure },
      )
  }
}
