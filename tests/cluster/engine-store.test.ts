/** A real database as the store of a node: groups, marks, snapshots that are restored in place (X3, X8, X11). */
import { expect, test } from 'vitest'
import { type EngineStore, storeOf } from '../../src/cluster/engine-store.ts'
import { type Database, memoryStorage, open } from '../../src/index.ts'
import { nodeStorage } from '../../src/storage/node.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { closeQuietly, expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { expectCode, expectCodeAsync } from '../support/errors.ts'

const mark = (number: number): Uint8Array => new Uint8Array(48).fill(number)

interface Member {
  readonly db: Database
  readonly store: EngineStore
}

function member(storage: Storage, directory: string): Member {
  const db = open(directory, { storage, durability: 'process', valueEncoding: 'utf8' })
  const store = storeOf(db, { scratch: `${directory}-scratch`, storage })
  return { db, store }
}

/** All that a member holds, with exact times of expiry. */
function contentOf({ db }: Member): unknown {
  const root = db.asBytes()
  const all = (outer: typeof root): unknown => ({
    records: [...outer.entries()].map(([key, value]) => [String(key), String(value)]),
    subs: outer.subs().map(name => [name, all(outer.subAsBytes(name)!)]),
  })
  return all(root)
}

async function withMembers(body: (first: Member, second: Member, storage: Storage) => unknown): Promise<void> {
  const storage = memoryStorage()
  const [first, second] = [member(storage, 'first'), member(storage, 'second')]
  try {
    await body(first, second, storage)
    await expectVerified(first.db)
    await expectVerified(second.db)
  } finally {
    closeQuietly(first.db)
    closeQuietly(second.db)
  }
}

/** The changes of a group of the leader, applied by the follower. */
function replicate(leader: Member, follower: Member, number: number, ...commands: (() => unknown)[]): void {
  const group = leader.store.begin()
  for (const command of commands) group.run(command)
  const changes = [...group.changes()]
  group.commit(mark(number))
  follower.store.apply(changes, mark(number))
}

test('what a group has changed makes the same of another database', () =>
  withMembers((leader, follower) => {
    let now = 1_700_000_000_000
    for (const { store } of [leader, follower]) store.setTime(() => now)
    replicate(
      leader,
      follower,
      1,
      () => leader.db.put('a', '1'),
      () => leader.db.put('gone', 'soon', { ttl: 1000 }),
      () => leader.db.sub('users').put('ada', 'x'.repeat(10_000)),
    )
    replicate(leader, follower, 2, () => leader.db.delete('a'))
    expect(contentOf(follower)).toEqual(contentOf(leader))
    expect([follower.db.ttl('gone'), follower.store.mark]).toEqual([1000, mark(2)])
    now += 1000
    expect([leader.db.has('gone'), follower.db.has('gone')]).toEqual([false, false])
  }))

test('a command that throws takes back its own changes, and a rollback all', () =>
  withMembers(({ db, store }) => {
    const group = store.begin()
    expect(group.hasChanges).toBe(false)
    group.run(() => db.put('a', '1'))
    expect(() =>
      group.run(() => {
        db.put('b', '2')
        throw new Error('no')
      }),
    ).toThrow('no')
    expect([group.hasChanges, group.size > 0, [...group.changes()].length, db.has('a')]).toEqual([true, true, 1, false])
    group.rollback()
    group.rollback()
    expect([db.count(), store.mark]).toEqual([0, undefined])
  }))

test('what has expired goes by a group, everywhere', () =>
  withMembers((leader, follower) => {
    let now = 1_700_000_000_000
    for (const { store } of [leader, follower]) store.setTime(() => now)
    replicate(
      leader,
      follower,
      1,
      () => leader.db.put('gone', 'soon', { ttl: 1000 }),
      () => leader.db.put('stays', '1'),
    )
    now += 1000
    const group = leader.store.begin()
    expect([group.sweep(10), group.hasChanges]).toEqual([1, true])
    follower.store.apply([...group.changes()], mark(2))
    group.commit(mark(2))
    now -= 1000
    expect([leader.db.has('gone'), follower.db.has('gone'), follower.db.has('stays')]).toEqual([false, false, true])
  }))

test('nobody else writes (X11), and an interactive transaction is taken in by a group', () =>
  withMembers(({ db, store }) => {
    expectCode(() => db.put('a', '1'), 'XENON_READ_ONLY')
    const transaction = store.replica.interactive(() => db.begin())
    transaction.put('a', '1')
    expectCode(() => transaction.commit(), 'XENON_READ_ONLY')
    const group = store.begin()
    group.absorb(transaction)
    expect([...group.changes()]).toHaveLength(1)
    group.commit(mark(1))
    expect(db.get('a')).toBe('1')
  }))

test('a snapshot takes the place of all that was there, with its mark, for whoever has the database open', () =>
  withMembers(async (leader, other, storage) => {
    for (const { store } of [leader, other]) store.setTime(() => 1_700_000_000_000)
    const group = leader.store.begin()
    group.run(() => {
      for (let i = 0; i < 500; i++) leader.db.put(`key ${i}`, `value ${i}`, i % 7 === 0 ? { ttl: i + 1 } : {})
      leader.db.sub('users').sub('inner').put('ada', '1'.repeat(9_000))
    })
    group.commit(mark(1))
    other.store.apply(
      [{ type: 'put', space: [], key: Buffer.from('old'), value: Buffer.from('x'), flags: 0, expiresAt: 0 }],
      mark(9),
    )

    const snapshot = await leader.store.snapshot()
    expect(snapshot.mark).toEqual(mark(1))
    const pieces: Uint8Array[] = []
    for await (const piece of snapshot.content) pieces.push(piece)
    snapshot.release()
    const content = async function* (): AsyncGenerator<Uint8Array> {
      yield* pieces
    }
    // What comes later is not in it.
    const later = leader.store.begin()
    later.run(() => leader.db.put('later', '1'))
    later.rollback()

    await other.store.verifySnapshot(content(), mark(1))
    expect(other.db.get('old')).toBe('x')
    await expectCodeAsync(() => other.store.restore(content(), mark(2)), 'XENON_CORRUPT')
    await expectCodeAsync(async () => {
      const damaged = Buffer.concat(pieces)
      damaged.fill(0xff, damaged.length >> 3, damaged.length >> 1)
      await other.store.restore(
        (async function* () {
          yield damaged
        })(),
        mark(1),
      )
    }, 'XENON_CORRUPT')
    expect([other.db.get('old'), other.store.mark]).toEqual(['x', mark(9)])

    await other.store.restore(content(), mark(1))
    expect(contentOf(other)).toEqual(contentOf(leader))
    expect([other.db.has('old'), other.db.ttl('key 7'), other.store.mark]).toEqual([false, 8, mark(1)])
    expect([storage.list('first-scratch'), storage.list('second-scratch')]).toEqual([[], []])
  }))

test('on a disk', () =>
  withDirectory(async directory => {
    const { db, store } = member(nodeStorage, `${directory}/db`)
    try {
      store.apply(
        [{ type: 'put', space: [], key: Buffer.from('a'), value: Buffer.from('1'), flags: 0, expiresAt: 0 }],
        mark(1),
      )
      const snapshot = await store.snapshot()
      await store.restore(snapshot.content, mark(1))
      snapshot.release()
      expect([db.get('a'), nodeStorage.list(`${directory}/db-scratch`)]).toEqual(['1', []])
      await expectVerified(db)
    } finally {
      closeQuietly(db)
    }
  }))
