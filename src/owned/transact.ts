/** `transact` of a shared store: in a transaction of whoever is the owner, and again with the next one. */
import { OwnerLostError } from '../errors.ts'
import { requireFunction } from '../runtime/callbacks.ts'
import type { TransactOptions } from '../types.ts'
import type { AsyncStoreTransaction } from '../values/async-store.ts'
import { checkedRuns } from '../values/wait-options.ts'
import type { Mark, Marks } from './marks.ts'
import type { Place, Target } from './member.ts'
import { SharedTransaction } from './transaction.ts'

/** A commit that was on its way when its owner went. */
interface InDoubt<T> {
  readonly result: T
  readonly lost: OwnerLostError
}

/** One call of `transact`. */
export class SharedRun<V, K, T> {
  private readonly place: Place<V, K>
  private readonly work: (tx: AsyncStoreTransaction<V, K>) => Promise<T> | T
  private readonly options: TransactOptions
  private readonly marks: Marks | undefined
  private readonly mark: Mark | undefined
  private inDoubt: InDoubt<T> | undefined
  /** What the work of the last attempt gave, whose commit is the next thing to be sent. */
  private done: { result: T } | undefined

  /** @throws InvalidArgumentError */
  constructor(place: Place<V, K>, work: (tx: AsyncStoreTransaction<V, K>) => Promise<T> | T, options: TransactOptions) {
    requireFunction('transact()', work)
    this.place = place
    this.work = work
    this.options = options
    this.marks = options.readOnly === true ? undefined : place.member.marks
    this.mark = this.marks?.take()
  }

  async run(): Promise<T> {
    const { retries } = checkedRuns(this.options)
    for (let attempt = 0; ; attempt++) {
      const lost = await this.attempt()
      if (!(lost instanceof OwnerLostError)) return lost.result
      if (attempt >= retries) throw this.inDoubt?.lost ?? lost
    }
  }

  /** What it gave; or the loss, of which it is known that nothing was done, or of which the next owner will know. */
  private async attempt(): Promise<{ result: T } | OwnerLostError> {
    const { place, marks, mark } = this
    const { member } = place
    let target: Target<unknown, unknown> | undefined
    try {
      target = await member.target()
      const result = await this.doIn(target)
      if (mark !== undefined) marks?.giveBack(mark)
      return { result }
    } catch (error) {
      const lost = target && (await member.lossOf(target, error))
      // Nobody has taken over, or what there is cannot be used: it stays in doubt.
      if (lost === undefined && this.inDoubt !== undefined) throw this.inDoubt.lost
      if (lost === undefined) throw error
      if (this.done === undefined || !lost.sent) return lost
      if (mark === undefined || target?.isLocal === true) throw lost
      this.inDoubt = { result: this.done.result, lost }
      return lost
    } finally {
      this.done = undefined
    }
  }

  private async doIn(target: Target<unknown, unknown>): Promise<T> {
    const { place, work, marks, mark, inDoubt } = this
    const isMarked = mark !== undefined && (inDoubt !== undefined || !target.isLocal)
    const markStore = isMarked ? await marks?.storeIn(target) : undefined
    if (inDoubt !== undefined && markStore !== undefined) {
      if (await marks!.isCommitted(markStore, mark!)) return inDoubt.result
      this.inDoubt = undefined
    }
    const store = await place.of(target)
    return await store.transact(async inner => {
      this.done = undefined
      const result = await work(new SharedTransaction<V, K>(place.member, target, inner))
      // Without its commit it is rolled back.
      if (markStore !== undefined && !inner.ended)
        await marks!.put(inner as AsyncStoreTransaction<unknown, unknown>, markStore, mark!)
      this.done = { result }
      return result
    }, this.options)
  }
}
