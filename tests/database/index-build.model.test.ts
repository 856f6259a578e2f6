/** Building an index while others write, at random: transactions that had begun before, writers, closes and crashes. */

import { test } from 'vitest'
import {
  type Database,
  type Index,
  memoryStorage,
  open,
  type Storage,
  type Transaction,
  XenonError,
} from '../../src/index.ts'
import { expectVerified } from '../support/database.ts'
import { readImage, storageOf } from '../support/image.ts'
import fc from '../support/property.ts'

/** More than are indexed at once. */
const RECORDS = 2500

type Write = { key: number; group: number | undefined }
type Step =
  | { kind: 'turn' }
  | { kind: 'write'; write: Write }
  | { kind: 'inside'; of: number; write: Write }
  | { kind: 'end'; of: number; commits: boolean }
  | { kind: 'clear'; from: number }

const write: fc.Arbitrary<Write> = fc.record({
  // Often one that is not there at first.
  key: fc.oneof(fc.integer({ min: 0, max: RECORDS }), fc.integer({ min: RECORDS, max: RECORDS + 10 })),
  group: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }),
})
const of = fc.integer({ min: 0, max: 2 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: 'turn' as const }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('write' as const), write }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('inside' as const), of, write }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('end' as const), of, commits: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('clear' as const), from: fc.integer({ min: 0, max: RECORDS }) }),
  },
)

const options = { durability: 'process' } as const
const keyOf = (number: number): string => `key ${number.toString().padStart(5, '0')}`
/** Some records have no index key. */
const groupOf = (value: string): string | undefined => (value === 'group 5' ? undefined : value)

const change = (store: Pick<Transaction, 'put' | 'delete'>, { key, group }: Write): void => {
  if (group === undefined) store.delete(keyOf(key))
  else store.put(keyOf(key), `group ${group}`)
}

/** Another open transaction may hold what is to be changed: then nothing is. */
const unlessLocked = (work: () => void): void => {
  try {
    work()
  } catch (error) {
    if (!(error instanceof XenonError && error.code === 'XENON_LOCK_CONFLICT')) throw error
  }
}

class Writers {
  private readonly db: Database
  private readonly open: (Transaction | undefined)[] = []

  constructor(db: Database) {
    this.db = db
  }

  async take(step: Step): Promise<void> {
    if (step.kind === 'turn') await new Promise(resolve => setImmediate(resolve))
    else if (step.kind === 'write') unlessLocked(() => change(this.db, step.write))
    else if (step.kind === 'clear')
      unlessLocked(() => this.db.clear({ gte: keyOf(step.from), lt: keyOf(step.from + 100) }))
    else if (step.kind === 'inside') {
      this.open[step.of] ??= this.db.begin()
      unlessLocked(() => change(this.open[step.of]!, step.write))
    } else this.end(step.of, step.commits)
  }

  end(of: number, commits: boolean): void {
    if (commits) this.open[of]?.commit()
    else this.open[of]?.rollback()
    this.open[of] = undefined
  }

  endAll(): void {
    for (let of = 0; of < this.open.length; of++) this.end(of, of % 2 === 0)
  }
}

const requireRight = async (db: Database, index: Index<string, string, string>): Promise<void> => {
  const { problems } = await index.verify()
  if (problems.length > 0) throw new Error(problems.slice(0, 5).join('\n'))
  const expected = [...db.values()].filter(value => groupOf(value) !== undefined).length
  if (index.count() !== expected) throw new Error(`${index.count()} entries, there should be ${expected}`)
}

const filled = (): { db: Database; storage: Storage } => {
  const storage = memoryStorage()
  const db = open('db', { ...options, storage })
  db.batch(
    Array.from({ length: RECORDS }, (_, i) => ({ type: 'put' as const, key: keyOf(i), value: `group ${i % 6}` })),
  )
  return { db, storage }
}

test('an index is complete and right when it is ready, whoever wrote meanwhile, and after a crash in between', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 15 }),
      fc.array(step, { minLength: 5, maxLength: 40 }),
      fc.nat({ max: 40 }),
      fc.boolean(),
      fc.option(write, { nil: undefined }),
      async (before, during, crashAt, staysOpen, blindly) => {
        const { db, storage } = filled()
        const writers = new Writers(db)
        for (const each of before) await writers.take(each)
        const index = db.index('group', groupOf)
        let image: Storage | undefined
        for (const [i, each] of during.entries()) {
          await writers.take(each)
          if (i === Math.min(crashAt, during.length - 1)) image = storageOf(readImage('db', storage))
        }
        // Transactions that are open when all has been gone through.
        for (let turn = 0; staysOpen && turn < 60 && !index.isReady; turn++) await writers.take({ kind: 'turn' })
        writers.endAll()
        await index.ready
        await requireRight(db, index)
        await expectVerified(db)
        db.close()
        const crashed = open('db', { ...options, storage: image! })
        // Of one that was half built, whoever had not declared it makes a stale one.
        if (blindly !== undefined) change(crashed, blindly)
        const again = crashed.index('group', groupOf)
        await again.ready
        await requireRight(crashed, again)
        await expectVerified(crashed)
        crashed.close()
      },
    ),
    { numRuns: 30 },
  )
}, 120_000)
