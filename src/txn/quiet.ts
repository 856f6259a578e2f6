/**
 * Work that can go on only while no transaction is open, such as a slice of a compaction, and those who begin one
 * transaction after the other: they let the work go first now and then.
 */
import { nextTurn } from '../runtime/timers.ts'

export class Quiet {
  private wanted = 0
  private had: Promise<void> | undefined
  private tell: () => void = () => {}

  /** Undefined if nobody waits for quiet, else a promise that whoever does has had some. */
  get whenHad(): Promise<void> | undefined {
    return this.had
  }

  /** Somebody waits until no transaction is open. */
  want(): void {
    this.wanted++
    this.had ??= new Promise(resolve => {
      this.tell = resolve
    })
  }

  /** No transaction is open, and none will be before this turn of the event loop ends; or nobody waits any more. */
  take(): void {
    if (--this.wanted > 0) return
    const { tell } = this
    this.had = undefined
    nextTurn(tell)
  }
}
