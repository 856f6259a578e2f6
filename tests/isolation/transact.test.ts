/** Asynchronous transactions: waiting, fairness, deadlocks, phantoms, aborts, and what stands beside them. */
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { AsyncTransaction, IsolationLevel } from '../../src/index.ts'
import { type Subject, withMemoryDatabase } from '../support/database.ts'
import { expectCode, expectCodeAsync, failureOf } from '../support/errors.ts'
import { Actor, all, isPending, Keys, settle } from './actors.ts'

const durability = 'none'

/** A database with k0 … k9, each in an index block of its own. */
const withKeys = (
  body: (subject: Subject<string>, k: readonly string[], keys: Keys) => Promise<unknown>,
  options: { lockTimeout?: number } = {},
): Promise<void> =>
  withMemoryDatabase({ durability, lockTimeout: 20_000, ...options }, async subject => {
    const keys = new Keys(subject)
    const k = Array.from({ length: 10 }, (_, i) => keys.in(i + 1))
    for (const key of k) subject.db.put(key, '0')
    await body(subject, k, keys)
    expect(subject.db.stats().transactions.open).toBe(0)
    expect(locksOf(subject)).toEqual({ exclusive: 0, waiting: 0 })
    for (const key of k) subject.db.put(key, 'free')
  })

/** Locks still held, and waits still queued. */
const locksOf = ({ db }: Subject<string>): { exclusive: number; waiting: number } => {
  const { transactions } = (
    db as unknown as {
      engine: { transactions: { locks: { exclusive: number }; waits: { waiting: number } } }
    }
  ).engine
  return { exclusive: transactions.locks.exclusive, waiting: transactions.waits.waiting }
}

const codeOf = async (promise: Promise<unknown>): Promise<string | undefined> =>
  ((await failureOf(() => promise)) as { code?: string } | undefined)?.code

describe('transact', () => {
  test('1,000 transfers between hot keys at once all end, and keep the sum', () =>
    withMemoryDatabase<number>({ durability, valueEncoding: 'json' }, async ({ db }) => {
      const accounts = ['a', 'b', 'c', 'd', 'e']
      for (const account of accounts) db.put(account, 1000)
      let seed = 1
      const random = (): number => {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
        return seed >>> 8
      }
      await Promise.all(
        Array.from({ length: 1000 }, () => {
          const from = random() % 5
          const to = (from + 1 + (random() % 4)) % 5
          return db.async.transact(
            async tx => {
              const mine = (await tx.get(accounts[from]!)) as unknown as number
              const theirs = (await tx.get(accounts[to]!)) as unknown as number
              await tx.put(accounts[from]!, mine - 1)
              await tx.put(accounts[to]!, theirs + 1)
            },
            { retries: Number.POSITIVE_INFINITY, lockTimeout: Number.POSITIVE_INFINITY },
          )
        }),
      )
      const sum = accounts.reduce((total, account) => total + db.get(account)!, 0)
      expect(sum).toBe(5000)
      expect(db.stats().transactions).toMatchObject({ open: 0, lockTimeouts: 0 })
    }))

  test('1,000 increments of one counter that all read before they write: none is lost or given up', () =>
    withMemoryDatabase({ durability }, async ({ db }) => {
      db.put('counter', '0')
      let attempts = 0
      await Promise.all(
        Array.from({ length: 1000 }, () =>
          db.async.transact(async tx => {
            attempts++
            const before = Number(await tx.get('counter'))
            // Others come in between.
            await turn()
            await tx.put('counter', String(before + 1))
          }),
        ),
      )
      expect(db.get('counter')).toBe('1000')
      // Run again, they lock what they read for writing, and stand in line.
      expect(attempts).toBeLessThan(4000)
    }))

  test('the oldest of those that are run again wins: transfers between hot keys need no more than the usual retries', () =>
    withMemoryDatabase({ durability }, async ({ db }) => {
      const names = ['a', 'b', 'c', 'd', 'e']
      for (const name of names) db.put(name, '100')
      await Promise.all(
        Array.from({ length: 500 }, (_, i) =>
          db.async.transact(async tx => {
            const [from, to] = [names[i % 5]!, names[(i * 3 + 1) % 5]!]
            if (from === to) return
            const [mine, theirs] = [Number(await tx.get(from)), Number(await tx.get(to))]
            await turn()
            await tx.put(from, String(mine - 1))
            await tx.put(to, String(theirs + 1))
          }),
        ),
      )
      expect(names.reduce((sum, name) => sum + Number(db.get(name)), 0)).toBe(500)
    }))

  test('inside transact, and with work that waits for something else, holds nobody up for long', () =>
    withKeys(async ({ db }, k) => {
      const never = new AbortController()
      const idle = Array.from({ length: 20 }, () =>
        codeOf(
          db.async.transact(
            async () =>
              new Promise<void>((_, reject) => never.signal.addEventListener('abort', () => reject({ code: 'me' }))),
          ),
        ),
      )
      const outer = await db.async.transact(async tx => {
        await tx.put(k[0]!, 'outer')
        return await db.async.transact(async inner => {
          await inner.put(k[1]!, 'inner')
          return 'both'
        })
      })
      expect(outer).toBe('both')
      expect(db.getMany([k[0]!, k[1]!])).toEqual(['outer', 'inner'])
      never.abort()
      expect(new Set(await Promise.all(idle))).toEqual(new Set(['me']))
    }))

  test('gives the result, and rolls back what throws', () =>
    withKeys(async ({ db }, k) => {
      expect(await db.async.transact(async tx => tx.get(k[0]!))).toBe('0')
      const mistake = new Error('mine')
      expect(
        await failureOf(() =>
          db.async.transact(async tx => {
            await tx.put(k[0]!, 'never')
            throw mistake
          }),
        ),
      ).toBe(mistake)
      expect(db.get(k[0]!)).toBe('0')
      // What ends the transaction itself is fine too.
      expect(
        await db.async.transact(async tx => {
          await tx.put(k[0]!, 'never')
          await tx.rollback()
          return 'done'
        }),
      ).toBe('done')
      expect(db.get(k[0]!)).toBe('0')
    }))

  test('runs again after a deadlock, as often as retries says', () =>
    withKeys(async ({ db }, k) => {
      for (const retries of [0, 2]) {
        let attempts = 0
        const old = await db.async.begin()
        await old.put(k[0]!, 'old')
        const young = codeOf(
          db.async.transact(
            async tx => {
              attempts++
              await tx.put(k[1]!, 'young')
              await tx.put(k[0]!, 'young')
            },
            { retries },
          ),
        )
        await settle()
        await old.put(k[1]!, 'old')
        await old.commit()
        if (retries === 0) {
          expect(await young).toBe('XENON_DEADLOCK')
          expect(attempts).toBe(1)
        } else {
          expect(await young).toBe(undefined)
          expect(attempts).toBeGreaterThan(1)
          expect(db.getMany([k[0]!, k[1]!])).toEqual(['young', 'young'])
        }
      }
    }))

  test('gives up after the last retry of a write conflict that never ends', () =>
    withKeys(async ({ db }, k) => {
      let attempts = 0
      const error = await expectCodeAsync(
        () =>
          db.async.transact(
            async tx => {
              attempts++
              await tx.get(k[0]!)
              db.put(k[0]!, `from outside ${attempts}`)
              await tx.put(k[0]!, 'mine')
            },
            { isolation: 'snapshot', retries: 3 },
          ),
        'XENON_WRITE_CONFLICT',
      )
      expect(attempts).toBe(4)
      expect(error.message).toMatch(/run it again/)
    }))

  test('does not take a swallowed deadlock for success', () =>
    withKeys(async ({ db }, k) => {
      const old = await db.async.begin()
      await old.put(k[0]!, 'old')
      const young = codeOf(
        db.async.transact(
          async tx => {
            await tx.put(k[1]!, 'young')
            await tx.put(k[0]!, 'young').catch(() => {})
          },
          { retries: 0 },
        ),
      )
      await settle()
      await old.put(k[1]!, 'old')
      await old.commit()
      expect(await young).toBe('XENON_DEADLOCK')
      expect(db.get(k[1]!)).toBe('old')
    }))

  test('refuses wrong arguments', () =>
    withKeys(async ({ db }) => {
      for (const retries of [-1, 1.5, Number.NaN, 'x'])
        await expectCodeAsync(
          () => db.async.transact(async () => {}, { retries: retries as never }),
          'XENON_INVALID_ARGUMENT',
        )
      await expectCodeAsync(() => db.async.transact(undefined as never), 'XENON_INVALID_ARGUMENT')
      await expectCodeAsync(() => db.async.begin({ lockTimeout: -1 }), 'XENON_INVALID_ARGUMENT')
      await expectCodeAsync(() => db.async.begin({ lockTimeout: Number.NaN }), 'XENON_INVALID_ARGUMENT')
      await expectCodeAsync(() => db.async.begin({ signal: {} as never }), 'XENON_INVALID_ARGUMENT')
      await expectCodeAsync(() => db.async.begin({ isolation: 'none' as never }), 'XENON_INVALID_ARGUMENT')
      await expectCodeAsync(() => db.async.begin({ retries: 3 } as never), 'XENON_INVALID_ARGUMENT')
    }))
})

describe('a deadlock', () => {
  test.each([2, 3, 6])('of %i transactions ends the youngest', count =>
    withKeys(async ({ db }, k) => {
      for (const closer of [0, count - 1]) {
        const deadlocks = db.stats().transactions.deadlocks
        const txs = await Promise.all(Array.from({ length: count }, () => db.async.begin()))
        for (const [i, tx] of txs.entries()) await tx.put(k[i]!, String(i))
        const order = txs.map((_, i) => i).filter(i => i !== closer)
        const waits: Promise<unknown>[] = []
        for (const i of [...order, closer]) waits[i] = codeOf(txs[i]!.put(k[(i + 1) % count]!, String(i)))
        await settle()
        // The youngest has lost; the others go on one after the other.
        const youngest = count - 1
        expect(await waits[youngest]).toBe('XENON_DEADLOCK')
        expect(txs[youngest]!.ended).toBe(true)
        for (let i = youngest - 1; i >= 0; i--) {
          expect(await waits[i]).toBe(undefined)
          await txs[i]!.commit()
        }
        expect(db.stats().transactions.deadlocks).toBe(deadlocks + 1)
        await expectCodeAsync(() => txs[youngest]!.get(k[0]!), 'XENON_TRANSACTION_ENDED')
      }
    }),
  )

  test('in which one wait closes two circles leaves nobody hanging', () =>
    withKeys(async ({ db }, k) => {
      const [old, a, b] = [await db.async.begin(), await db.async.begin(), await db.async.begin()]
      await a.get(k[0]!)
      await b.get(k[0]!)
      await old.put(k[1]!, 'old')
      const first = codeOf(a.put(k[1]!, 'a'))
      const second = codeOf(b.put(k[1]!, 'b'))
      await settle()
      await old.put(k[0]!, 'old')
      expect([await first, await second]).toEqual(['XENON_DEADLOCK', 'XENON_DEADLOCK'])
      expect([a.ended, b.ended]).toEqual([true, true])
      await old.commit()
      expect(db.getMany([k[0]!, k[1]!])).toEqual(['old', 'old'])
    }))

  test('of two upgrades ends the younger one', () =>
    withKeys(async ({ db }, k) => {
      const [old, young] = [await db.async.begin(), await db.async.begin()]
      await old.get(k[0]!)
      await young.get(k[0]!)
      const first = old.put(k[0]!, 'old')
      await expectCodeAsync(() => young.put(k[0]!, 'young'), 'XENON_DEADLOCK')
      await first
      await old.commit()
    }))

  test('over ranges is found', () =>
    withKeys(async ({ db }) => {
      const [old, young] = [await db.async.begin(), await db.async.begin()]
      expect(await old.count('left')).toBe(0)
      expect(await young.count('right')).toBe(0)
      const first = old.put('right 1', 'old')
      await settle()
      await expectCodeAsync(() => young.put('left 1', 'young'), 'XENON_DEADLOCK')
      await first
      await old.commit()
    }))

  test('ends all operations of its victim', () =>
    withKeys(async ({ db }, k) => {
      const [old, young] = [await db.async.begin(), await db.async.begin()]
      const third = await db.async.begin()
      await old.put(k[0]!, 'old')
      await third.put(k[2]!, 'third')
      await young.put(k[1]!, 'young')
      const one = codeOf(young.put(k[0]!, 'young'))
      const two = codeOf(young.put(k[2]!, 'young'))
      await settle()
      await old.put(k[1]!, 'old')
      expect([await one, await two]).toEqual(['XENON_DEADLOCK', 'XENON_DEADLOCK'])
      await old.commit()
      await third.commit()
    }))
})

describe('waiting', () => {
  test('is first come, first served: readers do not starve a writer, and wait behind it', () =>
    withKeys(async ({ db }, k) => {
      const order: string[] = []
      const reader = await db.async.begin()
      await reader.get(k[0]!)
      const writer = await db.async.begin()
      const writing = writer.put(k[0]!, 'written').then(() => order.push('writer'))
      expect(await isPending(writing)).toBe(true)
      const late = await Promise.all(Array.from({ length: 5 }, () => db.async.begin()))
      const reading = late.map(async (tx, i) => {
        order.push(`reader ${i}: ${await tx.get(k[0]!)}`)
      })
      const second = await db.async.begin()
      const last = second.put(k[0]!, 'again').then(() => order.push('second writer'))
      await settle()
      expect(order).toEqual([])
      await reader.commit()
      await writing
      await settle()
      expect(order).toEqual(['writer'])
      await writer.commit()
      await Promise.all(reading)
      expect(order).toEqual(['writer', 0, 1, 2, 3, 4].map(i => (i === 'writer' ? i : `reader ${i}: written`)))
      expect(await isPending(last)).toBe(true)
      for (const tx of late) await tx.commit()
      await last
      await second.commit()
      expect(db.get(k[0]!)).toBe('again')
    }))

  test('for a range is fair too: overlapping readers do not starve a writer', () =>
    withKeys(async ({ db }) => {
      const first = await db.async.begin()
      expect(await first.count('r')).toBe(0)
      const writer = await db.async.begin()
      const writing = writer.put('r1', 'written')
      expect(await isPending(writing)).toBe(true)
      const late = await db.async.begin()
      const counting = late.count('r')
      expect(await isPending(counting)).toBe(true)
      // A range beside it is none of their business, and the first reader may read on.
      expect(await late.count('q').catch(() => 'waits')).toBe(0)
      expect(await first.count({ gte: 'r0' })).toBe(0)
      await first.commit()
      await writing
      expect(await isPending(counting)).toBe(true)
      await writer.commit()
      expect(await counting).toBe(1)
      await late.commit()
    }))

  test('an upgrade goes before those who wait', () =>
    withKeys(async ({ db }, k) => {
      const [reader, other, writer] = [await db.async.begin(), await db.async.begin(), await db.async.begin()]
      await reader.get(k[0]!)
      await other.get(k[0]!)
      const writing = writer.put(k[0]!, 'writer')
      expect(await isPending(writing)).toBe(true)
      const upgrade = reader.put(k[0]!, 'upgraded')
      expect(await isPending(upgrade)).toBe(true)
      await other.commit()
      await upgrade
      expect(await isPending(writing)).toBe(true)
      await reader.commit()
      await writing
      await writer.commit()
      expect(db.get(k[0]!)).toBe('writer')
    }))

  test('ends after lockTimeout, and the transaction stands', () =>
    withKeys(async ({ db }, k) => {
      const holder = await db.async.begin()
      await holder.put(k[0]!, 'held')
      const tx = await db.async.begin({ lockTimeout: 30 })
      await tx.put(k[1]!, 'mine')
      const behind = await db.async.begin()
      const started = performance.now()
      const error = await expectCodeAsync(() => tx.put(k[0]!, 'mine'), 'XENON_LOCK_CONFLICT')
      expect(performance.now() - started).toBeGreaterThanOrEqual(28)
      expect(error.message).toMatch(/30 ms.*lockTimeout/)
      expect(db.stats().transactions.lockTimeouts).toBe(1)
      expect(tx.ended).toBe(false)
      await holder.commit()
      await tx.put(k[0]!, 'mine')
      await tx.commit()
      await behind.rollback()
      expect(db.getMany([k[0]!, k[1]!])).toEqual(['mine', 'mine'])
    }))

  test('who stood behind one that gave up goes on', () =>
    withKeys(async ({ db }, k) => {
      const holder = await db.async.begin()
      await holder.get(k[0]!)
      const writer = await db.async.begin({ lockTimeout: 30 })
      const writing = codeOf(writer.put(k[0]!, 'writer'))
      const reader = await db.async.begin()
      const reading = reader.get(k[0]!)
      expect(await isPending(reading)).toBe(true)
      expect(await writing).toBe('XENON_LOCK_CONFLICT')
      expect(await reading).toBe('0')
      await Promise.all([holder.commit(), reader.commit(), writer.rollback()])
    }))

  test('a lockTimeout longer than a timer can be does not end at once', () =>
    withKeys(async ({ db }, k) => {
      const holder = await db.async.begin()
      await holder.put(k[0]!, 'held')
      const tx = await db.async.begin({ lockTimeout: 1e12 })
      const reading = tx.get(k[0]!)
      await sleep(20)
      expect(await isPending(reading)).toBe(true)
      await holder.commit()
      expect(await reading).toBe('held')
      await tx.commit()
    }))

  test('the end of the transaction is refused while an operation waits', () =>
    withKeys(async ({ db }, k) => {
      const holder = await db.async.begin()
      await holder.put(k[0]!, 'held')
      const tx = await db.async.begin()
      const reading = tx.get(k[0]!)
      await settle()
      await expectCodeAsync(() => tx.commit(), 'XENON_INVALID_ARGUMENT')
      await expectCodeAsync(() => tx.rollback(), 'XENON_INVALID_ARGUMENT')
      expect(tx.ended).toBe(false)
      await holder.commit()
      expect(await reading).toBe('held')
      await tx.commit()
    }))

  test('what is given up while it waits leaves no lock behind', () =>
    withKeys(async ({ db }, k) => {
      const holder = await db.async.begin()
      await holder.put(k[0]!, 'held')
      const tx = await db.async.begin()
      const reading = codeOf(tx.get(k[0]!))
      const writing = codeOf(tx.put(k[0]!, 'mine'))
      await settle()
      await tx[Symbol.asyncDispose]()
      expect([await reading, await writing]).toEqual(['XENON_TRANSACTION_ENDED', 'XENON_TRANSACTION_ENDED'])
      await holder.commit()
    }))

  test('close ends what waits', async () => {
    await withMemoryDatabase({ durability, lockTimeout: 60_000 }, async subject => {
      const { db } = subject
      db.put('key', '0')
      // Each waits for one that was begun before it, and for one that was begun after it.
      const txs = await Promise.all(Array.from({ length: 6 }, () => db.async.begin()))
      await txs[5]!.put('key', 'held')
      const waits = [0, 3, 1, 4, 2].map(i => codeOf(i % 2 === 0 ? txs[i]!.put('key', 'x') : txs[i]!.get('key')))
      const range = codeOf(all(txs[0]!.keys('k')))
      await settle()
      db.close()
      const codes = await Promise.all([...waits, range])
      for (const code of codes) expect(['XENON_CLOSED', 'XENON_TRANSACTION_ENDED']).toContain(code)
      expect(subject.reopen().get('key')).toBe('0')
    })
  })
})

describe('an AbortSignal', () => {
  test('that is aborted before the beginning', () =>
    withKeys(async ({ db }) => {
      const signal = AbortSignal.abort(new Error('too late'))
      expect(await failureOf(() => db.async.transact(async () => 1, { signal }))).toBe(signal.reason)
      expect(await failureOf(() => db.async.begin({ signal }))).toBe(signal.reason)
    }))

  test('ends a wait, and the transaction with its locks', () =>
    withKeys(async ({ db }, k) => {
      const holder = await db.async.begin()
      await holder.put(k[0]!, 'held')
      const controller = new AbortController()
      const tx = await db.async.begin({ signal: controller.signal })
      await tx.put(k[1]!, 'mine')
      const waits = failureOf(() => tx.put(k[0]!, 'mine'))
      await settle()
      controller.abort(new Error('enough'))
      expect(await waits).toBe(controller.signal.reason)
      expect(tx.ended).toBe(true)
      db.put(k[1]!, 'free')
      expect(await failureOf(() => tx.get(k[1]!))).toBe(controller.signal.reason)
      await holder.commit()
    }))

  test('ends an idle transaction, and its commit says so', () =>
    withKeys(async ({ db }, k) => {
      const controller = new AbortController()
      const tx = await db.async.begin({ signal: controller.signal })
      await tx.put(k[0]!, 'mine')
      controller.abort(new Error('enough'))
      expect(tx.ended).toBe(true)
      db.put(k[0]!, 'free')
      expect(await failureOf(() => tx.commit())).toBe(controller.signal.reason)
    }))

  test('during transact is not taken for success', () =>
    withKeys(async ({ db }, k) => {
      const controller = new AbortController()
      const work = db.async.transact(
        async tx => {
          await tx.put(k[0]!, 'mine')
          controller.abort(new Error('enough'))
          return 'done'
        },
        { signal: controller.signal },
      )
      expect(await failureOf(() => work)).toBe(controller.signal.reason)
      expect(db.get(k[0]!)).toBe('0')
    }))

  test('after the end does nothing', () =>
    withKeys(async ({ db }, k) => {
      const controller = new AbortController()
      await db.async.transact(async tx => tx.put(k[0]!, 'done'), { signal: controller.signal })
      controller.abort()
      expect(db.get(k[0]!)).toBe('done')
    }))
})

test('use after the end is refused', () =>
  withKeys(async ({ db }, k) => {
    const ways: ((tx: AsyncTransaction) => Promise<unknown>)[] = [
      tx => tx.get(k[0]!),
      tx => tx.has(k[0]!),
      tx => tx.getMany([k[0]!]),
      tx => tx.put(k[0]!, 'x'),
      tx => tx.delete(k[0]!),
      tx => tx.expire(k[0]!, 1000),
      tx => tx.persist(k[0]!),
      tx => tx.count(),
      tx => tx.clear('zzz'),
      tx => all(tx.keys()),
      tx => all(tx.values()),
      tx => all(tx.entries()),
      tx => tx.savepoint(),
      tx => tx.commit(),
      tx => tx.rollback(),
    ]
    for (const end of ['commit', 'rollback'] as const) {
      const tx = await db.async.begin()
      const iterator = tx.keys()
      await iterator.next()
      await tx[end]()
      for (const way of ways) await expectCodeAsync(() => way(tx), 'XENON_TRANSACTION_ENDED')
      await tx[Symbol.asyncDispose]()
    }
  }))

test.each(['read-committed', 'snapshot', 'serializable'] as const)(
  'iterators that were dropped half-way keep no snapshot longer than their transaction, %s',
  isolation =>
    withMemoryDatabase({ durability }, async ({ db }) => {
      db.batch(Array.from({ length: 2000 }, (_, i) => ({ type: 'put', key: `key ${i}`, value: 'x' })))
      for (const end of ['commit', 'rollback'] as const) {
        const tx = await db.async.begin({ isolation })
        const dropped = tx.keys()
        await dropped.next()
        const another = tx.entries()
        await another.next()
        expect(db.stats().snapshots.open).toBe(isolation === 'serializable' ? 0 : isolation === 'snapshot' ? 1 : 2)
        await tx[end]()
        expect(db.stats().snapshots.open).toBe(0)
        await another.return(undefined)
        expect(db.stats().snapshots.open).toBe(0)
        // What was read already may still be given; nothing more is read.
        await expectCodeAsync(async () => {
          while (!(await dropped.next()).done);
        }, 'XENON_TRANSACTION_ENDED')
      }
    }),
)

describe('different keys', () => {
  test('never wait for each other, also when both take new blocks', () =>
    withMemoryDatabase({ durability }, async subject => {
      const { db } = subject
      const keys = new Keys(subject)
      const [a, b] = [await db.async.begin(), await db.async.begin()]
      // Each fills its own index block with many splits, key by key in turn.
      for (let i = 0; i < 150; i++) {
        expect(await isPending(a.put(keys.in(11), 'x'.repeat(200)))).toBe(false)
        expect(await isPending(b.put(keys.in(77), 'y'.repeat(200)))).toBe(false)
      }
      expect(db.stats().index.splits).toBeGreaterThan(4)
      expect(db.stats().transactions.lockWaits).toBe(0)
      await a.rollback()
      await b.commit()
      expect(db.count()).toBe(150)
    }))

  test('adjacent new keys of the ordered index do not conflict', () =>
    withMemoryDatabase({ durability }, async subject => {
      const { db } = subject
      const txs = await Promise.all(Array.from({ length: 8 }, () => db.async.begin()))
      const keys = new Keys(subject)
      for (let i = 0; i < 40; i++)
        for (const [at, tx] of txs.entries()) await tx.put(keys.in(10 * at + 3, 'same prefix '), 'x')
      expect(db.stats().transactions.lockWaits).toBe(0)
      for (const [at, tx] of txs.entries()) await (at % 2 === 0 ? tx.commit() : tx.rollback())
      expect(db.count('same prefix ')).toBe(160)
    }))

  test('a bucket that splits while others wait for it', () =>
    withMemoryDatabase({ durability }, async subject => {
      const { db } = subject
      const keys = new Keys(subject)
      const mine = Array.from({ length: 60 }, () => keys.in(5))
      db.put(mine[0]!, 'first')
      const splitter = await db.async.begin()
      await splitter.put(mine[1]!, 'x'.repeat(300))
      const waiting = mine.slice(40).map(key => db.async.transact(async tx => tx.put(key, 'y'.repeat(300))))
      await settle()
      for (const key of mine.slice(2, 40)) await splitter.put(key, 'x'.repeat(300))
      await splitter.commit()
      await Promise.all(waiting)
      expect(db.count()).toBe(60)
      // And back again, while somebody reads: the index block is a directory now.
      const holder = await db.async.begin()
      await holder.get(mine[0]!)
      await holder.rollback()
      await Promise.all(mine.map(key => db.async.transact(async tx => tx.delete(key))))
      expect(db.count()).toBe(0)
    }))

  test('buckets split, merge and go back into the index block, whatever is locked or waited for', () =>
    withMemoryDatabase({ durability }, async subject => {
      const { db } = subject
      const keys = new Keys(subject)
      const mine = Array.from({ length: 40 }, () => keys.in(5))
      db.put(mine[0]!, 'first')
      const splitter = await db.async.begin()
      await splitter.put(mine[1]!, 'x'.repeat(300))
      const waiter = await db.async.begin({ isolation: 'read-committed' })
      await waiter.put(mine[0]!, 'waiter')
      expect(await isPending(waiter.put(mine[1]!, 'waiter'))).toBe(true)
      for (const key of mine.slice(2)) await splitter.put(key, 'x'.repeat(300))
      await splitter.commit()
      const merges = db.stats().index.merges
      for (const key of mine.slice(2)) expect(db.delete(key)).toBe(true)
      expect(db.stats().index.merges).toBeGreaterThan(merges)
      for (const key of mine.slice(0, 2)) expectCode(() => db.delete(key), 'XENON_LOCK_CONFLICT')
      await waiter.rollback()
      expect([...db.entries()].sort()).toEqual(
        [
          [mine[0], 'first'],
          [mine[1], 'x'.repeat(300)],
        ].sort(),
      )
    }))
})

describe('no phantoms in what a serializable transaction has read', () => {
  const cases: [
    name: string,
    read: (tx: AsyncTransaction, k: readonly string[]) => Promise<unknown>,
    change: (tx: AsyncTransaction, k: readonly string[]) => Promise<unknown>,
  ][] = [
    ['an absent key', tx => tx.get('nothing'), tx => tx.put('nothing', 'x')],
    ['has', tx => tx.has('nothing'), tx => tx.put('nothing', 'x')],
    ['a delete that found nothing', tx => tx.delete('nothing'), tx => tx.put('nothing', 'x')],
    ['expire that found nothing', tx => tx.expire('nothing', 5000), tx => tx.put('nothing', 'x')],
    ['persist with nothing to do', (tx, k) => tx.persist(k[0]!), (tx, k) => tx.expire(k[0]!, 60_000)],
    ['an empty prefix', tx => all(tx.keys('empty')), tx => tx.put('empty 1', 'x')],
    ['an empty range between keys', tx => tx.count({ gt: 'm', lt: 'n' }), tx => tx.put('ma', 'x')],
    ['before the first key', tx => all(tx.keys({ limit: 1 })), tx => tx.put('\u0001', 'x')],
    ['behind the last key', tx => all(tx.keys({ reverse: true, limit: 1 })), tx => tx.put('\uffff', 'x')],
    ['an open end', tx => tx.count({ gte: 'x' }), tx => tx.put('zzzz', 'x')],
    ['an open beginning', tx => tx.count({ lte: '!' }), tx => tx.put('\u0002', 'x')],
    ['everything', tx => tx.count(), tx => tx.put('anywhere', 'x')],
    ['a delete from it', tx => tx.count(), (tx, k) => tx.delete(k[3]!)],
    ['a change in it', tx => all(tx.values()), (tx, k) => tx.put(k[3]!, 'changed')],
    ['clear', tx => tx.clear('some'), tx => tx.put('some 1', 'x')],
    ['its bounds', tx => tx.count({ gte: 'a', lte: 'b' }), tx => tx.put('b', 'x')],
  ]
  test.each(cases)('%s', (_, read, change) =>
    withKeys(async ({ db }, k) => {
      // The reader first …
      const reader = await db.async.begin()
      const before = await read(reader, k)
      const writer = await db.async.begin()
      const writing = change(writer, k)
      expect(await isPending(writing)).toBe(true)
      expect(await read(reader, k)).toEqual(before)
      await reader.commit()
      await writing
      // … and then the writer, whose change is taken back.
      const second = await db.async.begin()
      const reading = read(second, k)
      expect(await isPending(reading)).toBe(true)
      await writer.rollback()
      expect(await reading).toEqual(before)
      await second.commit()
    }),
  )

  test('keys just outside are free', () =>
    withKeys(async ({ db }, _, keys) => {
      const reader = await db.async.begin()
      await reader.count({ gt: 'm', lt: 'n' })
      const writer = await db.async.begin()
      // The bounds themselves, and their neighbours.
      for (const key of ['m', 'n', 'l\uffff', 'n ', keys.in(50, 'o')])
        expect(await isPending(writer.put(key, 'x')), key).toBe(false)
      await writer.commit()
      await reader.commit()
    }))
})

describe('at the other levels', () => {
  test('what another may take back is waited for', () =>
    withKeys(async ({ db }, k) => {
      for (const isolation of ['read-committed', 'repeatable-read'] as IsolationLevel[]) {
        db.put(k[1]!, 'expires', { ttl: 1e6 })
        const writer = await db.async.begin()
        await writer.delete(k[0]!)
        await writer.persist(k[1]!)
        const tx = await db.async.begin({ isolation })
        const deleting = tx.delete(k[0]!)
        const persisting = tx.persist(k[1]!)
        expect([await isPending(deleting), await isPending(persisting)], isolation).toEqual([true, true])
        await writer.rollback()
        expect([await deleting, await persisting]).toEqual([true, true])
        await tx.rollback()
      }
    }))

  test('a range at repeatable-read waits for a delete that may be taken back', () =>
    withKeys(async ({ db }, k) => {
      const writer = await db.async.begin()
      await writer.delete(k[0]!)
      const tx = await db.async.begin({ isolation: 'repeatable-read' })
      const counting = tx.count()
      expect(await isPending(counting)).toBe(true)
      await writer.rollback()
      expect(await counting).toBe(10)
      await tx.commit()
    }))

  test('a snapshot transaction sees its own changes in ranges, large values too', () =>
    withKeys(async ({ db }, k) => {
      db.put(k[9]!, 'S'.repeat(50_000))
      const tx = await db.async.begin({ isolation: 'snapshot' })
      db.put(k[2]!, 'later')
      // Its blocks are free now, and will hold what the transaction writes, but not in the snapshot.
      db.put(k[9]!, 'small')
      const large = 'L'.repeat(50_000)
      await tx.put(k[0]!, large)
      await tx.put(`${k[0]} more`, large)
      await tx.delete(k[1]!)
      const entries = new Map(await all(tx.entries()))
      expect(entries.get(k[0]!)).toBe(large)
      expect(entries.get(`${k[0]} more`)).toBe(large)
      expect(entries.has(k[1]!)).toBe(false)
      expect(entries.get(k[2]!)).toBe('0')
      expect(entries.get(k[9]!)).toBe('S'.repeat(50_000))
      expect(await tx.get(k[0]!)).toBe(large)
      expect(await tx.count()).toBe(10)
      await tx.commit()
      expect(db.get(k[2]!)).toBe('later')
    }))

  test('first committer wins, large values that come to lie in the same blocks included', () =>
    withKeys(async ({ db }, k) => {
      const value = (name: string): string => name.repeat(30_000)
      for (const names of ['b', 'bc', 'bcd', 'bcde', 'bcdef', 'bcdefg']) {
        db.put(k[0]!, value('a'))
        const tx = await db.async.begin({ isolation: 'snapshot' })
        expect(await tx.get(k[0]!)).toBe(value('a'))
        for (const name of names) db.put(k[0]!, value(name))
        await expectCodeAsync(() => tx.put(k[0]!, value('x')), 'XENON_WRITE_CONFLICT')
        expect(await tx.get(k[0]!)).toBe(value('a'))
        await tx.rollback()
      }
    }))

  test('snapshot and readOnly transactions never wait, and make nobody wait', () =>
    withKeys(async ({ db }, k) => {
      const writer = await db.async.begin()
      await writer.put(k[0]!, 'changed')
      await writer.put('new', 'changed')
      await writer.delete(k[1]!)
      const levels: IsolationLevel[] = ['read-committed', 'repeatable-read', 'snapshot', 'serializable']
      const readers = [
        await db.async.begin({ isolation: 'snapshot' }),
        ...(await Promise.all(levels.map(isolation => db.async.begin({ isolation, readOnly: true })))),
      ]
      for (const tx of readers) {
        expect(await isPending(tx.get(k[0]!))).toBe(false)
        expect(await tx.getMany([k[0]!, k[1]!, 'new'])).toEqual(['0', '0', undefined])
        expect(await tx.count()).toBe(10)
        expect((await all(tx.keys())).length).toBe(10)
      }
      await writer.commit()
      expect(db.stats().transactions.lockWaits).toBe(0)
      const next = await db.async.begin()
      for (const key of k) expect(await isPending(next.put(key, 'next'))).toBe(false)
      await next.commit()
      for (const tx of readers) {
        expect(await tx.getMany([k[0]!, k[1]!, 'new'])).toEqual(['0', '0', undefined])
        expect(await tx.count()).toBe(10)
        await tx.commit()
      }
      const readOnly = await db.async.begin({ readOnly: true })
      for (const write of [
        () => readOnly.put(k[0]!, 'x'),
        () => readOnly.delete(k[0]!),
        () => readOnly.expire(k[0]!, 5),
        () => readOnly.clear(),
      ])
        await expectCodeAsync(write, 'XENON_READ_ONLY')
      await readOnly.commit()
    }))
})

describe('beside asynchronous transactions', () => {
  test('synchronous ones and plain calls throw at once, and lose nothing', () =>
    withKeys(async ({ db }, k) => {
      const tx = await db.async.begin()
      await tx.put(k[0]!, 'async')
      await tx.delete(k[1]!)
      await tx.get(k[2]!)
      await tx.count('range')
      const other = db.begin()
      for (const action of [
        () => other.get(k[0]!),
        () => other.put(k[0]!, 'sync'),
        () => other.put(k[2]!, 'sync'),
        () => other.put('range 1', 'sync'),
        () => other.count(),
        () => db.put(k[0]!, 'sync'),
        () => db.put(k[2]!, 'sync'),
        () => db.put('range 1', 'sync'),
        () => db.delete(k[1]!),
        () => db.persist(k[1]!),
        () => db.expire(k[1]!, 1000),
        () => db.clear(),
        () => db.transaction(sync => sync.put(k[0]!, 'sync')),
      ])
        expectCode(action, 'XENON_LOCK_CONFLICT')
      await expectCodeAsync(() => db.async.put(k[0]!, 'sync', { lockTimeout: 1 }), 'XENON_LOCK_CONFLICT')
      expect(other.get(k[2]!)).toBe('0')
      other.put(k[5]!, 'sync')
      const waiting = tx.put(k[5]!, 'async')
      expect(await isPending(waiting)).toBe(true)
      other.commit()
      await waiting
      await tx.commit()
      expect(db.getMany([k[0]!, k[1]!, k[5]!])).toEqual(['async', undefined, 'async'])
    }))

  test('an iterator of a synchronous transaction that meets a lock goes on where it was', () =>
    withMemoryDatabase({ durability }, async ({ db }) => {
      for (let i = 0; i < 100; i++) db.put(`key ${String(i).padStart(3, '0')}`, 'value')
      for (const isolation of ['repeatable-read', 'serializable'] as const) {
        const reader = db.begin({ isolation })
        const iterator = reader.keys()
        const found = iterator.nextMany(20)
        const writer = db.begin()
        let changed = ''
        for (let i = 60; changed === ''; i++)
          try {
            const key = `key ${String(i).padStart(3, '0')}`
            writer.put(key, 'other')
            changed = key
          } catch {
            // Its block is read already.
          }
        for (let conflicts = 0; ; ) {
          try {
            const step = iterator.next()
            if (step.done === true) break
            found.push(step.value)
          } catch (error) {
            expect((error as { code: string }).code).toBe('XENON_LOCK_CONFLICT')
            conflicts++
            if (conflicts === 2) writer.commit()
          }
        }
        expect(found).toEqual(Array.from({ length: 100 }, (_, i) => `key ${String(i).padStart(3, '0')}`))
        reader.commit()
      }
    }))

  test('clear removes all of a range or nothing', () =>
    withKeys(async ({ db }, k) => {
      for (const [i, key] of k.entries()) db.put(`${key}`, `${i}`)
      const holder = await db.async.begin()
      const last = [...k].sort()[9]!
      await holder.get(last)
      const sync = db.begin({ isolation: 'snapshot' })
      expectCode(() => sync.clear(), 'XENON_LOCK_CONFLICT')
      expect(sync.count()).toBe(10)
      sync.commit()
      const tx = await db.async.begin({ isolation: 'snapshot', lockTimeout: 20 })
      await expectCodeAsync(() => tx.clear(), 'XENON_LOCK_CONFLICT')
      expect(await tx.count()).toBe(10)
      await tx.commit()
      expect(db.count()).toBe(10)
      await holder.commit()
    }))

  test('savepoints take back a part, and locks stay', () =>
    withKeys(async ({ db }, k) => {
      const tx = await db.async.begin()
      await tx.put(k[0]!, 'kept')
      const savepoint = await tx.savepoint()
      await tx.put(k[0]!, 'taken back')
      await tx.put(k[1]!, 'taken back')
      await tx.put('new', 'x'.repeat(20_000))
      const later = await tx.savepoint()
      await tx.delete(k[2]!)
      await tx.rollbackTo(savepoint)
      await expectCodeAsync(() => tx.rollbackTo(later), 'XENON_INVALID_ARGUMENT')
      expect(await tx.getMany([k[0]!, k[1]!, k[2]!, 'new'])).toEqual(['kept', '0', '0', undefined])
      const other = await db.async.begin()
      await expectCodeAsync(() => other.rollbackTo(savepoint), 'XENON_INVALID_ARGUMENT')
      const writing = other.put(k[1]!, 'other')
      expect(await isPending(writing)).toBe(true)
      await tx.rollbackTo(savepoint)
      await tx.commit()
      await writing
      await other.commit()
      expect(db.getMany([k[0]!, k[1]!, k[2]!, 'new'])).toEqual(['kept', 'other', '0', undefined])
    }))

  test('no rejection is left unhandled', async () => {
    const unhandled: unknown[] = []
    const note = (reason: unknown): void => {
      unhandled.push(reason)
    }
    process.on('unhandledRejection', note)
    try {
      await withKeys(async ({ db }, k) => {
        const actors = Array.from({ length: 4 }, () => new Actor(db, {}))
        for (const [i, actor] of actors.entries()) await actor.put(k[i]!, 'x')
        for (const [i, actor] of actors.entries()) await actor.put(k[(i + 1) % 4]!, 'y')
        for (const actor of [...actors].reverse()) {
          await actor.commit()
        }
        for (const actor of actors) await actor.end()
        const controller = new AbortController()
        const holder = await db.async.begin()
        await holder.put(k[0]!, 'held')
        const aborted = db.async.transact(async tx => tx.get(k[0]!), { signal: controller.signal }).catch(() => {})
        await settle()
        controller.abort()
        await aborted
        await holder.commit()
        await sleep(20)
      })
    } finally {
      process.off('unhandledRejection', note)
    }
    expect(unhandled).toEqual([])
  })
})
