/**
 * Group commit: all commits of one turn of the event loop become durable with one write and one fdatasync. Where that
 * is done aside, one is under way at a time, and the commits that arrive meanwhile share the next one.
 */
import { nextTurn } from '../runtime/timers.ts'

/** Commits that become durable together. */
interface Group {
  readonly promise: Promise<void>
  resolve(): void
  reject(error: unknown): void
}

export class GroupCommit {
  private readonly makeDurable: () => void
  private readonly aside: () => Promise<void> | undefined
  /** Takes in what is committed now. */
  private collecting: Group | undefined
  /** Waits for its sync. */
  private syncing: Group | undefined
  private isScheduled = false

  /** `aside` does the same as `makeDurable` while others go on, or returns undefined when that is not worth it. */
  constructor(makeDurable: () => void, aside: () => Promise<void> | undefined = () => undefined) {
    this.makeDurable = makeDurable
    this.aside = aside
  }

  /** Resolves once everything committed so far is durable: the same promise for all commits of a group. */
  wait(): Promise<void> {
    this.collecting ??= newGroup()
    this.schedule()
    return this.collecting.promise
  }

  /** The same, beginning now; undefined if everything committed so far is durable already. */
  begin(): Promise<void> | undefined {
    if (this.syncing !== undefined) return this.wait()
    this.collecting ??= newGroup()
    const { promise } = this.collecting
    return this.start() ? undefined : promise
  }

  /** Makes all that is waiting durable now. */
  settle(): void {
    const groups = [this.syncing, this.collecting]
    this.syncing = undefined
    this.collecting = undefined
    for (const group of groups) if (group !== undefined) this.complete(group)
  }

  /** Whoever goes on when a group is durable commits again in the same turn: the next group waits for him. */
  private schedule(): void {
    if (this.isScheduled || this.syncing !== undefined) return
    this.isScheduled = true
    nextTurn(() => {
      this.isScheduled = false
      if (this.syncing === undefined) this.start()
    })
  }

  /** True if the group is durable when it returns; else its promise tells. */
  private start(): boolean {
    const group = this.collecting
    if (group === undefined) return true
    this.collecting = undefined
    let aside: Promise<void> | undefined
    try {
      aside = this.aside()
    } catch (error) {
      group.reject(error)
      return false
    }
    if (aside === undefined) return this.complete(group)
    this.syncing = group
    aside.then(
      () => this.ended(group, () => group.resolve()),
      error => this.ended(group, () => group.reject(error)),
    )
    return false
  }

  /** The sync of a group has ended, unless `settle` has been faster. */
  private ended(group: Group, tell: () => void): void {
    if (this.syncing !== group) return
    this.syncing = undefined
    tell()
    if (this.collecting !== undefined) this.schedule()
  }

  /** True if all is well. */
  private complete(group: Group): boolean {
    try {
      this.makeDurable()
    } catch (error) {
      group.reject(error)
      return false
    }
    group.resolve()
    return true
  }
}

const newGroup = (): Group => {
  let resolve: () => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<void>((onDone, onFailure) => {
    resolve = onDone
    reject = onFailure
  })
  return { promise, resolve, reject }
}
