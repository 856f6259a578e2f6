/**
 * The sweep over input/output errors: small workloads on the simulated disk, with the N-th operation of a kind failing,
 * once or from then on, for every N (`npm test`: for every fourth). Whatever is thrown is typed; a handle that goes on
 * goes on correctly, one that does not refuses everything; and what was acknowledged is there when the database is
 * opened again.
 */
import { expect, test } from 'vitest'
import type { Transaction } from '../../src/database/transaction.ts'
import { type Database, XenonError, type XenonErrorCode } from '../../src/index.ts'
import { FaultDisk, type FaultEffect, type OperationKind, operationKinds } from '../../src/testing/fault.ts'
import { Random } from '../../src/testing/random.ts'
import { failureOf, thrownBy } from '../support/errors.ts'
import { rounds } from '../support/long.ts'
import { crc32 } from './campaign/checksum.ts'
import { openOnDisk, requireEqual, requireSound, scan } from './campaign/examine.ts'
import type { Change, DatabaseOptions, State } from './campaign/session.ts'
import { text } from './campaign/workloads.ts'

const INJECTIONS = rounds(2_500, 10_000)
/** Every so many operations one is made to fail. */
const STRIDE = rounds(4, 1)
/** Reads are many, and much alike: only every fourth is made to fail. */
const READ_STRIDE = 4

const options: DatabaseOptions = {
  durability: 'power',
  cacheBytes: 65536,
  checkpointBytes: 65536,
  logSegmentBytes: 131072,
}

interface Workload {
  name: string
  /** The disk and the records that it begins with; an empty disk when left out. */
  base?: (random: Random) => Promise<Base>
  /** Only every n-th operation is made to fail. Default 1. */
  stride?: number
  run(run: Run): Promise<void>
}

interface Base {
  disk: FaultDisk
  state: State
}

interface Injection {
  kind: OperationKind
  effect: FaultEffect
  times: number
  after: number
}

/** The workload cannot go on: the database does not open, or cannot be read, while the errors last. */
class Stopped extends Error {}

/** A workload under an injection, and the model of what it must have left. */
class Run {
  readonly disk: FaultDisk
  readonly random: Random
  private readonly injection: Injection
  private handle: Database | undefined
  /** States after the commits begun, of which those up to `low` were acknowledged. */
  private states: State[]
  private low = 0
  private unfinished: Transaction | undefined

  constructor(base: Base | undefined, seed: number, injection: Injection) {
    this.random = new Random(seed)
    this.injection = injection
    this.disk = base === undefined ? new FaultDisk({ seed, crc32 }) : base.disk.kill(new Random(seed ^ 0x5eed))
    this.states = [base?.state ?? new Map()]
    this.disk.inject({
      kinds: [injection.kind],
      effect: injection.effect,
      times: injection.times,
      after: injection.after,
    })
  }

  get state(): State {
    return this.states[this.states.length - 1]!
  }

  private get db(): Database {
    if (this.handle === undefined) throw new Error('the workload has not opened the database')
    return this.handle
  }

  /** Opens the database, twice if need be, and finds out which of the possible states it has. */
  open(): void {
    let found: State | undefined
    for (let attempt = 0; found === undefined; attempt++) {
      if (attempt === 4) throw new Stopped()
      this.watch(
        () => {
          this.handle ??= openOnDisk(this.disk, options)
          found = scan(this.handle)
        },
        error => requireCode(error, 'XENON_IO', 'XENON_FULL'),
      )
      // Reading evicts blocks, and recovery has left changed ones.
      if (found === undefined && this.handle !== undefined && this.refuses()) this.close(false)
    }
    this.states = [this.states[matching(found, this.states, this.low)]!]
    this.low = 0
  }

  /** `acknowledges`: unless the handle has failed. */
  close(acknowledges: boolean = true): void {
    const db = this.db
    this.unfinished = undefined
    this.handle = undefined
    this.watch(
      () => {
        db.close()
        if (acknowledges) this.acknowledge()
      },
      error => requireCode(error, 'XENON_IO', 'XENON_FULL', 'XENON_FAILED'),
    )
    if (!db.closed) throw new Error('close() left the handle open')
    if (thrownBy(() => db.close()) !== undefined) throw new Error('the second close() failed')
  }

  reopen(): void {
    this.close()
    this.open()
  }

  async put(key: string, value: string): Promise<void> {
    await this.commit([[key, value]], () => this.db.put(key, value))
  }

  async delete(key: string): Promise<void> {
    await this.commit([[key, undefined]], () => void this.db.delete(key))
  }

  async batch(changes: readonly Change[]): Promise<void> {
    await this.commit(changes, () => this.db.batch(changes.map(operation)))
  }

  /** A change of a transaction that fails is left out of it; so is one that is taken back with a savepoint. */
  async transaction(
    changes: readonly Change[],
    end: 'commit' | 'rollback' | 'work',
    taken: readonly Change[] = [],
  ): Promise<void> {
    if (end === 'work')
      return this.commit(changes, () =>
        this.db.transaction(tx => {
          for (const change of changes) apply(tx, change)
        }),
      )
    const tx = this.db.begin()
    this.unfinished = tx
    const done: Change[] = []
    const step = async (action: () => void): Promise<boolean> => {
      const error = await this.watched(action)
      if (error === undefined) return true
      if (this.isFailed(error)) throw error
      return false
    }
    try {
      for (const change of changes) if (await step(() => apply(tx, change))) done.push(change)
      if (taken.length > 0) {
        const savepoint = tx.savepoint()
        for (const change of taken) await step(() => apply(tx, change))
        if (!(await step(() => tx.rollbackTo(savepoint))) && !(await step(() => tx.rollbackTo(savepoint))))
          end = 'rollback'
      }
    } catch (error) {
      // The handle has failed: the transaction never was.
      await this.failed(error)
      return
    }
    if (end === 'commit') {
      await this.commit(done, () => tx.commit())
      if (tx.ended || this.unfinished === undefined) {
        this.unfinished = undefined
        return
      }
    }
    for (let attempt = 0; attempt < 2 && this.unfinished === tx; attempt++) {
      const error = await this.watched(() => tx.rollback())
      if (error === undefined) this.unfinished = undefined
      else if (this.isFailed(error)) await this.failed(error)
      else await this.requireSame()
    }
    // It still holds its locks.
    if (this.unfinished === tx) throw new Stopped()
    await this.requireSame()
  }

  /** Commits in flight, of one turn of the event loop. */
  async async(changes: readonly Change[]): Promise<void> {
    const before = this.states.length
    const struck = this.disk.rules.struck
    const db = this.db
    const done = changes.map(change => {
      this.enter([change])
      const [key, value] = change
      return value === undefined ? db.async.delete(key) : db.async.put(key, value)
    })
    const results = await Promise.allSettled(done)
    const rejected = results.flatMap(result => (result.status === 'rejected' ? [result.reason] : []))
    for (const error of rejected) requireCode(error, 'XENON_IO', 'XENON_FULL', 'XENON_FAILED')
    if (rejected.length === 0) {
      this.requireNoticed(struck)
      this.acknowledge()
    } else if (this.isFailed(rejected[0])) {
      this.enterAny(before, changes, results)
      await this.failed(rejected[0])
    } else {
      this.states.length = before
      results.forEach((result, i) => {
        if (result.status === 'fulfilled') this.enter([changes[i]!])
      })
      this.acknowledge()
      await this.requireSame()
    }
  }

  /** What was promised is there; of the others, those that met an error by themselves are not, and any other may be. */
  private enterAny(
    before: number,
    changes: readonly Change[],
    results: readonly PromiseSettledResult<unknown>[],
  ): void {
    this.states.length = before
    const { state } = this
    const doubtful = changes.filter((_, i) => results[i]!.status === 'rejected')
    for (let chosen = 0; chosen < 2 ** doubtful.length; chosen++) {
      const isIn = (change: Change): boolean => ((chosen >> doubtful.indexOf(change)) & 1) === 1
      this.states.push(
        after(
          state,
          changes.filter(change => !doubtful.includes(change) || isIn(change)),
        ),
      )
    }
    if (doubtful.length < changes.length) this.low = before
  }

  /** A record that will expire, long after the test. */
  async putExpiring(key: string, value: string): Promise<void> {
    await this.commit([[key, value]], () => this.db.put(key, value, { ttl: 1e9 }))
  }

  async expire(key: string): Promise<void> {
    await this.neutral(() => {
      this.db.expire(key, 2e9)
      this.db.persist(key)
    }, true)
  }

  /** Reads a range, in both directions, in a snapshot and in a transaction. */
  async range(prefix: string): Promise<void> {
    await this.neutral(() => {
      const expected = [...this.state].filter(([key]) => key.startsWith(prefix)).sort()
      const found = [...this.db.entries(prefix)]
      if (`${found}` !== `${expected.sort(([a], [b]) => (a < b ? -1 : 1))}`)
        throw new Error(`the range ${prefix} gave other records`)
      const reversed = [...this.db.keys({ prefix, reverse: true })].reverse()
      if (`${reversed}` !== `${expected.map(([key]) => key)}`) throw new Error('reverse is wrong')
      using snapshot = this.db.snapshot()
      if (snapshot.count(prefix) !== expected.length) throw new Error('count() of a snapshot is wrong')
      using tx = this.db.begin({ readOnly: true })
      if ([...tx.values(prefix)].length !== expected.length) throw new Error('a transaction is wrong')
    }, false)
  }

  async clear(prefix: string): Promise<void> {
    const gone = [...this.state.keys()].filter(key => key.startsWith(prefix))
    await this.commit(
      gone.map(key => [key, undefined]),
      () => this.db.clear(prefix),
    )
  }

  async compact(): Promise<void> {
    await this.neutral(() => this.db.compact(), true)
  }

  async checkpoint(): Promise<void> {
    await this.neutral(() => this.db.checkpoint(), true)
  }

  async flush(): Promise<void> {
    await this.neutral(() => this.db.flush(), true)
  }

  async get(key: string): Promise<void> {
    await this.neutral(() => {
      if (this.db.get(key) !== this.state.get(key)) throw new Error(`get gave a wrong value of ${key}`)
    }, false)
  }

  /** After the workload, without errors from now on. */
  async finish(): Promise<void> {
    const { disk, random } = this
    disk.rules.clear()
    const db = this.handle
    if (db !== undefined) {
      const error = thrownBy(() => db.has('any'))
      if (error !== undefined) this.requireRefusal(error)
      else {
        this.unfinished?.rollback()
        requireEqual(scan(db), this.state, 'the handle that went on')
        await this.put('afterwards', 'there')
        if (random.chance(0.25)) await requireSound(db, this.state)
      }
    }
    for (const [name, image] of [
      ['kill', disk.kill(random)],
      ['crash', disk.crash('none', random)],
    ] as const) {
      try {
        const next = openOnDisk(image, options)
        const found = scan(next)
        matching(found, this.states, this.low)
        await requireSound(next, found)
      } catch (error) {
        throw new Error(`after ${name}: ${(error as Error).message}`, { cause: error })
      }
    }
  }

  private async commit(changes: readonly Change[], action: () => unknown): Promise<void> {
    this.enter(changes)
    const error = await this.watched(action)
    if (error === undefined) this.acknowledge()
    else if (this.isFailed(error)) await this.failed(error)
    else {
      this.states.pop()
      await this.requireSame()
    }
  }

  /** Something that changes no records. */
  private async neutral(action: () => unknown, acknowledges: boolean): Promise<void> {
    const error = await this.watched(action)
    if (error === undefined) {
      if (acknowledges) this.acknowledge()
    } else if (this.isFailed(error)) await this.failed(error)
    else await this.requireSame()
  }

  /** Runs an operation of an open handle; what it throws has a code that an I/O error may give. */
  private async watched(action: () => unknown): Promise<XenonError | undefined> {
    const { struck } = this.disk.rules
    const error = await failureOf(action)
    if (error === undefined) {
      this.requireNoticed(struck)
      return undefined
    }
    return requireCode(error, 'XENON_IO', 'XENON_FULL', 'XENON_FAILED')
  }

  private watch(action: () => void, check: (error: unknown) => void): void {
    const { struck } = this.disk.rules
    const error = thrownBy(action)
    if (error === undefined) this.requireNoticed(struck)
    else check(error)
  }

  /** Only zeros ahead of the log's end, on a full disk, may fail without anybody being told. */
  private requireNoticed(struck: number): void {
    const { kind, effect } = this.injection
    if (this.disk.rules.struck === struck) return
    if (kind === 'write' && (effect === 'ENOSPC' || effect === 'short')) return
    throw new Error('an error was passed over')
  }

  private enter(changes: readonly Change[]): void {
    this.states.push(after(this.state, changes))
  }

  private acknowledge(): void {
    this.low = this.states.length - 1
  }

  /** After an operation threw: whether the handle refuses work. A write or sync that failed always makes it. */
  private isFailed(error: unknown): boolean {
    if (this.refuses()) return true
    const { kind } = this.injection
    // What finds no room for blocks is refused, and changes nothing.
    if ((error as XenonError).code === 'XENON_FULL') return false
    if (kind === 'write' || kind === 'sync' || (error as XenonError).code === 'XENON_FAILED')
      throw new Error(`the handle goes on after: ${(error as Error).message}`, { cause: error })
    return false
  }

  private refuses(): boolean {
    const error = thrownBy(() => this.db.begin().rollback())
    if (error !== undefined) this.requireRefusal(error)
    return error !== undefined
  }

  private requireRefusal(error: unknown): void {
    requireCode(error, 'XENON_FAILED')
    const db = this.db
    for (const action of [
      () => db.put('key', 'value'),
      () => db.get('key'),
      () => db.has('key'),
      () => db.delete('key'),
      () => db.batch([{ type: 'put', key: 'key', value: 'value' }]),
      () => db.begin(),
      () => db.reset(),
    ])
      requireCode(thrownBy(action), 'XENON_FAILED')
    if (this.unfinished !== undefined && !this.unfinished.ended) {
      const tx = this.unfinished
      requireCode(
        thrownBy(() => tx.put('key', 'value')),
        'XENON_FAILED',
      )
      requireCode(
        thrownBy(() => tx.commit()),
        'XENON_FAILED',
      )
    }
  }

  /** The handle has failed: it refuses everything, and the database is opened again. */
  private async failed(error: unknown): Promise<void> {
    const db = this.db
    for (const action of [
      () => db.async.put('key', 'value'),
      () => db.async.delete('key'),
      () => db.flush(),
      () => db.checkpoint(),
      () => db.verify(),
    ])
      requireCode(await failureOf(action), 'XENON_FAILED')
    requireCode(error, 'XENON_IO', 'XENON_FULL', 'XENON_FAILED')
    this.close(false)
    this.open()
  }

  /** A handle that goes on after an error holds what it held before. Errors that last make it unreadable. */
  private async requireSame(): Promise<void> {
    if (this.injection.times !== 1) return
    for (let attempt = 0; attempt < 2; attempt++) {
      const error = await this.watched(() => {
        requireEqual(scan(this.db), this.state, 'after an error')
      })
      if (error === undefined) return
      if (this.isFailed(error)) return this.failed(error)
    }
    throw new Error('an error that was to strike once struck twice')
  }
}

const requireCode = (error: unknown, ...codes: XenonErrorCode[]): XenonError => {
  if (error instanceof XenonError && codes.includes(error.code)) return error
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error)
  throw new Error(`expected ${codes.join(' or ')}, got ${(error as XenonError)?.code}: ${what}`, {
    cause: error,
  })
}

const after = (state: State, changes: readonly Change[]): State => {
  const next = new Map(state)
  for (const [key, value] of changes) {
    if (value === undefined) next.delete(key)
    else next.set(key, value)
  }
  return next
}

/** The number of the last state, from `low` on, that the records are. */
const matching = (found: State, states: readonly State[], low: number): number => {
  for (let number = states.length - 1; number >= low; number--)
    if (thrownBy(() => requireEqual(found, states[number]!, '')) === undefined) return number
  requireEqual(found, states[low]!, `no state after a commit; against ${low} of ${low}…${states.length - 1}`)
  throw new Error('unreachable')
}

const apply = (tx: Transaction, [key, value]: Change): void => {
  if (value === undefined) tx.delete(key)
  else tx.put(key, value)
}

const operation = ([key, value]: Change) =>
  value === undefined ? ({ type: 'delete', key } as const) : ({ type: 'put', key, value } as const)

const someChanges = (random: Random, count: number, keys: number, most: number): Change[] =>
  Array.from({ length: count }, (): Change => {
    const key = `key ${random.below(keys)}`
    return [key, random.chance(0.3) ? undefined : text(random, most)]
  })

/** A database with some small records and a large one: closed, or killed at work with a transaction under way. */
const filled = async (random: Random, killed: boolean): Promise<Base> => {
  const disk = new FaultDisk({ seed: random.next(), crc32 })
  const db = openOnDisk(disk, options)
  const changes: Change[] = Array.from({ length: 40 }, (_, i) => [`key ${i}`, text(random, 900)])
  changes.push(['large 0', text(random, 20_000, 9000)])
  db.batch(changes.map(operation))
  const state = new Map(changes as [string, string][])
  if (killed) {
    await db.checkpoint()
    for (const change of someChanges(random, 12, 40, 600)) {
      db.batch([operation(change)])
      if (change[1] === undefined) state.delete(change[0])
      else state.set(change[0], change[1])
    }
    const tx = db.begin()
    for (const change of someChanges(random, 24, 60, 600)) apply(tx, change)
    tx.put('large 1', text(random, 12_000, 9000))
    await db.flush()
  } else db.close()
  return { disk: disk.kill(random), state }
}

const workloads: readonly Workload[] = [
  {
    name: 'creation',
    async run(run) {
      run.open()
      for (let i = 0; i < 3; i++) await run.put(`key ${i}`, text(run.random, 300))
      await run.checkpoint()
      await run.delete('key 1')
      run.reopen()
      await run.get('key 0')
      await run.put('key 3', 'last')
      run.close()
    },
  },
  {
    name: 'all of it',
    base: random => filled(random, false),
    async run(run) {
      const { random } = run
      run.open()
      await run.put('key 1', text(random, 300))
      await run.delete('key 2')
      await run.batch(someChanges(random, 5, 50, 400))
      await run.transaction(someChanges(random, 4, 50, 400), 'commit', someChanges(random, 4, 50, 400))
      await run.transaction(someChanges(random, 4, 50, 400), 'rollback')
      await run.put('large 0', text(random, 20_000, 9000))
      await run.async(someChanges(random, 5, 50, 200).filter(([, value]) => value !== undefined))
      await run.checkpoint()
      for (let i = 0; i < 6; i++) await run.get(`key ${random.below(50)}`)
      await run.get('large 0')
      run.reopen()
      await run.delete('large 0')
      run.close()
    },
  },
  {
    name: 'larger than the pool',
    base: random => filled(random, false),
    async run(run) {
      const { random } = run
      run.open()
      await run.transaction(someChanges(random, 26, 120, 900), 'commit')
      await run.transaction(someChanges(random, 20, 120, 900), 'work')
      await run.batch([...someChanges(random, 20, 120, 900), ['large 0', text(random, 15_000, 9000)]])
      await run.transaction([...someChanges(random, 20, 120, 900), ['large 0', text(random, 15_000, 9000)]], 'rollback')
      await run.get('large 0')
      run.reopen()
      await run.get('key 3')
    },
  },
  {
    name: 'recovery',
    base: random => filled(random, true),
    async run(run) {
      const { random } = run
      run.open()
      await run.get('key 1')
      await run.put('key 1', text(random, 300))
      await run.transaction([['large 0', text(random, 15_000, 9000)], ...someChanges(random, 4, 50, 400)], 'commit')
      await run.flush()
      run.close()
    },
  },
  {
    name: 'log used again',
    base: random => filled(random, false),
    async run(run) {
      const { random } = run
      run.open()
      for (let i = 0; i < 5; i++) {
        await run.batch(someChanges(random, 6, 30, 1200))
        await run.put(`large ${i % 2}`, text(random, 40_000, 30_000))
        if (i === 3) await run.async(someChanges(random, 3, 30, 900))
      }
      await run.transaction(
        [
          ['large 0', undefined],
          ['large 1', text(random, 9000, 5000)],
        ],
        'commit',
      )
      run.reopen()
      await run.get('large 1')
    },
  },
  {
    name: 'ranges, times and compaction',
    stride: 7,
    base: random => filled(random, false),
    async run(run) {
      const { random } = run
      run.open()
      // Few of them to a leaf, so that the trees have inner nodes.
      const long = (i: number): string => `long ${i}`.padEnd(700, '.')
      await run.batch(Array.from({ length: 12 }, (_, i) => [long(i), text(random, 100)] as const))
      for (let i = 0; i < 4; i++) await run.putExpiring(`expires ${i}`, text(random, 400))
      await run.expire('expires 1')
      await run.range('key 1')
      await run.range('l')
      await run.transaction(
        Array.from({ length: 6 }, (_, i) => [long(i + 9), i < 3 ? undefined : 'new'] as const),
        'rollback',
      )
      await run.clear('key 2')
      await run.delete('large 0')
      await run.compact()
      await run.range('')
      await run.clear('long')
      run.reopen()
      await run.put('last', 'value')
      run.close()
    },
  },
]

const effectsOf = (kind: OperationKind): readonly FaultEffect[] => {
  if (['write', 'create', 'truncate', 'makeDirectory'].includes(kind)) return ['EIO', 'ENOSPC', 'short']
  return kind === 'sync' ? ['EIO', 'lose'] : ['EIO']
}

interface Tally {
  runs: number
  errors: number
}

const sweep = async (workload: Workload, seed: number, tally: Tally): Promise<void> => {
  const base = await workload.base?.(new Random(seed))
  const { stride = 1 } = workload
  for (const kind of operationKinds) {
    for (const effect of effectsOf(kind)) {
      const step = STRIDE * stride * (kind === 'read' ? READ_STRIDE : 1)
      for (const times of [1, Number.POSITIVE_INFINITY]) {
        for (let after = 0, struck = 1; struck > 0; after += step) {
          const run = new Run(base, seed, { kind, effect, times, after })
          try {
            const error = await failureOf(() => workload.run(run))
            if (error !== undefined && !(error instanceof Stopped)) throw error
            struck = run.disk.rules.struck
            await run.finish()
          } catch (error) {
            throw new Error(
              `${workload.name}, seed ${seed}: ${kind} ${effect}, times ${times}, N = ${after}: ${(error as Error).message}`,
              { cause: error },
            )
          }
          tally.errors += struck
          tally.runs++
        }
      }
    }
  }
}

const seeds: Record<string, readonly number[]> = {
  creation: [1],
  'all of it': [2],
  'larger than the pool': [4],
  recovery: [5, 6],
  'log used again': [7],
  'ranges, times and compaction': [8],
}
const total: Tally = { runs: 0, errors: 0 }

for (const workload of workloads) {
  test(`an error at any operation: ${workload.name}`, async () => {
    for (const seed of seeds[workload.name]!) {
      const tally: Tally = { runs: 0, errors: 0 }
      await sweep(workload, seed, tally)
      total.runs += tally.runs
      total.errors += tally.errors
    }
  })
}

test(`at least ${INJECTIONS} errors were injected`, () => {
  console.log(`${total.errors} errors injected in ${total.runs} runs`)
  expect(total.errors).toBeGreaterThanOrEqual(INJECTIONS)
})
