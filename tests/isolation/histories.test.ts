/** Random histories of list-appends at every isolation level, checked for what the level forbids. */
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type Database, type IsolationLevel, memoryStorage, open } from '../../src/index.ts'
import { TransactionManager } from '../../src/txn/manager.ts'
import type { TransactionState } from '../../src/txn/transaction-state.ts'
import { rounds } from '../support/long.ts'
import { type Random, runs, runTimeout, seeded } from '../support/random.ts'
import { check, type Phenomenon, type Record, type Step } from './checker.ts'

/** Each run is a database of its own. */
const RUNS = rounds(7, 20) * runs
const TRANSACTIONS = 1010

interface Shape {
  isolation: IsolationLevel
  transactions: number
}

/** The lists of a run: in few blocks or in many. */
const listName = (number: number): string => `list ${String(number).padStart(2, '0')}`

const parse = (value: string | undefined): number[] =>
  value === undefined || value === '' ? [] : value.split(',').map(Number)

/** Runs random transactions side by side; what they read and wrote, and what the lists hold in the end. */
async function run(
  random: Random,
  { isolation, transactions }: Shape,
): Promise<{ history: Record[]; last: Map<string, number[]>; retries: number }> {
  const db: Database = open('db', { storage: memoryStorage(), durability: 'none', lockTimeout: 30_000 })
  const history: Record[] = []
  const lists = random.between(4, 24)
  const workers = random.between(5, 20)
  // Wide numbers make lists that are large values, and buckets that split.
  const width = random.pick([0, 0, 16])
  let number = 0
  let retries = 0
  let started = 0

  const perform = async (record: Record): Promise<void> => {
    const readOnly = random.chance(0.15)
    const tx = await db.async.begin({ isolation, readOnly })
    try {
      for (let i = random.between(1, 4); i > 0; i--) {
        const list = listName(random.below(lists))
        const roll = random.below(10)
        if (roll < 2) {
          const first = random.below(lists)
          const range = { gte: listName(first), lt: listName(first + random.between(1, 4)) }
          const found = new Map<string, number[]>()
          for await (const [key, value] of tx.entries(range)) found.set(key, parse(value))
          for (let at = first; listName(at) < range.lt && at < lists; at++) {
            const value = found.get(listName(at))
            // That something is not there is no reading at a level that has phantoms.
            if (value !== undefined || isolation !== 'repeatable-read')
              record.steps.push({ kind: 'read', list: listName(at), value: value ?? [] })
          }
        } else if (roll < 5 || readOnly) {
          record.steps.push({ kind: 'read', list, value: parse(await tx.get(list)) })
        } else {
          const before = await tx.get(list)
          const value = parse(before)
          record.steps.push({ kind: 'read', list, value })
          const step: Step = { kind: 'append', list, number: number++ }
          if (random.chance(0.3)) await turn()
          // Noted before it is done: it may have been seen even if it fails later.
          record.steps.push(step)
          const text = String(step.number).padStart(width, '0')
          await tx.put(list, before === undefined ? text : `${before},${text}`)
        }
        if (random.chance(0.2)) await turn()
      }
      if (random.chance(0.08)) {
        await tx.rollback()
        return
      }
      await tx.commit()
      record.committed = true
    } catch (error) {
      const { code } = error as { code?: string }
      if (code !== 'XENON_DEADLOCK' && code !== 'XENON_WRITE_CONFLICT') throw error
      retries++
      tx.abandon()
    }
  }

  await Promise.all(
    Array.from({ length: workers }, async () => {
      while (started < transactions) {
        const record: Record = { id: started++, committed: false, steps: [] }
        history.push(record)
        await perform(record)
      }
    }),
  )
  const last = new Map([...db.entries()].map(([key, value]) => [key, parse(value)] as const))
  expect(db.stats().transactions.open).toBe(0)
  db.close()
  return { history, last, retries }
}

/** What a level must never show. Where reads are not locked, a list read and written back loses what came between. */
const forbidden: { [level in IsolationLevel]: readonly Phenomenon[] } = {
  'read-uncommitted': ['G0'],
  'read-committed': ['G0', 'G1a', 'G1b', 'G1c'],
  'repeatable-read': ['G0', 'G1a', 'G1b', 'G1c', 'G-single', 'lost append', 'forked list'],
  snapshot: ['G0', 'G1a', 'G1b', 'G1c', 'G-single', 'lost append', 'forked list'],
  serializable: ['G0', 'G1a', 'G1b', 'G1c', 'G-single', 'G2', 'lost append', 'forked list'],
}

async function examine(
  isolation: IsolationLevel,
  transactions: number,
  count: number,
): Promise<{ committed: number; all: number; retries: number; seen: Set<Phenomenon> }> {
  const total = { committed: 0, all: 0, retries: 0, seen: new Set<Phenomenon>() }
  for (let i = 0; i < count; i++)
    await seeded(async random => {
      const { history, last, retries } = await run(random, { isolation, transactions })
      const found = check(history, last)
      total.all += history.length
      total.committed += history.filter(({ committed }) => committed).length
      total.retries += retries
      for (const [phenomenon, example] of found) {
        total.seen.add(phenomenon)
        if (forbidden[isolation].includes(phenomenon)) throw new Error(`${phenomenon}: ${example}`)
      }
    })
  return total
}

describe('random histories', () => {
  test.each(Object.keys(forbidden) as IsolationLevel[])(
    'at %s show nothing that it forbids',
    async isolation => {
      const total = await examine(isolation, TRANSACTIONS, RUNS)
      console.log(
        `${isolation}: ${total.all} transactions, ${total.committed} committed, ${total.retries} deadlocks or conflicts; shows ${[...total.seen].sort().join(', ') || 'nothing'}`,
      )
      expect(total.all).toBeGreaterThanOrEqual(RUNS * 1000)
      expect(total.committed).toBeGreaterThan(total.all / 3)
    },
    runTimeout,
  )
})

/** Runs `body` with transactions that can not be told to hold some of their locks. */
async function without(locks: 'locksReads' | 'locksRanges', body: () => Promise<unknown>): Promise<unknown> {
  const { prototype } = TransactionManager
  const { begin } = prototype
  prototype.begin = function (this: TransactionManager, shared: boolean): TransactionState {
    const state = begin.call(this, shared)
    Object.defineProperty(state, locks, { get: () => false, set: () => {} })
    return state
  }
  try {
    return await body().then(
      () => undefined,
      (error: unknown) => error,
    )
  } finally {
    prototype.begin = begin
  }
}

describe('a serializable level that is not', () => {
  test.each(['locksReads', 'locksRanges'] as const)('is noticed: %s off', async locks => {
    const error = await without(locks, () => examine('serializable', 200, 40))
    expect(String(error)).toMatch(/G-single|G2|lost append/)
  })
})

describe('the checker notices', () => {
  const a = (id: number, committed: boolean, ...steps: Step[]): Record => ({ id, committed, steps })
  const append = (list: string, number: number): Step => ({ kind: 'append', list, number })
  const read = (list: string, ...value: number[]): Step => ({ kind: 'read', list, value })
  const cases: [Phenomenon | undefined, Record[], { [list: string]: number[] }][] = [
    [undefined, [a(1, true, append('x', 1)), a(2, true, read('x', 1), append('x', 2))], { x: [1, 2] }],
    [
      'G0',
      [a(1, true, append('x', 1), append('y', 2)), a(2, true, append('x', 3), append('y', 4))],
      { x: [1, 3], y: [4, 2] },
    ],
    ['G1a', [a(1, false, append('x', 1)), a(2, true, read('x', 1))], {}],
    ['G1b', [a(1, true, append('x', 1), append('x', 2)), a(2, true, read('x', 1))], { x: [1, 2] }],
    ['G1c', [a(1, true, append('x', 1), read('y', 2)), a(2, true, append('y', 2), read('x', 1))], { x: [1], y: [2] }],
    ['G-single', [a(1, true, read('x'), read('y', 2)), a(2, true, append('x', 1), append('y', 2))], { x: [1], y: [2] }],
    ['G2', [a(1, true, read('x'), append('y', 1)), a(2, true, read('y'), append('x', 2))], { x: [2], y: [1] }],
    ['lost append', [a(1, true, append('x', 1)), a(2, true, append('x', 2))], { x: [2] }],
    ['forked list', [a(1, true, append('x', 1)), a(2, true, append('x', 2)), a(3, true, read('x', 2))], { x: [1, 2] }],
  ]
  test.each(cases)('%s', (phenomenon, history, last) => {
    const found = [...check(history, new Map(Object.entries(last))).keys()]
    if (phenomenon === undefined) expect(found).toEqual([])
    else expect(found).toContain(phenomenon)
  })
})
