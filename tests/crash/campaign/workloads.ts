/**
 * What the campaigns crash: small workloads, each for a part of the engine. All follow from the session's random
 * numbers.
 */

import type { Transaction } from '../../../src/database/transaction.ts'
import { LockConflictError } from '../../../src/errors.ts'
import { KeyHash } from '../../../src/hash/key-hash.ts'
import { Metadata } from '../../../src/pager/metadata.ts'
import type { Random } from '../../../src/testing/random.ts'
import { groups } from './groups.ts'
import { declareIndexes } from './indexes.ts'
import { interleaved } from './interleaved.ts'
import type { Change, DatabaseOptions, Recording, Session, SessionOptions } from './session.ts'

export interface Workload {
  name: string
  /** Changes of the usual options. */
  options?: (random: Random) => Partial<DatabaseOptions>
  /** Of the simulated disk, and how many crash points are worth their time. */
  session?: SessionOptions
  /** What a recording must come to at least, or the workload no longer does what it is for. */
  least?: Partial<Pick<Recording, 'endedAside' | 'blockImages' | 'reusedSegments'>>
  run(session: Session): Promise<void>
}

export const usualOptions = (random: Random): DatabaseOptions => ({
  durability: random.pick(['power', 'power', 'power', 'process', 'none'] as const),
  cacheBytes: random.pick([16, 24, 64]) * 4096,
  checkpointBytes: 65536,
  logSegmentBytes: 131072,
})

export const workloads: readonly Workload[] = [
  {
    name: 'creation',
    async run(session) {
      for (let i = 0; i < 3; i++) session.put(`key ${i}`, text(session.random, 100))
      session.close()
    },
  },
  {
    name: 'autocommit',
    async run(session) {
      const { random } = session
      session.begin()
      for (let i = 0; i < 40; i++) {
        const key = `key ${random.below(12)}`
        if (random.chance(0.7)) session.put(key, text(random, 300))
        else session.delete(key)
      }
    },
  },
  {
    name: 'transactions',
    session: { points: 70 },
    async run(session) {
      const { random } = session
      fill(session, 10)
      session.begin()
      for (let i = 0; i < 12; i++) {
        const changes = someChanges(random, 10, 20, 400)
        const roll = random.below(10)
        if (roll < 3) session.rollback(changes)
        else if (roll < 5) session.batch(changes)
        else
          session.transaction(changes, tx => {
            if (random.chance(0.6)) return
            const savepoint = tx.savepoint()
            for (const [key, value] of someChanges(random, 4, 20, 400)) {
              if (value === undefined) tx.delete(key)
              else tx.put(key, value)
            }
            tx.rollbackTo(savepoint)
          })
        // A transaction under way at the crash, with its changes written and synced.
        if (random.chance(0.4)) {
          const tx = session.db.begin()
          for (const [key, value] of someChanges(random, 6, 20, 400)) {
            if (value === undefined) tx.delete(key)
            else tx.put(key, value)
          }
          await session.flush()
          if (random.chance(0.3)) await session.checkpoint()
          tx.rollback()
        }
      }
    },
  },
  {
    name: 'group commit',
    async run(session) {
      const { random } = session
      session.begin()
      for (let round = 0; round < 10; round++) {
        for (let i = random.between(1, 8); i > 0; i--)
          session.async(someChanges(random, random.chance(0.7) ? 1 : 4, 16, 200))
        if (random.chance(0.3)) session.put(`key ${random.below(16)}`, text(random, 200))
        if (random.chance(0.7)) await session.settle()
        else await new Promise(resolve => setImmediate(resolve))
        if (random.chance(0.15)) session.transaction(someChanges(random, 3, 16, 200))
      }
      await session.settle()
    },
  },
  {
    name: 'splits and merges',
    session: { points: 70 },
    async run(session) {
      const { random } = session
      const keys = keysOfRoots(session, [3, 50], 44)
      for (const key of keys.slice(0, 12)) session.put(key, text(random, 1200, 700))
      session.begin()
      for (const key of keys.slice(12)) {
        session.put(key, text(random, 1200, 700))
        if (random.chance(0.1)) await session.checkpoint()
      }
      for (const key of random.shuffle(keys).slice(0, 34)) session.delete(key)
    },
  },
  {
    name: 'splits in transactions',
    async run(session) {
      const { random } = session
      const keys = keysOfRoots(session, [7], 50)
      session.begin()
      for (let round = 0; round < 7; round++) {
        const changes = random
          .shuffle(keys)
          .slice(0, random.between(3, 12))
          .map((key): Change => [key, random.chance(0.6) ? text(random, 1200, 500) : undefined])
        if (random.chance(0.35)) session.rollback(changes)
        else session.transaction(changes)
      }
    },
  },
  {
    name: 'large values',
    session: { points: 70 },
    async run(session) {
      const { random } = session
      session.put('large 0', text(random, 30_000, 5000))
      session.begin()
      for (let i = 0; i < 14; i++) {
        const key = `large ${random.below(4)}`
        const value = random.chance(0.25) ? undefined : text(random, 40_000, 1000)
        if (random.chance(0.5)) session.batch([[key, value]])
        else if (value === undefined) session.delete(key)
        else if (random.chance(0.2)) session.rollback([[key, value]])
        else session.put(key, value)
      }
    },
  },
  {
    name: 'slots used again',
    async run(session) {
      const { random } = session
      const keys = keysOfRoots(session, [9], 24)
      for (const key of keys) session.put(key, text(random, 120))
      session.begin()
      for (let i = 0; i < 40; i++) {
        const key = random.pick(keys)
        if (session.state.has(key)) session.delete(key)
        else session.put(key, text(random, 160))
      }
    },
  },
  {
    name: 'checkpoints',
    session: { points: 70 },
    async run(session) {
      const { random } = session
      fill(session, 40)
      session.begin()
      for (let i = 0; i < 40; i++) {
        session.put(`key ${random.below(60)}`, text(random, 900))
        if (random.chance(0.15)) await session.checkpoint()
        if (random.chance(0.05)) await session.flush()
      }
    },
  },
  {
    name: 'log used again',
    session: { points: 70 },
    // So much log until a checkpoint is due that segments wait to be used again: they go round.
    options: () => ({ cacheBytes: 64 * 4096, checkpointBytes: 2 * 131072 }),
    async run(session) {
      const { random } = session
      const keys = Array.from({ length: 30 }, (_, i) => `key ${i}`)
      for (let i = 0; i < 90; i++)
        session.batch(
          random
            .shuffle(keys)
            .slice(0, 6)
            .map(key => [key, text(random, 1200, 900)] as const),
        )
      session.begin()
      for (let i = 0; i < 36; i++)
        session.batch(
          random
            .shuffle(keys)
            .slice(0, 8)
            .map(key => [key, text(random, 1200, 900)] as const),
        )
    },
  },
  {
    name: 'larger than the pool',
    session: { points: 70 },
    options: () => ({ cacheBytes: 16 * 4096 }),
    async run(session) {
      const { random } = session
      fill(session, 30)
      session.begin()
      for (let i = 0; i < 3; i++) {
        const changes = someChanges(random, random.between(30, 90), 120, 900)
        if (random.chance(0.4)) session.rollback(changes)
        else session.transaction(changes)
        session.put(`key ${random.below(120)}`, text(random, 900))
      }
    },
  },
  {
    name: 'growth of the file',
    session: { points: 70 },
    async run(session) {
      const { random } = session
      session.begin()
      for (let i = 0; i < 10; i++) {
        session.put(`large ${i}`, text(random, 30_000, 20_000))
        if (random.chance(0.3)) await session.checkpoint()
      }
    },
  },
  {
    name: 'close and reopen',
    async run(session) {
      const { random } = session
      fill(session, 6)
      session.begin()
      for (let round = 0; round < 6; round++) {
        for (let i = random.below(5); i > 0; i--) session.put(`key ${random.below(9)}`, text(random, 600))
        if (random.chance(0.4)) {
          const tx = session.db.begin()
          tx.put('open at the close', 'never')
        }
        session.close()
        session.open({ logSegmentBytes: random.pick([131072, 262144]) })
      }
    },
  },
  {
    name: 'ordered index',
    session: { points: 70 },
    async run(session) {
      const { random } = session
      // Few keys to a leaf, and few separators to an inner node: the tree grows to three levels, and shrinks.
      const stems = ['', 'a', 'b'].map(stem => `${stem}${text(random, 480, 470)}`)
      const keys = Array.from({ length: 60 }, (_, i) => `${random.pick(stems)}${i % 7}${text(random, 460, 200)}`)
      session.batch(keys.slice(0, 24).map(key => [key, 'v'] as const))
      session.begin()
      for (let round = 0; round < 14; round++) {
        const some = random.shuffle(keys).slice(0, random.between(2, 12))
        // Grows, then shrinks, so that nodes split and merge.
        const share = round < 6 ? 0.1 : 0.75
        const changes = some.map((key): Change => [key, random.chance(share) ? undefined : text(random, 30)])
        const roll = random.below(10)
        if (roll < 3) session.rollback(changes)
        else if (roll < 5) session.batch(changes)
        else session.transaction(changes)
        if (random.chance(0.2)) await session.checkpoint()
      }
    },
  },
  {
    name: 'records that expire',
    session: { points: 70 },
    async run(session) {
      const { random } = session
      for (let i = 0; i < 30; i++) session.expiring(`key ${i}`, text(random, 300), random.pick([1e6, 2e6]))
      session.expiring('large', text(random, 20_000, 9000), 1e6)
      session.begin()
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < 7; i++) {
          const key = `key ${random.below(40)}`
          if (random.chance(0.6)) session.expiring(key, text(random, 400), random.pick([1e6, 2e6, 9e6]))
          else session.put(key, text(random, 400))
        }
        session.rollback(someChanges(random, 4, 40, 300))
        session.pass(1e6)
        if (random.chance(0.5)) session.put('while others have expired', text(random, 50))
        session.sweep()
        if (random.chance(0.4)) await session.checkpoint()
      }
    },
  },
  {
    name: 'compaction',
    session: { points: 60 },
    options: () => ({ cacheBytes: 24 * 4096 }),
    async run(session) {
      const { random } = session
      fill(session, 60)
      session.put('large 0', text(random, 20_000, 9000))
      session.put('large 1', text(random, 20_000, 9000))
      session.put('large 2', text(random, 3000, 2500))
      for (let i = 0; i < 60; i++) if (random.chance(0.7)) session.delete(`key ${i}`)
      session.delete(`large ${random.below(2)}`)
      session.begin()
      await session.compact()
      for (let i = 0; i < 4; i++) session.put(`key ${random.below(60)}`, text(random, 900))
      await session.compact()
      session.put('large 3', text(random, 9000, 5000))
    },
  },
  {
    name: 'compaction of a small rest',
    session: { points: 60 },
    options: () => ({ cacheBytes: 24 * 4096 }),
    async run(session) {
      const { random } = session
      // Index blocks that are directories over a few buckets do without them, and with the next record again.
      const keys = keysOfRoots(session, [7, 30], 56)
      for (const key of keys) session.put(key, text(random, 600, 300))
      session.begin()
      for (const key of random.shuffle([...keys]).slice(20)) session.delete(key)
      await session.compact()
      for (let i = 0; i < 16; i++) {
        const key = random.pick(keys)
        if (random.chance(0.7)) session.put(key, text(random, 600, 300))
        else session.delete(key)
      }
      session.rollback(keys.slice(0, 8).map(key => [key, random.chance(0.5) ? text(random, 400) : undefined]))
      await session.compact()
      session.put(random.pick(keys), text(random, 900))
    },
  },
  {
    name: 'backup',
    async run(session) {
      const { random } = session
      fill(session, 30)
      session.put('large', text(random, 9000, 5000))
      session.begin()
      const tx = session.db.begin()
      tx.put('uncommitted', text(random, 5000, 100))
      tx.delete('key 1')
      await session.backup('copy', () => {
        try {
          session.put(`other ${random.below(9)}`, text(random, 300))
        } catch (error) {
          if (!(error instanceof LockConflictError)) throw error
        }
      })
      tx.rollback()
      session.put('afterwards', text(random, 300))
    },
  },
  {
    name: 'conversion',
    session: { points: 60 },
    async run(session) {
      const { random } = session
      fill(session, 40)
      for (let i = 0; i < 12; i++) session.put(`${i}`.padEnd(random.between(300, 900), '+'), 'long key')
      session.begin()
      await session.convert(false)
      session.put('unordered', text(random, 300))
      session.delete('key 1')
      await session.convert(true)
      session.put('ordered', text(random, 300))
    },
  },
  {
    name: 'checkpoints aside',
    // What production does: the event loop turns between the batches, so that checkpoints end aside; a pool that is too
    // small for the records writes blocks meanwhile, in a larger one the checkpoint writes them.
    options: random => ({ durability: 'power', cacheBytes: random.pick([16, 64]) * 4096 }),
    session: { syncsAside: true, asideTurns: 2, points: 75 },
    least: { endedAside: 45 },
    async run(session) {
      const { random } = session
      fill(session, 60)
      session.begin()
      for (let i = 0; i < 1500; i++) {
        session.batch(changesOf(random, 2, 70, 1300, 800))
        // Now and then so much at once that nobody waits for what is under way; or a checkpoint overtakes it.
        if (random.chance(0.01)) for (let n = 0; n < 9; n++) session.batch(changesOf(random, 4, 70, 1300, 800))
        else if (random.chance(0.015)) await session.checkpoint()
        await session.turn(random.between(1, 4))
      }
    },
  },
  {
    name: 'images go round',
    // Small values all over the file, and a pool of 16 blocks: each change writes blocks back, so that the files of
    // images, of 16 blocks each, are filled many times between two checkpoints, and ask for the syncs of the data file.
    options: random => ({
      durability: random.pick(['power', 'process', 'process', 'none']),
      cacheBytes: 16 * 4096,
    }),
    session: { points: 75 },
    least: { blockImages: 320 },
    async run(session) {
      const { random } = session
      fill(session, 60)
      session.begin()
      for (let i = 0; i < 260; i++) {
        session.batch(changesOf(random, 3, 260, 120))
        if (random.chance(0.02)) await session.flush()
        if (random.chance(0.2)) await session.turn()
      }
    },
  },
  {
    name: 'hot blocks',
    // What a checkpoint writes was changed a moment ago: the log is not synced yet, and only half of it since the last
    // one.
    options: random => ({ durability: random.pick(['process', 'none']), cacheBytes: 64 * 4096 }),
    session: { syncsAside: false, points: 75, nearImages: true },
    async run(session) {
      const { random } = session
      fill(session, 14)
      session.begin()
      for (let i = 0; i < 40; i++) {
        const keys = Array.from({ length: 4 }, () => `key ${random.below(14)}`)
        for (const key of keys) session.put(key, text(random, 200))
        await session.flush()
        for (const key of keys) session.put(key, text(random, 200))
        await session.checkpoint()
      }
    },
  },
  {
    name: 'a log of several segments',
    // Nothing is synced for long, so that a loss of power leaves holes in one segment, and whole groups in those behind
    // it.
    options: random => ({
      durability: random.pick(['process', 'none']),
      cacheBytes: 64 * 4096,
      checkpointBytes: 2 ** 20,
    }),
    session: { points: 40 },
    async run(session) {
      const { random } = session
      fill(session, 20)
      await session.flush()
      session.begin()
      for (let i = 0; i < 24; i++) {
        session.batch(changesOf(random, random.between(8, 24), 40, 1300, 900))
        if (random.chance(0.05)) await session.flush()
      }
    },
  },
  {
    name: 'commits aside',
    options: random => ({
      durability: random.pick(['power', 'power', 'power', 'process']),
      cacheBytes: random.pick([16, 24]) * 4096,
    }),
    session: { syncsAside: true, asideTurns: 4, points: 75 },
    async run(session) {
      const { random } = session
      fill(session, 30)
      session.begin()
      for (let i = 0; i < 220; i++) {
        for (let n = random.below(3); n >= 0; n--)
          session.async(changesOf(random, random.chance(0.6) ? 1 : random.between(2, 5), 40, 900))
        const roll = random.below(100)
        if (roll < 8) session.put(`key ${random.below(40)}`, text(random, 900))
        else if (roll < 13) session.transaction(changesOf(random, 4, 40, 700))
        else if (roll < 16) session.rollback(changesOf(random, 4, 40, 700))
        else if (roll < 18) await session.flush()
        else if (roll < 20) await session.checkpoint()
        else if (roll < 23) session.async([[`large ${random.below(3)}`, text(random, 20_000, 5000)]])
        else if (roll < 26) await session.settle()
        await session.turn(random.below(5))
      }
      await session.settle()
    },
  },
  {
    name: 'savepoints with large values',
    session: { points: 75 },
    async run(session) {
      const { random } = session
      const large = (): Change => [`large ${random.below(4)}`, text(random, 14_000, 4200)]
      for (let i = 0; i < 4; i++) session.put(`large ${i}`, text(random, 14_000, 4200))
      session.begin()
      for (let round = 0; round < 9; round++) {
        const changes = [large(), ...someChanges(random, 2, 6, 300), large()]
        // Replaced after a savepoint and put back: the chain that was to be freed by the commit is in use again.
        const backAndForth = (tx: Transaction): void => {
          const savepoint = tx.savepoint()
          for (let n = random.below(3); n >= 0; n--) {
            const [key, value] = large()
            if (random.chance(0.3)) tx.delete(key)
            else tx.put(key, value!)
          }
          if (random.chance(0.3)) {
            const inner = tx.savepoint()
            tx.put(...(large() as [string, string]))
            tx.rollbackTo(inner)
          }
          tx.rollbackTo(savepoint)
        }
        if (random.chance(0.75)) session.transaction(changes, backAndForth)
        else {
          const tx = session.db.begin()
          for (const [key, value] of changes) {
            backAndForth(tx)
            if (value === undefined) tx.delete(key)
            else tx.put(key, value)
          }
          await session.flush()
          tx.rollback()
        }
        // What a commit has freed is used again at once.
        session.put(`large ${random.below(4)}`, text(random, 14_000, 4200))
        if (random.chance(0.3)) await session.checkpoint()
      }
    },
  },
  {
    name: 'a damaged copy',
    session: { points: 50 },
    options: () => ({ durability: 'power' }),
    async run(session) {
      const { random } = session
      session.begin()
      for (let round = 0; round < 4; round++) {
        for (let i = random.below(4); i >= 0; i--) session.put(`key ${random.below(9)}`, text(random, 600))
        // A process that was killed leaves more to do; then the older copy of the state may need a log that is gone.
        const killed = random.chance(0.5)
        if (killed) session.abandon()
        else session.close()
        if (killed || random.chance(0.7))
          session.damage(random.pick(session.segments()), random.pick([0, 256]) + random.below(64))
        else session.damage('db/data', random.pick([512, 1024]) + random.below(512))
        session.open()
      }
    },
  },
  {
    name: 'interleaved transactions',
    session: { points: 70 },
    run: session => interleaved(session, keysOfRoots(session, [3, 20, 41, 50, 63, 77, 80, 99], 48), text),
  },
  {
    name: 'log used again, commit by commit',
    // Each commit takes one sector exactly: where the log ends in a segment that is used again, an old group begins.
    options: () => ({ durability: 'power', cacheBytes: 64 * 4096, checkpointBytes: 2 * 131072 }),
    session: { points: 16 },
    least: { reusedSegments: 3 },
    async run(session) {
      const { random } = session
      const put = (length: number, key: number = random.below(8)): void =>
        session.put(`key ${key}`, text(random, length, length))
      put(300, 0)
      put(300, 0)
      const length = 300 + 512 - session.lastWrite
      for (let key = 0; key < 8; key++) put(length, key)
      put(length)
      if (session.lastWrite !== 512) throw new Error(`a commit writes ${session.lastWrite} bytes of log`)
      for (let i = 0; i < 1245; i++) put(length)
      session.begin()
      for (let i = 0; i < 550; i++) put(length)
    },
  },
  {
    name: 'overtaken checkpoints',
    // So much log at once that nobody waits for the checkpoint under way: the next ones give up the log that it needs.
    options: () => ({ durability: 'power', cacheBytes: 64 * 4096 }),
    session: { syncsAside: true, asideTurns: 4, points: 24 },
    async run(session) {
      const { random } = session
      fill(session, 40)
      session.begin()
      for (let round = 0; round < 8; round++) {
        const done = session.db.checkpoint()
        await session.turn(random.between(1, 6))
        for (let i = 0; i < 14; i++) session.batch(changesOf(random, 12, 40, 1300, 900))
        await done
        await session.turn(9)
      }
    },
  },
  {
    name: 'records come and go aside',
    // Commits that change the number of records while a checkpoint syncs the log aside: they are not to be in block 0
    // yet.
    options: () => ({ durability: 'power', cacheBytes: 64 * 4096 }),
    session: { syncsAside: true, asideTurns: 4, points: 50 },
    least: { endedAside: 20 },
    async run(session) {
      const { random } = session
      fill(session, 20)
      session.begin()
      for (let round = 0; round < 40; round++) {
        const done = session.db.checkpoint()
        for (let i = 0; i < 12; i++) {
          const key = `key ${random.below(60)}`
          session.async([[key, session.state.has(key) ? undefined : text(random, 100)]])
          await session.turn()
        }
        await done
        await session.settle()
      }
    },
  },
  {
    name: 'key spaces',
    session: { points: 70 },
    async run(session) {
      const { random } = session
      fill(session, 10)
      session.begin()
      const names = ['one', 'two', 'three']
      for (let i = 0; i < 14; i++) {
        const name = random.pick(names)
        const roll = random.below(10)
        if (!session.state.has(`@${name}`)) session.sub(name)
        else if (roll < 1) session.drop(name)
        else if (roll < 3 && !session.state.has(`@${name}/@inner`)) session.sub('inner', `@${name}/`)
        else if (roll < 3) session.put(`@${name}/@inner/key ${random.below(8)}`, text(random, 300))
        else if (roll < 5) session.put(`@${name}/key ${random.below(8)}`, text(random, 900))
        else if (roll < 6) session.rollback(changesIn(session, random, 6))
        else session.transaction(changesIn(session, random, 6))
        if (random.chance(0.3)) {
          const tx = session.db.begin()
          for (const change of changesIn(session, random, 5)) session.change(tx, change)
          await session.flush()
          if (random.chance(0.3)) await session.checkpoint()
          tx.rollback()
        }
        if (random.chance(0.2)) session.reclaim()
      }
    },
  },
  {
    name: 'clear and drop by blocks',
    options: () => ({ cacheBytes: 64 * 4096 }),
    session: { points: 90 },
    async run(session) {
      const { random } = session
      for (const name of ['one', 'two']) session.sub(name)
      const load = (path: string): void => {
        for (let round = 0; round < 5; round++)
          session.transaction(
            Array.from({ length: 12 }, (_, i) => [`${path}key ${12 * round + i}`, text(random, 1300, 600)] as const),
          )
        session.put(`${path}large`, text(random, 20_000, 9000))
      }
      for (const path of ['@one/', '@two/']) load(path)
      if (random.chance(0.5)) load('')
      session.begin()
      for (let round = 0; round < 3; round++) {
        const path = random.pick(['@one/', '@one/', ''])
        session.clear(path)
        if (random.chance(0.4)) await session.checkpoint()
        if (random.chance(0.6)) session.reclaim()
        session.put(`${path}key 3`, text(random, 900))
        session.reclaim()
        if (random.chance(0.5)) load('@one/')
        else session.put('@two/key 7', text(random, 900))
        session.reclaim()
      }
      session.drop('two')
      for (let i = 0; i < 3; i++) {
        session.put(`key ${i}`, text(random, 900))
        session.reclaim()
      }
    },
  },
  {
    name: 'indexes',
    session: { points: 90 },
    async run(session) {
      const { random } = session
      session.sub('one')
      fill(session, 12)
      session.begin()
      const declare = (): void => {
        for (const space of [session.db, session.db.sub('one')]) declareIndexes(space)
      }
      declare()
      for (let i = 0; i < 14; i++) {
        const roll = random.below(12)
        if (roll < 4) session.put(`${random.pick(['', '@one/'])}key ${random.below(9)}`, text(random, 900))
        else if (roll < 6) session.transaction(changesIn(session, random, 5))
        else if (roll < 7) session.rollback(changesIn(session, random, 5))
        else if (roll < 8) session.clear(random.pick(['', '@one/']))
        else if (roll < 9) {
          session.db.dropIndex(random.pick(['first', 'last', 'length']))
          if (random.chance(0.7)) declare()
        } else if (roll < 10) {
          session.close()
          session.open()
          // Without being told of them, it makes them stale by what it writes.
          if (random.chance(0.3)) session.transaction(changesIn(session, random, 3))
          declare()
        } else if (roll < 11) await session.checkpoint()
        else session.reclaim()
      }
    },
  },
  {
    name: 'groups with marks',
    session: { points: 70 },
    run: groups,
  },
]

/** Changes in the root and in the sub-databases that there are. */
const changesIn = (session: Session, random: Random, count: number): Change[] => {
  const paths = ['', ...[...session.state.keys()].filter(key => /^@[a-z]+$/.test(key)).map(key => `${key}/`)]
  return Array.from({ length: count }, (): Change => {
    const key = `${random.pick(paths)}key ${random.below(9)}`
    return [key, random.chance(0.3) ? undefined : text(random, 600)]
  })
}

/** Records to begin with, in one transaction. */
const fill = (session: Session, records: number): void => {
  const { random } = session
  session.batch(Array.from({ length: records }, (_, i) => [`key ${i}`, text(random, 500)] as const))
}

const someChanges = (random: Random, count: number, keys: number, most: number): Change[] =>
  Array.from({ length: count }, (): Change => {
    const key = `key ${random.below(keys)}`
    return [key, random.chance(0.3) ? undefined : text(random, most)]
  })

/** As `someChanges`, but every key once and no deletion. */
const changesOf = (random: Random, count: number, keys: number, most: number, least?: number): Change[] => {
  const first = random.below(keys)
  return Array.from({ length: count }, (_, i) => [`key ${(first + 7 * i) % keys}`, text(random, most, least)])
}

/** Up to `most` characters, at least `least`, hardly ever the same twice. */
export const text = (random: Random, most: number, least: number = 1): string =>
  `${random.next()}`.padEnd(random.between(least, most), random.pick(['abcdefgh', '0123456789', ' x', '~']))

/** Keys that lie in few index blocks, so that buckets there split and merge. */
export const keysOfRoots = (session: Session, roots: readonly number[], count: number): string[] => {
  const head = session.disk.bytes('db/data').slice(0, 4096)
  const hash = new KeyHash(Metadata.decode(head, 'data', session.disk.storage).identity.hashKey)
  const keys: string[] = []
  for (let number = session.random.below(1e6); keys.length < count; number++) {
    const bytes = Buffer.from(`key-${number}`)
    hash.of(bytes, 0, bytes.length)
    if (roots.includes(hash.root)) keys.push(`key-${number}`)
  }
  return keys
}
