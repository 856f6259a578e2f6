/**
 * Lets a few transactions of one turn of the event loop run at a time. Transactions that all have work at once would
 * otherwise advance in step, one operation each, with the locks of all of them held together; a few at a time finish
 * within the turn and are out of each other's way. One that waits for something else than a lock does not hold up the
 * others: the next turn begins with an empty house.
 */
const AT_A_TIME = 8

export class Admission {
  private readonly nextTurn: (work: () => void) => void
  private inside: Set<symbol> = new Set()
  private queue: (() => void)[] = []
  private at = 0
  private scheduled = false

  constructor(nextTurn: (work: () => void) => void) {
    this.nextTurn = nextTurn
  }

  /** Undefined when the transaction may go on at once, else a promise of that. */
  enter(pass: symbol): Promise<void> | undefined {
    if (this.inside.size < AT_A_TIME && this.at === this.queue.length) {
      this.inside.add(pass)
      this.schedule()
      return undefined
    }
    return new Promise(resolve => {
      this.queue.push(() => {
        this.inside.add(pass)
        resolve()
      })
      this.schedule()
    })
  }

  /** The transaction has committed, or has to wait. */
  leave(pass: symbol): void {
    if (this.inside.delete(pass)) this.admit()
  }

  private admit(): void {
    while (this.inside.size < AT_A_TIME && this.at < this.queue.length) this.queue[this.at++]!()
    if (this.at === this.queue.length && this.at > 0) {
      this.queue = []
      this.at = 0
    }
  }

  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    this.nextTurn(() => {
      this.scheduled = false
      this.inside.clear()
      this.admit()
      if (this.inside.size > 0 || this.at < this.queue.length) this.schedule()
    })
  }
}
