/** Group commit: all commits of one turn of the event loop become durable with one write and one fdatasync. */

/** Runs `work` in the next turn of the event loop. */
export const nextTurn: (work: () => void) => void =
  (globalThis as unknown as { setImmediate?: (work: () => void) => void }).setImmediate ??
  (work => setTimeout(work, 0))

export class GroupCommit {
  private readonly makeDurable: () => void
  private promise: Promise<void> | undefined
  private resolve: () => void = () => {}
  private reject: (error: unknown) => void = () => {}

  constructor(makeDurable: () => void) {
    this.makeDurable = makeDurable
  }

  /** Resolves once everything committed so far is durable: the same promise for all commits of a turn. */
  wait(): Promise<void> {
    if (this.promise === undefined) {
      this.promise = new Promise((resolve, reject) => {
        this.resolve = resolve
        this.reject = reject
      })
      nextTurn(() => this.settle())
    }
    return this.promise
  }

  /** Makes what is waiting durable now. */
  settle(): void {
    if (this.promise === undefined) return
    const { resolve, reject } = this
    this.promise = undefined
    try {
      this.makeDurable()
    } catch (error) {
      reject(error)
      return
    }
    resolve()
  }
}
