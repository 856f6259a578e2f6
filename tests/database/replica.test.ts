/** A database as a replica: groups, write sets, `apply`, who may write, and the mark (G1 to G4 of `database/replica.ts`). */
import { describe, expect, test } from 'vitest'
import { type Change, type Group, type Replica, replicaOf } from '../../src/database/replica.ts'
import { LockConflictError } from '../../src/errors.ts'
import { type Database, memoryStorage, open, restore, salvage, type XenonError } from '../../src/index.ts'
import { expectVerified, withDatabase } from '../support/database.ts'
import { expectCode, expectCodeAsync } from '../support/errors.ts'
import { readImage, storageOf } from '../support/image.ts'

const mark = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes)
const text = new TextDecoder()
const bytes = (given: string): Uint8Array => new TextEncoder().encode(given)

/** Changes as short texts. */
const told = (changes: readonly Change[]): string[] =>
  changes.map(change => {
    const path = change.space.map(name => `${name}/`).join('')
    if (change.type === 'put') return `${path}${text.decode(change.key)}=${text.decode(change.value)}`
    if (change.type === 'delete') return `${path}-${text.decode(change.key)}`
    if (change.type === 'sub') return `${path}+${change.keyEncoding},${change.valueEncoding}`
    return `${path}[${change.lower && text.decode(change.lower)},${change.upper && text.decode(change.upper)})`
  })

const withReplica = (
  body: (db: Database, replica: Replica, reopen: () => Database) => unknown,
  options: object = {},
): Promise<void> =>
  withDatabase<string>({ storage: memoryStorage(), ...options }, async subject => {
    await body(subject.db, replicaOf(subject.db), () => subject.reopen())
  })

describe('the mark', () => {
  test('is there with the changes, at once after an open, and not before the first one', () =>
    withReplica((db, replica, reopen) => {
      expect(db.mark).toBeUndefined()
      replica.apply(
        [{ type: 'put', space: [], key: bytes('a'), expiresAt: 0, flags: 0, value: bytes('1') }],
        mark(1, 2),
      )
      expect([db.mark, db.get('a')]).toEqual([mark(1, 2), '1'])
      const next = reopen()
      expect([next.mark, next.get('a')]).toEqual([mark(1, 2), '1'])
      const again = replicaOf(next)
      again.apply([], mark(...new Array<number>(64).fill(255)))
      expect(next.mark).toEqual(new Uint8Array(64).fill(255))
      expect(again.mark).not.toBe(again.mark)
      expect(reopen().mark).toEqual(new Uint8Array(64).fill(255))
    }))

  test('is found by a recovery as it was written, whatever the log holds behind it', () => {
    const storage = memoryStorage()
    const db = open('db', { storage })
    const replica = replicaOf(db)
    replica.apply(
      [{ type: 'put', space: [], key: bytes('a'), expiresAt: 0, flags: 0, value: bytes('1') }],
      mark(1, 2, 3),
    )
    replica.release()
    for (let i = 0; i < 20; i++) db.put(`key ${i}`, 'x'.repeat(100 * i))
    const recovered = open('db', { storage: storageOf(readImage('db', storage)) })
    expect([recovered.stats().recovery.needed, recovered.mark]).toEqual([true, mark(1, 2, 3)])
    recovered.close()
    db.close()
  })

  test('is found in the log of a database that was not closed, a Buffer or not', async () => {
    const storage = memoryStorage()
    const db = open('db', { storage, durability: 'process' })
    const replica = replicaOf(db)
    const put = (value: string): Change[] => [
      { type: 'put', space: [], key: bytes('a'), expiresAt: 0, flags: 0, value: bytes(value) },
    ]
    const given = Buffer.from('1010101')
    replica.apply(put('1'), given)
    given.fill(0)
    expect(db.mark).toEqual(bytes('1010101'))
    db.mark!.fill(0)
    expect(db.mark).toEqual(bytes('1010101'))
    const group = replica.begin()
    group.run(() => db.put('a', 'not committed'.repeat(1000)))
    const next = open('db', { storage: storageOf(readImage('db', storage)) })
    expect([next.stats().recovery.needed, next.mark, next.get('a')]).toEqual([true, bytes('1010101'), '1'])
    await expectVerified(next)
    next.close()
    db.close()
  })

  test('that no database can hold is refused, and nothing has happened', () =>
    withReplica((db, replica) => {
      const change: Change = { type: 'put', space: [], key: bytes('a'), expiresAt: 0, flags: 0, value: bytes('1') }
      for (const wrong of [mark(), new Uint8Array(65), 'a mark' as never])
        expectCode(() => replica.apply([change], wrong), 'XENON_INVALID_ARGUMENT')
      const group = replica.begin()
      group.run(() => db.put('b', '2'))
      expectCode(() => group.commit(mark()), 'XENON_INVALID_ARGUMENT')
      expect(group.ended).toBe(false)
      group.rollback()
      expect([db.mark, db.count()]).toEqual([undefined, 0])
    }))

  test('raises the format version when there is a first one, and nothing else of a database does', () => {
    const storage = memoryStorage()
    const version = (): number => new DataView(readImage('db', storage).get('data')!.buffer).getUint32(8, true)
    const db = open('db', { storage })
    const replica = replicaOf(db)
    const group = replica.begin()
    group.run(() => db.sub('users').put('a', '1'))
    group.rollback()
    expect(version()).toBe(3)
    replica.apply([], mark(1))
    expect(version()).toBe(4)
    db.close()
  })

  test('survives a crash with its changes, a checkpoint, a backup, a restore, compact, convert and salvage (G1)', async () => {
    const storage = memoryStorage()
    let db = open('db', { storage })
    const replica = replicaOf(db)
    for (let i = 0; i < 300; i++) {
      const group = replica.begin()
      group.run(() => db.put(`key ${i}`, `${i}`.repeat(50)))
      if (i % 3 === 0) group.run(() => db.delete(`key ${i - 7}`))
      group.commit(mark(i & 255, i >> 8))
      if (i === 100) await db.checkpoint()
    }
    const last = mark(299 & 255, 1)
    await db.compact()
    const open2 = replica.begin()
    open2.run(() => db.put('not committed', 'x'))
    await db.backup('copy')
    open2.rollback()
    replica.release()
    db.close()
    const entries = (path: string): [Uint8Array | undefined, [string, string][]] => {
      const other = open(path, { storage })
      const found = [...other.entries()]
      const { mark } = other
      other.close()
      return [mark, found]
    }
    const expected = entries('db')
    expect(expected[0]).toEqual(last)
    expect(entries('copy')).toEqual(expected)
    await restore('copy', 'restored', { storage })
    expect(entries('restored')).toEqual(expected)
    await salvage('db', 'salvaged', { storage })
    expect(entries('salvaged')).toEqual(expected)
    const { convert } = await import('../../src/index.ts')
    await convert('db', { blockSize: 8192, storage })
    expect(entries('db')).toEqual(expected)
    db = open('db', { storage })
    await expectVerified(db)
    db.close()
  })
})

test('a salvage that has lost something leaves the mark out, and says so (G1)', async () => {
  const storage = memoryStorage()
  const db = open('db', { storage })
  const replica = replicaOf(db)
  const group = replica.begin()
  group.run(() => {
    for (let i = 0; i < 500; i++) db.put(`key ${i}`, 'v'.repeat(200))
  })
  group.commit(mark(7))
  db.close()
  const image = readImage('db', storage)
  const data = image.get('data')!
  for (let block = 8; block < 40; block++) {
    const at = data.indexOf('v'.charCodeAt(0), block * 4096)
    if (at < (block + 1) * 4096) data[at]! ^= 1
  }
  for (const name of ['log/images-0', 'log/images-1']) image.set(name, new Uint8Array(0))
  const damaged = storageOf(image)
  const report = await salvage('db', 'new', { storage: damaged })
  expect(report.complete).toBe(false)
  expect(report.warnings.join()).toMatch(/mark was left out/)
  const rescued = open('new', { storage: damaged })
  expect([rescued.mark, rescued.count() > 0, rescued.count() < 500]).toEqual([undefined, true, true])
  await expectVerified(rescued)
  rescued.close()
})

describe('a group', () => {
  test('is seen by its own commands alone until it is committed (G3)', () =>
    withReplica((db, replica) => {
      const users = replica.begin()
      users.run(() => {
        db.put('a', '1')
        db.sub('s').put('in', 'x')
      })
      const sub = db.sub('s')
      expect([db.get('a'), db.has('a'), db.count(), [...db.keys()], sub.get('in'), [...sub.keys()]]).toEqual([
        undefined,
        false,
        0,
        [],
        undefined,
        [],
      ])
      users.run(() => {
        expect([db.get('a'), db.has('a'), db.count(), [...db.keys()], sub.get('in'), sub.count()]).toEqual([
          '1',
          true,
          1,
          ['a'],
          'x',
          1,
        ])
        expect(db.records().count()).toBe(1)
        db.put('a', '2')
        db.put('b', '3')
        expect([...db.entries()]).toEqual([
          ['a', '2'],
          ['b', '3'],
        ])
        db.reset()
        const met: string[] = []
        while (db.next()) met.push(db.readCurrent().key)
        expect(met.sort()).toEqual(['a', 'b'])
      })
      expect(db.get('a')).toBeUndefined()
      expect(told(users.writeSet())).toEqual(['s/+utf8,utf8', 'a=2', 's/in=x', 'b=3'])
      users.commit(mark(1))
      expect([db.get('a'), db.get('b'), sub.get('in'), db.count()]).toEqual(['2', '3', 'x', 2])
      expect(users.ended).toBe(true)
      expectCode(() => users.run(() => {}), 'XENON_TRANSACTION_ENDED')
    }))

  test('takes back a command that throws, and keeps the others', () =>
    withReplica((db, replica) => {
      const group = replica.begin()
      expect(group.hasChanges).toBe(false)
      expect(() =>
        group.run(() => {
          db.put('a', '1')
          throw new Error('no')
        }),
      ).toThrow('no')
      expect([group.hasChanges, group.writeSet()]).toEqual([false, []])
      group.run(() => db.batch([{ type: 'put', key: 'a', value: '1' }]))
      expect(() =>
        group.run(() => {
          db.put('a', 'large'.repeat(3000))
          db.delete('a')
          db.put('b', '2')
          db.clear('a')
          throw new Error('no')
        }),
      ).toThrow('no')
      expect(told(group.writeSet())).toEqual(['a=1'])
      group.run(() => db.put('c', '3'))
      group.undoLast()
      expectCode(() => group.undoLast(), 'XENON_INVALID_ARGUMENT')
      group.run(() => expect(db.get('c')).toBeUndefined())
      expect(group.hasChanges).toBe(true)
      expect(group.logBytes).toBeGreaterThan(0)
      expect(() => group.run(async () => {})).toThrow()
      expect(() => group.run(() => group.run(() => {}))).toThrow(/inside of run/)
      group.commit(mark(1))
      expect([...db.entries()]).toEqual([['a', '1']])
    }))

  test('tells net changes in the order of the first ones: nothing of what came and went', () =>
    withReplica((db, replica) => {
      let group = replica.begin()
      group.run(() => db.batch(['a', 'b', 'c', 'd'].map(key => ({ type: 'put', key, value: 'old' }))))
      group.commit(mark(1))
      group = replica.begin()
      group.run(() => {
        db.delete('c')
        db.put('new', '1')
        db.put('a', '1')
      })
      group.run(() => {
        db.delete('new')
        db.put('z', '1')
        db.put('c', 'again')
        db.delete('d')
        db.expire('b', 1000)
        db.put('large', 'l'.repeat(20_000))
      })
      const changes = group.writeSet()
      const [c, a, z, d, b, large] = changes
      expect(changes.length).toBe(6)
      expect(told([c!, a!, z!, d!])).toEqual(['c=again', 'a=1', 'z=1', '-d'])
      expect(b).toMatchObject({ key: bytes('b'), value: bytes('old'), flags: 0 })
      expect((b as { expiresAt: number }).expiresAt).toBeGreaterThan(Date.now())
      expect(large).toMatchObject({ value: bytes('l'.repeat(20_000)), expiresAt: 0 })
      group.rollback()
      expect(db.get('c')).toBe('old')
    }))

  test('runs transactions, all or nothing, without waiting for itself', () =>
    withReplica((db, replica) => {
      const group = replica.begin()
      group.run(() => db.put('a', '1'))
      group.run(() => {
        db.transaction(tx => {
          expect(tx.get('a')).toBe('1')
          tx.put('b', '2')
          const before = tx.savepoint()
          tx.put('b', '3')
          tx.rollbackTo(before)
          tx.in(db.sub('s')).put('c', '4')
          expect([[...tx.keys()], tx.count(), db.get('b')]).toEqual([['a', 'b'], 2, '2'])
          db.transaction(inner => inner.put('inner', '5'))
        })
        expect(() =>
          db.transaction(tx => {
            tx.put('d', '6')
            db.put('e', '7')
            throw new Error('no')
          }),
        ).toThrow('no')
        const kept = db.transaction(tx => {
          tx.put('f', '8')
          tx.rollback()
          expect(tx.ended).toBe(true)
          expectCode(() => tx.put('g', '9'), 'XENON_TRANSACTION_ENDED')
          return 'result'
        })
        expect(kept).toBe('result')
        expectCode(() => db.transaction(tx => tx.put('h', '1'), { readOnly: true }), 'XENON_READ_ONLY')
        expectCode(() => db.begin(), 'XENON_NOT_SUPPORTED')
      })
      expect(told(group.writeSet())).toEqual(['s/+utf8,utf8', 'a=1', 'b=2', 's/c=4', 'inner=5'])
      group.commit(mark(1))
    }))

  test('is the only one, and stays open over an await', async () => {
    await withReplica(async (db, replica) => {
      const group = replica.begin()
      expect(replica.group).toBe(group)
      expectCode(() => replica.begin(), 'XENON_NOT_SUPPORTED')
      expectCode(() => replica.apply([], mark(1)), 'XENON_NOT_SUPPORTED')
      group.run(() => db.put('a', '1'))
      await new Promise(resolve => setImmediate(resolve))
      group.run(() => db.put('b', '2'))
      group.commit(mark(1))
      expect(replica.group).toBeUndefined()
      expect([...db.keys()]).toEqual(['a', 'b'])
    })
  })

  test('clears a range as one change, with what has expired in it', () => {
    let now = Date.now()
    return withReplica(
      (db, replica) => {
        let group = replica.begin()
        group.run(() => {
          for (const key of ['a', 'b1', 'b2', 'b3', 'c']) db.put(key, 'v')
          db.put('b4', 'v', { ttl: 1000 })
        })
        group.commit(mark(1))
        now += 2000
        group = replica.begin()
        expect(group.clearRange([], bytes('b'), bytes('c'))).toBe(4)
        group.run(() => db.put('b2', 'new'))
        group.run(() => db.delete('a'))
        expect(told(group.writeSet())).toEqual(['[b,c)', 'b2=new', '-a'])
        expect(group.clearRange([], undefined, undefined)).toBe(2)
        group.undoLast()
        expect(told(group.writeSet())).toEqual(['[b,c)', 'b2=new', '-a'])
        expect(() =>
          group.run(() => {
            expect(group.clearRange([], bytes('c'), undefined)).toBe(1)
            throw new Error('no')
          }),
        ).toThrow('no')
        expect(told(group.writeSet())).toEqual(['[b,c)', 'b2=new', '-a'])
        group.commit(mark(2))
        expect([...db.keys()]).toEqual(['b2', 'c'])
      },
      { storage: { ...memoryStorage(), now: () => now } },
    )
  })

  test('takes back the sub-databases that it has made', () =>
    withReplica((db, replica) => {
      const group = replica.begin()
      group.run(() => db.sub('s').sub('t').put('a', '1'))
      expect(told(group.writeSet())).toEqual(['s/+utf8,utf8', 's/t/+utf8,utf8', 's/t/a=1'])
      group.rollback()
      expect(db.subs()).toEqual([])
    }))
})

describe('the faces of the server and the indexes', () => {
  test('records of the server are read and written in the group', () =>
    withReplica((db, replica) => {
      const records = db.records()
      const group = replica.begin()
      group.run(() => {
        for (let i = 0; i < 50; i++) records.put(bytes(`key ${i}`), 'v', i % 2 === 0 ? 0 : Date.now() + 100_000)
      })
      group.run(() => {
        expect([records.count(), records.countExpiring(), records.has(bytes('key 3'))]).toEqual([50, 25, true])
        const { keys, next } = records.scan(0, 1000)
        expect([keys.length, next]).toEqual([50, 0])
        expect(records.random()).toBeDefined()
        expect(records.delete(bytes('key 1'))).toBe(true)
        expect(records.changeExpiry(bytes('key 3'), 0)).toBe(true)
        expect(() =>
          records.together(() => {
            records.clear()
            expect(records.count()).toBe(0)
            throw new Error('no')
          }),
        ).toThrow('no')
        expect([records.count(), records.countExpiring()]).toEqual([49, 23])
      })
      expect([records.count(), records.has(bytes('key 3')), records.scan(0, 1000).keys.length]).toEqual([0, false, 0])
      expect(group.writeSet().length).toBe(49)
      group.run(() => records.clear())
      expect(group.writeSet()).toEqual([])
      group.undoLast()
      group.commit(mark(1))
      expect([records.count(), db.count()]).toEqual([49, 49])
    }))

  test('indexes follow, each replica keeping its own', () =>
    withReplica(async (leading, leader) => {
      const following = open('other', { storage: memoryStorage() })
      const follower = replicaOf(following)
      const [index, other] = [leading, following].map(db => db.index('length', value => value.length))
      const unique = leading.index('all', value => value, { unique: true })
      await Promise.all([index!.ready, other!.ready, unique.ready])
      const group = leader.begin()
      group.run(() => {
        leading.put('a', 'xx')
        leading.put('b', 'yyy')
        expect([...index!.keys(2)]).toEqual([[2, 'a']])
      })
      expect(() => group.run(() => leading.put('c', 'yyy'))).toThrow(/unique|yyy/)
      expect(() =>
        group.run(() => {
          leading.put('a', 'longer')
          throw new Error('no')
        }),
      ).toThrow('no')
      group.run(() => expectCode(() => leading.index('new', value => value), 'XENON_NOT_SUPPORTED'))
      expect([...index!.keys(2)]).toEqual([])
      expect(told(group.writeSet())).toEqual(['a=xx', 'b=yyy'])
      follower.apply(group.writeSet(), mark(1))
      group.commit(mark(1))
      for (const each of [index!, other!])
        expect([...each.keys()]).toEqual([
          [2, 'a'],
          [3, 'b'],
        ])
      await expectVerified(following)
      following.close()
    }))
})

describe('who may write (G2)', () => {
  const refused = (work: () => unknown): XenonError => expectCode(work, 'XENON_READ_ONLY')

  test('nobody but groups and apply, whatever the face', () =>
    withDatabase<string>({ storage: memoryStorage() }, async ({ db }) => {
      db.put('a', '1')
      const sub = db.sub('s')
      sub.put('in', 'x')
      const replica = replicaOf(db)
      for (const face of [db, sub]) {
        refused(() => face.put('a', '2'))
        refused(() => face.delete('a'))
        refused(() => face.expire('a', 1000))
        refused(() => face.persist('a'))
        refused(() => face.batch([{ type: 'delete', key: 'a' }]))
        refused(() => face.clear())
        refused(() => face.clear('a'))
        refused(() => face.transaction(tx => tx.put('a', '2')))
        refused(() => face.transaction(tx => tx.clear()))
        refused(() => face.begin().delete('a'))
        refused(() => face.records().put(bytes('a'), 'v', 0))
        for (const work of [
          () => face.async.put('a', '2'),
          () => face.async.delete('a'),
          () => face.async.expire('a', 1000),
          () => face.async.batch([{ type: 'delete', key: 'a' }]),
          () => face.async.clear(),
          () => face.async.transact(tx => tx.put('a', '2')),
          () => face.async.sub('new'),
        ])
          await expectCodeAsync(work, 'XENON_READ_ONLY')
        refused(() => face.sub('new'))
        refused(() => face.drop('s'))
      }
      refused(() => db.dropIndex('none'))
      refused(() => db.nameEncodings({ keyEncoding: '', valueEncoding: '' }))
      await expectCodeAsync(() => db.convert(false, {}), 'XENON_READ_ONLY')
      const group = replica.begin()
      group.run(() => {
        refused(() => db.drop('s'))
        refused(() => db.dropIndex('none'))
      })
      await group.run(() => [expectCodeAsync(() => db.async.put('a', '2'), 'XENON_READ_ONLY')])[0]
      expect(group.writeSet()).toEqual([])
      group.rollback()
      expect([[...db.entries()], [...sub.entries()]]).toEqual([[['a', '1']], [['in', 'x']]])
      replica.release()
      expect(replica.ended).toBe(true)
      expectCode(() => replica.begin(), 'XENON_CLOSED')
      db.put('a', '2')
      expect(db.get('a')).toBe('2')
    }))

  test('transactions of others read from a snapshot, and keep nobody from applying', () =>
    withReplica((db, replica) => {
      const put = (value: string): Change[] => [
        { type: 'put', space: [], key: bytes('a'), expiresAt: 0, flags: 0, value: bytes(value) },
      ]
      replica.apply(put('1'), mark(1))
      const tx = db.begin()
      expect([...tx.entries()]).toEqual([['a', '1']])
      replica.apply(put('2'), mark(2))
      expect([tx.get('a'), db.get('a')]).toEqual(['1', '2'])
      tx.commit()
    }))

  test('compact, checkpoint and backup go on beside groups that follow each other', () =>
    withReplica(async (db, replica) => {
      const fill = replica.begin()
      fill.run(() => {
        for (let i = 0; i < 3000; i++) db.put(`key ${i}`, 'v'.repeat(300))
      })
      fill.run(() => {
        for (let i = 0; i < 3000; i += 2) db.delete(`key ${i}`)
      })
      fill.commit(mark(1))
      let isDone = false
      let groups = 0
      const writing = (async () => {
        while (!isDone) {
          const free = replica.whenFree()
          if (free !== undefined) await free
          const group = replica.begin()
          group.run(() => db.put(`more ${groups % 50}`, 'w'.repeat(200)))
          await new Promise(resolve => setTimeout(resolve, 2))
          group.commit(mark(2, groups++ & 255))
        }
      })()
      await db.checkpoint()
      const { bytesBefore, bytesAfter } = await db.compact()
      await db.backup('copy')
      isDone = true
      await writing
      expect(bytesAfter).toBeLessThan(0.8 * bytesBefore)
      expect(groups).toBeGreaterThan(3)
      expect(replica.whenFree()).toBeUndefined()
    }))

  test('only one has it, and only a database that can be written and where nobody is at work', () => {
    const storage = memoryStorage()
    let db = open('db', { storage })
    const tx = db.begin()
    tx.put('a', '1')
    expectCode(() => replicaOf(db), 'XENON_INVALID_ARGUMENT')
    tx.rollback()
    replicaOf(db)
    expectCode(() => replicaOf(db), 'XENON_INVALID_ARGUMENT')
    db.close()
    db = open('db', { storage, readOnly: true })
    expectCode(() => replicaOf(db), 'XENON_INVALID_ARGUMENT')
    db.close()
    expectCode(() => replicaOf(db), 'XENON_CLOSED')
  })

  test('closing the database rolls back the group that is open', () =>
    withReplica((db, replica, reopen) => {
      replica.apply([], mark(1))
      const group = replica.begin()
      group.run(() => db.put('a', '1'))
      const next = reopen()
      expect([replica.ended, next.mark, next.count()]).toEqual([true, mark(1), 0])
    }))
})

describe('time', () => {
  const HOUR = 3_600_000

  test('is what the clock of the replica says, and nothing is swept but by a group', async () => {
    let now = 1_800_000_000_000
    await withDatabase<string>({ storage: memoryStorage() }, async ({ db }) => {
      const replica = replicaOf(db, { clock: () => now })
      let group = replica.begin()
      group.run(() => {
        db.put('a', '1', { ttl: HOUR })
        db.sub('s').put('b', '2', { ttl: HOUR })
        db.put('c', '3')
      })
      expect((group.writeSet().find(({ type }) => type === 'put') as { expiresAt: number }).expiresAt).toBe(now + HOUR)
      group.commit(mark(1))
      expect(db.ttl('a')).toBe(HOUR)
      now += HOUR + 1
      expect([db.get('a'), db.has('a'), db.count(), [...db.keys()]]).toEqual([undefined, false, 1, ['c']])
      await new Promise(resolve => setTimeout(resolve, 60))
      expect(db.stats().records).toBe(2)
      now -= 2
      expect(db.get('a')).toBe('1')
      now += 2
      group = replica.begin()
      expect(group.sweep(1)).toBe(1)
      expect(group.sweep(10)).toBe(1)
      expect(told(group.writeSet())).toEqual(['-a', 's/-b'])
      group.commit(mark(2))
      expect(db.stats().records).toBe(1)
      replica.release()
      expect(db.stats().expired).toBe(1)
    })
  })
})

describe('interactive transactions', () => {
  const put = (group: Group, db: Database, key: string, value: string): void => group.run(() => db.put(key, value))

  test('lock until a group has taken them in, and do not commit by themselves', () =>
    withReplica(async (db, replica) => {
      const first = replica.begin()
      put(first, db, 'a', '1')
      first.commit(mark(1))
      const tx = replica.interactive(() => db.begin())
      tx.put('a', '2')
      tx.put('large', 'l'.repeat(20_000))
      tx.in(db).delete('none')
      expectCode(() => tx.commit(), 'XENON_READ_ONLY')
      expect(tx.ended).toBe(false)
      const group = replica.begin()
      expect(() => put(group, db, 'a', '3')).toThrow(LockConflictError)
      put(group, db, 'b', '4')
      expect(() => tx.put('b', '5')).toThrow(LockConflictError)
      group.absorb(tx)
      expect(tx.ended).toBe(true)
      expectCode(() => group.absorb(tx), 'XENON_TRANSACTION_ENDED')
      expect(told(group.writeSet()).map(line => line.slice(0, 9))).toEqual(['b=4', 'a=2', 'large=lll'])
      put(group, db, 'a', '6')
      group.commit(mark(2))
      expect([db.get('a'), db.get('b'), db.get('large')!.length]).toEqual(['6', '4', 20_000])
      const reading = replica.interactive(() => db.begin())
      expect(reading.get('a')).toBe('6')
      reading.commit()
    }))

  test('of the async face wait for the group, and are absorbed too', () =>
    withReplica(async (db, replica) => {
      const group = replica.begin()
      put(group, db, 'a', '1')
      const tx = replica.interactive(() => db.async.beginNow({}))
      const waiting = tx.put('a', '2')
      await tx.put('b', '3')
      expectCode(() => group.absorb(tx), 'XENON_INVALID_ARGUMENT')
      group.commit(mark(1))
      await waiting
      const next = replica.begin()
      next.absorb(tx)
      await expectCodeAsync(() => tx.commit(), 'XENON_TRANSACTION_ENDED')
      next.commit(mark(2))
      expect([...db.entries()]).toEqual([
        ['a', '2'],
        ['b', '3'],
      ])
    }))

  test('end when the database follows again, or is nobody’s replica any more', () =>
    withReplica((db, replica) => {
      const tx = replica.interactive(() => db.begin())
      tx.put('a', '1')
      replica.apply([{ type: 'put', space: [], key: bytes('a'), expiresAt: 0, flags: 0, value: bytes('2') }], mark(1))
      expect([tx.ended, db.get('a')]).toEqual([true, '2'])
      const other = replica.interactive(() => db.begin())
      other.put('a', '3')
      replica.release()
      expect([other.ended, db.get('a')]).toEqual([true, '2'])
    }))
})

describe('apply', () => {
  test('of something that is no change is refused as a whole', () =>
    withReplica((db, replica) => {
      const good: Change = { type: 'put', space: [], key: bytes('a'), expiresAt: 0, flags: 0, value: bytes('1') }
      const wrong: unknown[] = [
        { ...good, key: bytes('') },
        { ...good, key: 'a' },
        { ...good, value: 'v' },
        { ...good, expiresAt: Number.NaN },
        { type: 'delete', space: [], key: new Uint8Array(5000) },
        { type: 'add', space: [], key: bytes('a') },
        { type: 'sub', space: [] },
        { type: 'clearRange', space: [], lower: 'a', upper: undefined },
      ]
      for (const change of wrong)
        expectCode(() => replica.apply([good, change as Change], mark(1)), 'XENON_INVALID_ARGUMENT')
      expectCode(() => replica.apply([good, { ...good, space: ['none'] }], mark(1)), 'XENON_NOT_FOUND')
      expect([db.count(), db.mark]).toEqual([0, undefined])
    }))

  test('tells those who watch', () =>
    withReplica(async (db, replica) => {
      const watcher = db.watch()
      replica.apply([{ type: 'put', space: [], key: bytes('a'), expiresAt: 0, flags: 0, value: bytes('1') }], mark(1))
      const items = watcher[Symbol.asyncIterator]()
      const next = await items.next()
      expect(next.value).toMatchObject({ type: 'put', key: 'a', value: '1' })
      await items.return?.()
    }))
})
