/** Waiting for locks: as a model that looks through everything, and at a cost that does not grow with the line. */
import { describe, expect, test } from 'vitest'
import type { Bounds } from '../../src/runtime/bytes.ts'
import { Grant, type Lock, LockTable } from '../../src/txn/locks.ts'
import { RangeLocks } from '../../src/txn/range-locks.ts'
import { TransactionState } from '../../src/txn/transaction-state.ts'
import type { Conflict } from '../../src/txn/wait-line.ts'
import { Waits } from '../../src/txn/waits.ts'
import { runs, seeded } from '../support/random.ts'
import { NaiveWaits } from './naive-waits.ts'

const LONG = 2 ** 31

/** What transactions ask for. */
type Want =
  | { readonly kind: 'lock'; readonly lock: Lock; readonly exclusive: boolean }
  | { readonly kind: 'change'; readonly key: Uint8Array }
  | { readonly kind: 'range'; readonly bounds: Bounds }

/** Transactions that lock, wait and end, as the transaction manager has it. */
class House {
  readonly locks: LockTable = new LockTable()
  readonly log: string[] = []
  readonly #ranges: RangeLocks = new RangeLocks()
  readonly #waits: Waits | NaiveWaits
  readonly #open: Map<number, { state: TransactionState; changed: Set<number> }> = new Map()
  readonly #controllers: Map<number, AbortController> = new Map()
  #wants = 0

  constructor(make: (locks: LockTable) => Waits | NaiveWaits) {
    this.#waits = make(this.locks)
  }

  get waiting(): number {
    return this.#waits.waiting
  }

  begin(id: number, state: TransactionState = new TransactionState(id, false, true)): void {
    this.#open.set(id, { state, changed: new Set() })
  }

  isOpen(id: number): boolean {
    return this.#open.has(id)
  }

  /** Asks at once; if it has to wait, the log says how that ends. */
  ask(id: number, want: Want): void {
    void this.#do(id, want, this.#wants++)
  }

  async #do(id: number, want: Want, number: number): Promise<void> {
    for (;;) {
      const transaction = this.#open.get(id)
      if (transaction === undefined) {
        this.log.push(`${number} is over`)
        return
      }
      const conflict = this.#conflict(transaction, want)
      if (conflict === undefined) {
        this.log.push(`${number} has it`)
        return
      }
      const controller = new AbortController()
      this.#controllers.set(number, controller)
      try {
        await this.#waits.wait(transaction.state, conflict, LONG, controller.signal)
        this.log.push(`${number} goes on`)
      } catch (error) {
        this.log.push(`${number}: ${/deadlock/.test((error as Error).message) ? 'deadlock' : 'aborted'}`)
        if (/deadlock/.test((error as Error).message)) this.end(id)
        return
      } finally {
        this.#controllers.delete(number)
      }
    }
  }

  #conflict({ state, changed }: { state: TransactionState; changed: Set<number> }, want: Want): Conflict | undefined {
    const waits = this.#waits
    const { locks } = this
    if (want.kind === 'change') {
      const holders = [
        ...this.#ranges.holdersOf(want.key, state.id),
        ...waits.waitersForRange(state, want.key, this.#ranges),
      ]
      if (holders.length > 0) return { holders, lock: undefined, exclusive: true, key: want.key, ranges: this.#ranges }
      changed.add(want.key[0]!)
      return undefined
    }
    if (want.kind === 'range') {
      const { lower, upper } = want.bounds
      const holders: number[] = []
      for (const other of this.#open.values())
        if (other.state !== state && [...other.changed].some(key => key >= lower!.key[0]! && key <= upper!.key[0]!))
          holders.push(other.state.id)
      holders.push(...waits.waitersForRange(state, want.bounds, this.#ranges))
      if (holders.length > 0)
        return { holders, lock: undefined, exclusive: false, bounds: want.bounds, ranges: this.#ranges }
      this.#ranges.add(state.id, want.bounds)
      return undefined
    }
    const { lock, exclusive } = want
    if (waits.waiting > 0 && !locks.isHeldBy(lock, state.id) && waits.isQueued(lock, state, exclusive))
      return {
        holders: [...locks.holders(lock, state.id, exclusive), ...waits.waitersFor(lock, state, exclusive)],
        lock,
        exclusive,
      }
    const grant = exclusive ? locks.lockExclusive(lock, state.id) : locks.lockShared(lock, state.id)
    if (grant === Grant.fresh) state.locks.push(lock)
    return grant === Grant.refused ? { holders: locks.holders(lock, state.id, exclusive), lock, exclusive } : undefined
  }

  end(id: number): void {
    const transaction = this.#open.get(id)
    if (transaction === undefined) return
    const { state } = transaction
    const waits = this.#waits
    const lines = waits instanceof Waits ? waits.linesBehind(state) : []
    for (const lock of state.locks) this.locks.release(lock, id)
    state.locks.length = 0
    this.#ranges.release(id)
    this.#open.delete(id)
    waits.ended(state, lines)
  }

  abort(number: number): void {
    this.#controllers.get(number)?.abort(new Error('aborted'))
  }
}

const settled = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

describe('waits agree with the model', () => {
  for (const ranges of [false, true])
    test(ranges ? 'for ranges and locks' : 'for locks', () =>
      seeded(async random => {
        let waited = 0
        let deadlocks = 0
        for (let run = 0; run < 60 * runs; run++) {
          const real = new House(locks => new Waits(locks))
          const model = new House(locks => new NaiveWaits(locks))
          let next = 1
          let wants = 0
          const open: number[] = []
          for (let step = 0; step < 120; step++) {
            for (let at = open.length - 1; at >= 0; at--) if (!real.isOpen(open[at]!)) open.splice(at, 1)
            const roll = random.below(100)
            if (open.length < 2 || (open.length < 7 && roll < 15)) {
              open.push(next)
              for (const house of [real, model]) house.begin(next)
              next++
            } else if (roll < 80) {
              const id = random.pick(open)
              const from = random.below(6)
              const bound = (key: number) => ({ key: new Uint8Array([key]), inclusive: true })
              const want: Want =
                !ranges || random.chance(0.4)
                  ? { kind: 'lock', lock: random.below(2), exclusive: random.chance(0.5) }
                  : random.chance(0.5)
                    ? { kind: 'change', key: new Uint8Array([from]) }
                    : { kind: 'range', bounds: { lower: bound(from), upper: bound(from + random.below(2)) } }
              for (const house of [real, model]) house.ask(id, want)
              wants++
            } else if (roll < 93) {
              const id = random.pick(open)
              for (const house of [real, model]) house.end(id)
            } else {
              const number = random.below(wants + 1)
              for (const house of [real, model]) house.abort(number)
            }
            await settled()
            expect(real.log).toEqual(model.log)
            expect(real.waiting).toBe(model.waiting)
            for (const id of [...open, next])
              for (const lock of [0, 1]) {
                expect(real.locks.isHeldBy(lock, id)).toBe(model.locks.isHeldBy(lock, id))
                expect(real.locks.exclusiveOwner(lock)).toBe(model.locks.exclusiveOwner(lock))
              }
            waited += real.waiting
          }
          deadlocks += real.log.filter(line => line.endsWith('deadlock')).length
          for (const id of open) for (const house of [real, model]) house.end(id)
          await settled()
          while (real.waiting > 0 || model.waiting > 0) {
            for (let id = 1; id < next; id++) for (const house of [real, model]) house.end(id)
            await settled()
          }
          expect(real.log).toEqual(model.log)
          expect([real.locks.size, real.locks.exclusive]).toEqual([0, 0])
        }
        expect(waited).toBeGreaterThan(500)
        expect(deadlocks).toBeGreaterThan(10)
      }),
    )
})

/** Counts how often anybody looks at a transaction. */
class Looks {
  count = 0

  state(id: number): TransactionState {
    const state = new TransactionState(id, false, true)
    Object.defineProperty(state, 'id', {
      get: () => {
        this.count++
        return id
      },
    })
    return state
  }
}

/** How often transactions are looked at while a line of `length` comes behind one that holds what they want, and goes. */
const looksAtALine = async (length: number, want: (n: number) => Want, leave: 'in turn' | 'abort'): Promise<number> => {
  const looks = new Looks()
  const house = new House(locks => new Waits(locks))
  house.begin(1, looks.state(1))
  for (let n = 0; n < length; n++) house.ask(1, opposite(want(n)))
  for (let n = 0; n < length; n++) {
    house.begin(n + 2, looks.state(n + 2))
    house.ask(n + 2, want(n))
  }
  expect(house.waiting).toBe(length)
  if (leave === 'abort') for (let n = 0; n < length; n++) house.abort(length + n)
  for (let id = 1; id <= length + 1; id++) {
    house.end(id)
    await settled()
  }
  expect(house.waiting).toBe(0)
  const ends = leave === 'abort' ? 'aborted' : 'has it'
  expect(house.log.filter(line => line.endsWith(ends)).length).toBeGreaterThanOrEqual(length)
  return looks.count
}

/** What keeps it waiting. */
const opposite = (want: Want): Want => {
  if (want.kind === 'lock') return { ...want, exclusive: true }
  const bound = { key: new Uint8Array([7]), inclusive: true }
  return { kind: 'range', bounds: { lower: bound, upper: bound } }
}

describe('a line of 4,000 looks at transactions four times as often as one of 1,000', () => {
  const bytes = new Uint8Array([7])
  const wants: [string, (n: number) => Want][] = [
    ['for one lock', () => ({ kind: 'lock', lock: 1, exclusive: true })],
    ['for one lock, shared', () => ({ kind: 'lock', lock: 1, exclusive: false })],
    ['for one lock, shared and exclusive in turn', n => ({ kind: 'lock', lock: 1, exclusive: n % 2 === 0 })],
    ['for a lock each', n => ({ kind: 'lock', lock: n, exclusive: true })],
    ['to change a key of a range', () => ({ kind: 'change', key: bytes })],
  ]
  for (const [name, want] of wants)
    for (const leave of ['in turn', 'abort'] as const)
      test(`${name}, ${leave === 'abort' ? 'given up' : 'served'}`, async () => {
        const few = await looksAtALine(1000, want, leave)
        const many = await looksAtALine(4000, want, leave)
        expect(many).toBeLessThan(4.2 * few)
        expect(many).toBeLessThan(60 * 4000)
      })
})
