/**
 * A long random run of a database against a Map: every operation is made on both and their answers compared.
 * Crash images taken on the way are recovered in memory and held against the history of commits.
 */
import { type BatchOperation, type Database, open, type Transaction } from '../../src/index.ts'
import { closeQuietly, expectVerified, type Subject } from '../support/database.ts'
import { type Change, History } from '../support/history.ts'
import { storageOf } from '../support/image.ts'
import { expectEqual, sameValue, scan, show } from '../support/model.ts'
import type { Random } from '../support/random.ts'
import { randomLength } from './keys-and-values.ts'

export interface RunSettings<V> {
  keys: readonly string[]
  /** A value of about `length` bytes. */
  value(length: number): V
  lengthOf(value: V): number
  blockSize: number
  /** Bytes put before the run begins, so that buckets split and the pool overflows. */
  preloadBytes: number
}

export class RandomRun<V> {
  readonly #subject: Subject<V>
  readonly #random: Random
  readonly #settings: RunSettings<V>
  readonly #records: Map<string, V> = new Map()
  readonly #history: History<V> = new History()
  /** Commits of `db.async` that have not resolved. */
  #inFlight: Promise<void>[] = []
  readonly #weights: readonly (readonly [weight: number, step: () => void | Promise<void>])[] = [
    [300, () => this.#put(this.#db, this.#anyKey())],
    [100, () => this.#resize()],
    [120, () => this.#delete(this.#db, this.#anyKey())],
    [60, () => this.#batch()],
    [80, () => this.#transaction()],
    [120, () => this.#read()],
    [50, () => this.#async()],
    [4, () => this.#settle()],
    [4, () => this.#reopen()],
    [6, () => this.#checkpoint()],
    [3, () => this.#flush()],
    [4, () => this.#crash()],
    [4, () => this.#check()],
  ]

  constructor(subject: Subject<V>, random: Random, settings: RunSettings<V>) {
    this.#subject = subject
    this.#random = random
    this.#settings = settings
  }

  get #db(): Database<V> {
    return this.#subject.db
  }

  async run(steps: number): Promise<void> {
    this.#preload()
    const total = this.#weights.reduce((sum, [weight]) => sum + weight, 0)
    for (let i = 0; i < steps; i++) {
      let roll = this.#random.below(total)
      for (const [weight, step] of this.#weights) {
        roll -= weight
        if (roll >= 0) continue
        try {
          await step()
        } catch (error) {
          if (error instanceof Error) error.message = `step ${i} ${step}: ${error.message}`
          throw error
        }
        break
      }
    }
    await this.#check()
    await this.#reopen()
    await this.#check()
  }

  #preload(): void {
    let bytes = 0
    for (const key of this.#settings.keys) {
      if (bytes >= this.#settings.preloadBytes) break
      const length = this.#random.between(1, this.#settings.blockSize >> 3)
      this.#put(this.#db, key, length)
      bytes += length
    }
  }

  #anyKey(): string {
    return this.#random.pick(this.#settings.keys)
  }

  #value(length: number = randomLength(this.#random, this.#settings.blockSize)): V {
    return this.#settings.value(length)
  }

  #put(db: Database<V>, key: string, length?: number): void {
    const value = this.#value(length)
    db.put(key, value)
    this.#committed([[key, value]])
    this.#expectValue(db, key)
  }

  /** An update of a record by a value that is a little shorter, longer, or as long. */
  #resize(): void {
    const key = this.#anyKey()
    const old = this.#records.get(key)
    const change = this.#random.pick([0, 0, -1, 1, -17, 17, -300, 300])
    const length = old === undefined ? undefined : this.#settings.lengthOf(old) + change
    this.#put(this.#db, key, length === undefined ? undefined : Math.max(0, length))
  }

  #delete(db: Database<V>, key: string): void {
    this.#expectAnswer(`delete(${show(key)})`, db.delete(key), this.#records.has(key))
    this.#committed([[key, undefined]])
    this.#expectValue(db, key)
  }

  #batch(): void {
    const changes = this.#randomChanges(20)
    this.#db.batch(operationsOf(changes))
    this.#committed(changes)
    for (const [key] of changes) this.#expectValue(this.#db, key)
  }

  async #transaction(): Promise<void> {
    const before = new Map(this.#records)
    const view = new Map(this.#records)
    const changes: Change<V>[] = []
    const tx = this.#db.begin()
    await this.#transactionSteps(tx, view, changes)
    const ending = this.#random.below(5)
    if (ending === 0) tx.rollback()
    else if (ending === 1) tx[Symbol.dispose]()
    else if (ending === 2) {
      this.#committed(changes, tx.commitSoon())
    } else {
      tx.commit()
      this.#committed(changes)
    }
    const expected = ending < 2 ? before : view
    for (const [key] of changes) this.#expectValue(this.#db, key, expected)
  }

  async #transactionSteps(tx: Transaction<V>, view: Map<string, V>, changes: Change<V>[]): Promise<void> {
    const savepoints: { savepoint: ReturnType<Transaction<V>['savepoint']>; length: number }[] = []
    const apply = (key: string, value: V | undefined): void => {
      changes.push([key, value])
      if (value === undefined) view.delete(key)
      else view.set(key, value)
    }
    const steps = this.#random.between(1, 30)
    for (let i = 0; i < steps; i++) {
      const key = this.#anyKey()
      const roll = this.#random.below(100)
      if (roll < 45) {
        const value = this.#value()
        tx.put(key, value)
        apply(key, value)
      } else if (roll < 65) {
        this.#expectAnswer(`tx.delete(${show(key)})`, tx.delete(key), view.has(key))
        apply(key, undefined)
      } else if (roll < 75) {
        savepoints.push({ savepoint: tx.savepoint(), length: changes.length })
      } else if (roll < 82 && savepoints.length > 0) {
        const target = this.#random.below(savepoints.length)
        const { savepoint, length } = savepoints[target]!
        savepoints.length = target
        tx.rollbackTo(savepoint)
        changes.length = length
        view.clear()
        for (const [known, value] of this.#records) view.set(known, value)
        for (const [changed, value] of changes.slice()) {
          if (value === undefined) view.delete(changed)
          else view.set(changed, value)
        }
      } else if (roll < 98) {
        this.#expectValue(tx, key, view)
        this.#expectValue(this.#db, key)
      } else if (roll === 98) {
        await this.#crash()
      }
    }
    for (const [key] of changes) {
      this.#expectValue(tx, key, view)
      this.#expectValue(this.#db, key)
    }
  }

  #read(): void {
    const keys = Array.from({ length: this.#random.between(1, 10) }, () => this.#anyKey())
    const found = this.#db.getMany(keys)
    if (found.length !== keys.length) throw new Error(`getMany of ${keys.length} gave ${found.length}`)
    for (const [i, key] of keys.entries()) {
      this.#expectValue(this.#db, key)
      this.#expectAnswer(`getMany ${show(key)}`, found[i], this.#records.get(key))
      const absent = `absent ${key.slice(0, 100)}`
      if (!this.#records.has(absent)) this.#expectValue(this.#db, absent)
    }
  }

  #async(): void {
    const key = this.#anyKey()
    const roll = this.#random.below(3)
    if (roll === 0) {
      const value = this.#value()
      this.#committed([[key, value]], this.#db.async.put(key, value))
    } else if (roll === 1) {
      this.#committed([[key, undefined]], this.#db.async.delete(key))
    } else {
      const changes = this.#randomChanges(5)
      this.#committed(changes, this.#db.async.batch(operationsOf(changes)))
    }
    this.#expectValue(this.#db, key)
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#inFlight)
    this.#inFlight = []
  }

  async #reopen(): Promise<void> {
    await this.#settle()
    this.#subject.reopen()
    this.#history.settle(this.#records)
  }

  async #checkpoint(): Promise<void> {
    await this.#db.checkpoint()
  }

  async #flush(): Promise<void> {
    await this.#db.flush()
    this.#history.settle(this.#records)
  }

  /** What SIGKILL would leave behind at this moment recovers to a state that may be. */
  async #crash(): Promise<void> {
    const copy = open<V, string>('db', { ...this.#subject.options, storage: storageOf(this.#subject.image()) })
    try {
      this.#history.expectRecovered(scan(copy))
      await expectVerified(copy)
    } finally {
      closeQuietly(copy)
    }
  }

  async #check(): Promise<void> {
    expectEqual(this.#db, this.#records)
    await expectVerified(this.#db, this.#records.size)
  }

  #randomChanges(most: number): Change<V>[] {
    return Array.from({ length: this.#random.between(1, most) }, () => [
      this.#anyKey(),
      this.#random.chance(0.7) ? this.#value() : undefined,
    ])
  }

  /** Notes a commit that has returned, or one in flight that is certain once `promise` resolves. */
  #committed(changes: readonly Change<V>[], promise?: Promise<unknown>): void {
    // A commit that changes nothing need not make those before it durable.
    let effective = false
    for (const [key, value] of changes) {
      effective ||= value !== undefined || this.#records.has(key)
      if (value === undefined) this.#records.delete(key)
      else this.#records.set(key, value)
    }
    const number = this.#history.commit([...changes])
    if (this.#subject.options.durability === 'none') {
      if (promise !== undefined) this.#inFlight.push(promise.then(() => undefined))
    } else if (promise === undefined) {
      if (effective) this.#history.certain(number)
    } else {
      const history = this.#history
      const epoch = history.epoch
      this.#inFlight.push(
        promise.then(() => (effective && history.epoch === epoch ? history.certain(number) : undefined)),
      )
    }
  }

  #expectValue(
    reader: { get(key: string): V | undefined; has(key: string): boolean },
    key: string,
    expected: ReadonlyMap<string, V> = this.#records,
  ): void {
    this.#expectAnswer(`get(${show(key)})`, reader.get(key), expected.get(key))
    this.#expectAnswer(`has(${show(key)})`, reader.has(key), expected.has(key))
  }

  #expectAnswer(question: string, answer: unknown, expected: unknown): void {
    if (!sameValue(answer, expected)) {
      throw new Error(`${question} gave ${show(answer)}, expected ${show(expected)}`)
    }
  }
}

function operationsOf<V>(changes: readonly Change<V>[]): BatchOperation<V>[] {
  return changes.map(([key, value]) => (value === undefined ? { type: 'delete', key } : { type: 'put', key, value }))
}
