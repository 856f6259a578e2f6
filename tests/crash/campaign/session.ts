/**
 * A database on the simulated disk under a workload, and the record of what it was promised when: the journal of every
 * change of the disk, the state after each commit, and where in the journal each commit began and was acknowledged.
 */
import { type Database, openOn } from '../../../src/database.ts'
import type { Durability } from '../../../src/index.ts'
import { FaultDisk } from '../../../src/storage/fault.ts'
import type { Operation } from '../../../src/storage/fault-nodes.ts'
import { nodeStorage } from '../../../src/storage/node.ts'
import type { Random } from '../../../src/storage/random.ts'
import type { Transaction } from '../../../src/transaction.ts'

export type State = ReadonlyMap<string, string>
/** A key and its new value; undefined when it is deleted. */
export type Change = readonly [key: string, value: string | undefined]

export interface DatabaseOptions {
  durability: Durability
  cacheBytes: number
  checkpointBytes: number
  logSegmentBytes: number
}

/** What a workload left behind: all that is needed to crash it anywhere. */
export interface Recording {
  options: DatabaseOptions
  journal: readonly Operation[]
  /** Journal index of the first crash: what lies before belongs to other recordings. */
  from: number
  /** The state after each commit, in order; the first one before any. */
  states: readonly State[]
  /** For each commit, from number 1 on: the journal's length when it began. */
  begins: readonly number[]
  promises: readonly Acknowledgement[]
}

/** From this journal length on, the commits up to this number survive `kill -9`, or loss of power too. */
interface Acknowledgement {
  at: number
  commit: number
  power: boolean
}

export class Session {
  readonly disk: FaultDisk
  readonly random: Random
  readonly options: DatabaseOptions
  db: Database
  private readonly journal: Operation[] = []
  private readonly states: State[] = [new Map()]
  private readonly begins: number[] = []
  private readonly promises: Acknowledgement[] = []
  private readonly inFlight: Promise<void>[] = []
  private from = 0

  constructor(options: DatabaseOptions, random: Random) {
    this.disk = new FaultDisk({ seed: random.next(), crc32: nodeStorage.crc32 })
    this.disk.journal = this.journal
    this.random = random
    this.options = options
    this.db = this.open()
  }

  /** Crashes begin here. */
  begin(): void {
    this.from = this.journal.length
  }

  get recording(): Recording {
    const { options, journal, from, states, begins, promises } = this
    return { options, journal, from, states, begins, promises }
  }

  get state(): State {
    return this.states[this.states.length - 1]!
  }

  open(changes: Partial<DatabaseOptions> = {}): Database {
    const { storage } = this.disk
    this.db = openOn('db', { ...this.options, ...changes, storage }, storage)
    return this.db
  }

  close(): void {
    this.db.close()
    this.promise(true)
  }

  put(key: string, value: string): void {
    this.commit([[key, value]], () => this.db.put(key, value))
  }

  delete(key: string): void {
    if (this.state.has(key)) this.commit([[key, undefined]], () => this.db.delete(key))
    else this.db.delete(key)
  }

  batch(changes: readonly Change[]): void {
    this.commit(changes, () =>
      this.db.batch(
        changes.map(([key, value]) =>
          value === undefined ? { type: 'delete', key } : { type: 'put', key, value },
        ),
      ),
    )
  }

  /** A transaction, in which `around` may do more between the changes that it takes back itself. */
  transaction(changes: readonly Change[], around?: (tx: Transaction) => void): void {
    const tx = this.db.begin()
    for (const [key, value] of changes) {
      around?.(tx)
      if (value === undefined) tx.delete(key)
      else tx.put(key, value)
    }
    around?.(tx)
    this.commit(changes, () => tx.commit())
  }

  rollback(changes: readonly Change[]): void {
    const tx = this.db.begin()
    for (const [key, value] of changes) {
      if (value === undefined) tx.delete(key)
      else tx.put(key, value)
    }
    tx.rollback()
  }

  /** Commits in flight; `settle` waits for them. */
  async(changes: readonly Change[]): void {
    // A delete that finds nothing commits nothing, and waits for nobody.
    if (changes.every(([key, value]) => value === undefined && !this.state.has(key))) return
    const number = this.enter(changes)
    const operations = changes.map(([key, value]) =>
      value === undefined ? ({ type: 'delete', key } as const) : ({ type: 'put', key, value } as const),
    )
    const [first] = operations
    const done: Promise<unknown> =
      operations.length > 1 || first === undefined
        ? this.db.batchAsync(operations)
        : first.type === 'put'
          ? this.db.putAsync(first.key, first.value)
          : this.db.deleteAsync(first.key)
    this.inFlight.push(done.then(() => this.acknowledge(number)))
  }

  async settle(): Promise<void> {
    await Promise.all(this.inFlight.splice(0))
  }

  async flush(): Promise<void> {
    await this.db.flush()
    this.promise(true)
  }

  async checkpoint(): Promise<void> {
    await this.db.checkpoint()
    this.promise(true)
  }

  private commit(changes: readonly Change[], run: () => unknown): void {
    const number = this.enter(changes)
    run()
    this.acknowledge(number)
  }

  /** A commit begins; returns its number. */
  private enter(changes: readonly Change[]): number {
    const next = new Map(this.state)
    for (const [key, value] of changes) {
      if (value === undefined) next.delete(key)
      else next.set(key, value)
    }
    this.begins.push(this.journal.length)
    return this.states.push(next) - 1
  }

  private acknowledge(commit: number): void {
    if (this.options.durability === 'none') return
    this.promises.push({ at: this.journal.length, commit, power: this.options.durability === 'power' })
  }

  /** All commits so far are safe. */
  private promise(power: boolean): void {
    this.promises.push({ at: this.journal.length, commit: this.states.length - 1, power })
  }
}

/** The numbers of the commits after which a crash at a journal index may find the database. */
export const expected = (
  recording: Recording,
  index: number,
  power: boolean,
): { low: number; high: number } => {
  let low = 0
  for (const promise of recording.promises)
    if (promise.at <= index && (promise.power || !power) && promise.commit > low) low = promise.commit
  let high = 0
  while (high < recording.begins.length && recording.begins[high]! <= index) high++
  return { low, high }
}
