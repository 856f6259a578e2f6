/**
 * A database on the simulated disk under a workload, and the record of what it was promised when: the journal of every
 * change of the disk, the state after each commit, and where in the journal each commit began and was acknowledged.
 */

import type { Database } from '../../../src/database/database.ts'
import { convertOn, openOn } from '../../../src/database/open.ts'
import type { Transaction } from '../../../src/database/transaction.ts'
import type { Durability } from '../../../src/index.ts'
import { SEGMENT_MAGIC } from '../../../src/log/format.ts'
import { FaultDisk } from '../../../src/testing/fault.ts'
import type { Operation } from '../../../src/testing/fault-nodes.ts'
import type { Random } from '../../../src/testing/random.ts'
import { crc32 } from './checksum.ts'
import { IS_THERE, markOf, pathOf, placeOf, recordsIn } from './spaces.ts'

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
  /** When the records of each state expire, as far as they do. */
  expiries: readonly ReadonlyMap<string, number>[]
  /** What the clock said from a journal length on. */
  clock: readonly { at: number; now: number }[]
  copies: readonly Copy[]
  /** Most crash points that are worth their time; chosen by the seed where the journal has more. */
  points: number
  /** Half of them lie right behind images of blocks. */
  nearImages: boolean
  /** Checkpoints that the workload came to, and how many of them had done all their syncs aside. */
  checkpoints: number
  endedAside: number
  /** Images of blocks that were written before the blocks were. */
  blockImages: number
  /** Segments of the log that were begun in a file that had been one before. */
  reusedSegments: number
}

/** A backup: its directory, the commit that it shows, and the journal's length when it began and when it was done. */
export interface Copy {
  directory: string
  commit: number
  from: number
  done: number
}

/** From this journal length on, the commits up to this number survive `kill -9`, or loss of power too. */
interface Acknowledgement {
  at: number
  commit: number
  power: boolean
}

export interface SessionOptions {
  /** See `Recording.points`. */
  points?: number
  /** See `Recording.nearImages`. */
  nearImages?: boolean
  /** See `FaultDiskOptions`. */
  syncsAside?: boolean
  asideTurns?: number
}

/** Of the engine. */
interface Counters {
  checkpointer: { count: number; endedAside: number }
  pool: { images: { count: number } }
}

/** Where the clock of a session stands at first. */
export const FIRST_TIME = 1_700_000_000_000

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
  private readonly expiries: ReadonlyMap<string, number>[] = [new Map()]
  private readonly clock: { at: number; now: number }[] = []
  private readonly copies: Copy[] = []
  private from = 0
  private now = FIRST_TIME
  private checkpoints = 0
  private endedAside = 0
  private blockImages = 0
  private readonly points: number
  private readonly nearImages: boolean

  constructor(options: DatabaseOptions, random: Random, { points, nearImages = false, ...disk }: SessionOptions = {}) {
    this.disk = new FaultDisk({
      seed: random.next(),
      crc32,
      now: () => this.now,
      syncsAside: random.chance(0.7),
      asideTurns: random.pick([0, 0, 4]),
      ...disk,
    })
    this.nearImages = nearImages
    this.points = points ?? Number.POSITIVE_INFINITY
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
    this.count()
    const { options, from, states, begins, promises, expiries, clock, copies } = this
    // What is still under way aside goes on, but not in here.
    const journal = this.journal.slice()
    const { points, nearImages, checkpoints, endedAside, blockImages } = this
    return {
      ...{ options, journal, from, states, begins, promises, expiries, clock, copies },
      ...{
        points,
        nearImages,
        checkpoints,
        endedAside,
        blockImages,
        reusedSegments: reusedSegments(journal),
      },
    }
  }

  get state(): State {
    return this.states[this.states.length - 1]!
  }

  /** Bytes of the last write to the disk. */
  get lastWrite(): number {
    return this.journal.findLast(operation => operation.kind === 'write')?.bytes.length ?? 0
  }

  open(changes: Partial<DatabaseOptions> = {}): Database {
    const { storage } = this.disk
    this.db = openOn('db', { ...this.options, ...changes, storage }, storage)
    // Nothing but what the workload says.
    const { reclaiming } = (this.db as unknown as { handle: { reclaiming: { stop(): void; schedule(): void } } }).handle
    reclaiming.stop()
    reclaiming.schedule = () => {}
    return this.db
  }

  close(): void {
    this.db.close()
    this.count()
    this.promise(true)
  }

  /** The process ends here, without a word; the system does not. */
  abandon(): void {
    const { health } = (this.db as unknown as { engine: { health: { fail(error: unknown): unknown } } }).engine
    health.fail(new Error('the process has ended'))
    this.count()
    this.disk.releaseLocks()
  }

  /** Flips one bit of a file. */
  damage(path: string, byte: number): void {
    this.disk.flip(path, 8 * byte + this.random.below(8))
  }

  /** The files of the log. */
  segments(): string[] {
    const { storage } = this.disk
    return storage
      .list('db/log')
      .sort()
      .map(name => storage.join('db', 'log', name))
  }

  private count(): void {
    const { checkpointer, pool } = (this.db as unknown as { engine: Counters }).engine
    this.checkpoints += checkpointer.count
    this.endedAside += checkpointer.endedAside
    this.blockImages += pool.images.count
  }

  put(key: string, value: string): void {
    this.commit([[key, value]], () => {
      const place = placeOf(this.db, key)
      place.space.put(place.key, value)
    })
  }

  /** A record that expires. */
  expiring(key: string, value: string, ttl: number): void {
    this.commit([[key, value]], () => this.db.put(key, value, { ttl }), this.now + ttl)
  }

  /** Time passes: what has expired is gone, for every state there is. */
  pass(milliseconds: number): void {
    this.now += milliseconds
    this.clock.push({ at: this.journal.length, now: this.now })
  }

  /** What the timers of the database would do by now. */
  sweep(): void {
    ;(this.db as unknown as { sweeper: { run(): void } }).sweeper.run()
  }

  delete(key: string): void {
    const place = placeOf(this.db, key)
    if (this.state.has(key)) this.commit([[key, undefined]], () => place.space.delete(place.key))
    else place.space.delete(place.key)
  }

  batch(changes: readonly Change[]): void {
    this.commit(changes, () =>
      this.db.batch(
        changes.map(([key, value]) => (value === undefined ? { type: 'delete', key } : { type: 'put', key, value })),
      ),
    )
  }

  /** A transaction, in which `around` may do more between the changes that it takes back itself. */
  transaction(changes: readonly Change[], around?: (tx: Transaction) => void): void {
    const tx = this.db.begin()
    for (const change of changes) {
      around?.(tx)
      this.change(tx, change)
    }
    around?.(tx)
    this.commit(changes, () => tx.commit())
  }

  rollback(changes: readonly Change[]): void {
    const tx = this.db.begin()
    for (const change of changes) this.change(tx, change)
    tx.rollback()
  }

  /** Inside a transaction, in whatever key space. */
  change(tx: Transaction, [name, value]: Change): void {
    const { space, key } = placeOf(this.db, name)
    if (value === undefined) tx.in(space).delete(key)
    else tx.in(space).put(key, value)
  }

  /** A sub-database, which is made if there is none; what is not a commit of records is one all the same. */
  sub(name: string, path = ''): void {
    this.commit([[markOf(path, name), IS_THERE]], () => placeOf(this.db, pathOf(path, name)))
  }

  /** Drops a sub-database, with all that lies in it. */
  drop(name: string): void {
    const gone = [...this.state.keys()].filter(key => key === `@${name}` || key.startsWith(`@${name}/`))
    this.commit(
      gone.map(key => [key, undefined]),
      () => this.db.drop(name),
    )
  }

  /** Clears the root ('') or a sub-database ('@name/'), all at once. */
  clear(path: string): void {
    this.commit(
      recordsIn(this.state, path).map(key => [path + key, undefined]),
      () => placeOf(this.db, path).space.clear(),
    )
  }

  /** What the timers would do by now of freeing what was cleared; not more than a little at a time. */
  reclaim(): void {
    ;(this.db as unknown as { handle: { reclaiming: { run(): void } } }).handle.reclaiming.run()
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
        ? this.db.async.batch(operations)
        : first.type === 'put'
          ? this.db.async.put(first.key, first.value)
          : this.db.async.delete(first.key)
    this.inFlight.push(done.then(() => this.acknowledge(number)))
  }

  async settle(): Promise<void> {
    await Promise.all(this.inFlight.splice(0))
  }

  /** Lets the event loop turn: what is done aside gets on. */
  async turn(turns: number = 1): Promise<void> {
    for (; turns > 0; turns--) await new Promise(resolve => setImmediate(resolve))
  }

  async flush(): Promise<void> {
    await this.db.flush()
    this.promise(true)
  }

  async checkpoint(): Promise<void> {
    await this.db.checkpoint()
    this.promise(true)
  }

  /** Changes nothing that can be read. */
  async compact(): Promise<void> {
    await steadily(() => this.db.compact())
    this.promise(true)
  }

  /** `meanwhile` is called between its turns. */
  async backup(directory: string, meanwhile: () => void): Promise<void> {
    const { length } = this.journal
    const copy = { directory, commit: this.states.length - 1, from: length, done: Number.POSITIVE_INFINITY }
    this.copies.push(copy)
    let running = true
    const done = steadily(() => this.db.backup(directory)).finally(() => {
      running = false
    })
    while (running) {
      meanwhile()
      await new Promise(resolve => setImmediate(resolve))
    }
    await done
    copy.done = this.journal.length
  }

  /** Closes the database, adds the ordered index or takes it away, opens it again. */
  async convert(ordered: boolean): Promise<void> {
    const { storage } = this.disk
    this.close()
    const { durability: _, ...options } = this.options
    await steadily(() => convertOn('db', { ...options, ordered, storage }, storage))
    this.open()
  }

  /** Commits these changes in whatever way. */
  by(changes: readonly Change[], run: () => unknown): void {
    this.commit(changes, run)
  }

  private commit(changes: readonly Change[], run: () => unknown, expiresAt?: number): void {
    const number = this.enter(changes, expiresAt)
    try {
      run()
    } catch (error) {
      for (const list of [this.states, this.begins, this.expiries]) list.pop()
      throw error
    }
    this.acknowledge(number)
  }

  /** A commit begins; returns its number. */
  private enter(changes: readonly Change[], expiresAt?: number): number {
    const next = new Map(this.state)
    const expiries = new Map(this.expiries[this.expiries.length - 1])
    for (const [key, value] of changes) {
      expiries.delete(key)
      if (expiresAt !== undefined) expiries.set(key, expiresAt)
      if (value === undefined) next.delete(key)
      else next.set(key, value)
    }
    this.begins.push(this.journal.length)
    this.expiries.push(expiries)
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
export const expected = (recording: Recording, index: number, power: boolean): { low: number; high: number } => {
  let low = 0
  for (const promise of recording.promises)
    if (promise.at <= index && (promise.power || !power) && promise.commit > low) low = promise.commit
  let high = 0
  while (high < recording.begins.length && recording.begins[high]! <= index) high++
  return { low, high }
}

const reusedSegments = (journal: readonly Operation[]): number => {
  const seen = new Set<number>()
  let reused = 0
  for (const operation of journal) {
    if (operation.kind !== 'write' || operation.position !== 0) continue
    if (SEGMENT_MAGIC.some((byte, at) => operation.bytes[at] !== byte)) continue
    if (seen.has(operation.node)) reused++
    seen.add(operation.node)
  }
  return reused
}

/** What the clock says at a journal index. */
export const timeAt = ({ clock }: Recording, index: number): number =>
  clock.findLast(({ at }) => at <= index)?.now ?? FIRST_TIME

/** The states at a journal index, without what has expired by then. */
export const statesAt = (recording: Recording, index: number): readonly State[] => {
  const { states, expiries, clock } = recording
  if (clock.length === 0) return states
  const now = timeAt(recording, index)
  return states.map(
    (state, number) => new Map([...state].filter(([key]) => (expiries[number]!.get(key) ?? now + 1) > now)),
  )
}

/** Runs something whose turns depend on the time it takes, while each look at the clock takes the same. */
const steadily = async <T>(run: () => Promise<T>): Promise<T> => {
  const real = performance.now
  let now = 0
  performance.now = () => (now += 0.5)
  try {
    return await run()
  } finally {
    performance.now = real
  }
}
