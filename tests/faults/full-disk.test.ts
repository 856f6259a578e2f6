/**
 * A disk that is full: whatever is refused is refused with a typed error, and once there is room again the database
 * opens with everything that was acknowledged, and with nothing by halves.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type Database, type OpenOptions, open, XenonError } from '../../src/index.ts'
import { pause, startChild } from '../support/child.ts'
import { closeQuietly, expectVerified } from '../support/database.ts'
import { failureOf, thrownBy } from '../support/errors.ts'
import { type Change, History } from '../support/history.ts'
import { readImage, writeImage } from '../support/image.ts'
import { isLong } from '../support/long.ts'
import { expectEqual, type Records, scan } from '../support/model.ts'
import { type Random, seeded } from '../support/random.ts'
import { type SmallDisk, whyNoDisk, withSmallDisk } from './small-disk.ts'

const SMALL = 100
const LARGE = 40_000
const GROUP = 12

/** A pool and a log so small that blocks are evicted and checkpoints run all the time. */
const tight: OpenOptions = {
  cacheBytes: 48 * 4096,
  checkpointBytes: 512 * 1024,
  logSegmentBytes: 256 * 1024,
}
/** Nothing reaches the data file before the close. */
const roomy: OpenOptions = { cacheBytes: 16 << 20, checkpointBytes: 256 << 20, durability: 'process' }

for (const kind of isLong ? (['ext4', 'tmpfs'] as const) : (['ext4'] as const)) {
  const onDisk = (body: (disk: SmallDisk, random: Random, directory: string) => unknown) => () =>
    seeded(random =>
      withSmallDisk(kind, async disk => {
        // Whatever a refused operation leaves open would keep the file system busy.
        const before = openFiles()
        await body(disk, random, `${disk.directory}/db`)
        expect(openFiles(), 'files left open').toBe(before)
      }),
    )

  describe.skipIf(whyNoDisk(kind) !== undefined)(`on a full ${kind}`, () => {
    for (const durability of ['power', 'process', 'none'] as const) {
      for (const [what, bytes] of [
        ['small', SMALL],
        ['large', LARGE],
      ] as const) {
        test(
          `writing ${what} values with durability ${durability} until nothing fits loses nothing`,
          onDisk(async (disk, random, directory) => {
            const history = new History<string>()
            for (const room of [bytes === LARGE ? 5_000_000 : 1_000_000, 300_000, 40_000]) {
              disk.leave(room)
              const db = open(directory, { ...tight, durability })
              const failure = await write(db, random, bytes, history)
              expectGoesOn(db, failure)
              expectTypedOrNothing(() => db.close())
              disk.free()
              await expectHistory(directory, tight, history)
            }
          }),
        )
      }
    }

    test(
      'of a hundred commits in flight, those that resolved are there and the others are refused',
      onDisk(async (disk, random, directory) => {
        const history = new History<string>()
        const db = open(directory, { ...tight, durability: 'power' })
        disk.leave(400_000)
        const failures: unknown[] = []
        while (failures.length === 0) {
          const all = Array.from({ length: 100 }, () => someChanges(random, SMALL))
          const results = await Promise.allSettled(all.map(changes => db.async.batch(changes.map(operation))))
          results.forEach((result, i) => {
            // What was refused changed nothing; those after it may have found room.
            if (result.status === 'rejected') failures.push(result.reason)
            else history.certain(history.commit(all[i]!))
          })
        }
        expectGoesOn(db, failures[0])
        for (const failure of failures) expectTyped(failure)
        expectTypedOrNothing(() => db.close())
        disk.free()
        await expectHistory(directory, tight, history)
      }),
    )

    test(
      'what durability none writes in the background finds the room of the reserve',
      onDisk(async (disk, random, directory) => {
        const history = new History<string>()
        const db = open(directory, { ...roomy, durability: 'none' })
        // The first write of the log makes the reserve; a change that is the removal of nothing writes nothing.
        commit(db, history, [['record/first', 'first'], ...someChanges(random, SMALL)])
        await db.flush()
        disk.leave(0)
        // More than the last block of the log has room for.
        history.commit([['record/last', 'last'.repeat(5000)]])
        db.put('record/last', 'last'.repeat(5000))
        const deadline = Date.now() + 10_000
        while (!db.stats().disk.full && Date.now() < deadline) await pause(50)
        expect(db.stats().disk.full).toBe(true)
        expect(db.get('record/last')).toBe('last'.repeat(5000))
        expect(thrownBy(() => db.put('key', 'value'))).toMatchObject({ code: 'XENON_FULL' })
        await db.flush()
        history.certain()
        db.close()
        disk.free()
        await expectHistory(directory, roomy, history)
      }),
    )

    test(
      'a transaction larger than the disk vanishes',
      onDisk(async (disk, random, directory) => {
        const history = new History<string>()
        let db = open(directory, tight)
        for (let i = 0; i < 50; i++) commit(db, history, someChanges(random, SMALL))
        for (const how of ['rollback', 'dispose', 'leave open', 'transaction()'] as const) {
          disk.leave(700_000)
          const tx = db.begin()
          const fill = (): void => {
            for (let i = 0; ; i++) tx.put(`group/${i % GROUP}`, `${i} of the lost`.repeat(1 + (i % 400)))
          }
          if (how === 'transaction()') {
            tx.rollback()
            expectRefused(
              thrownBy(() =>
                db.transaction(inner => {
                  for (let i = 0; ; i++) inner.put(`lost ${i}`, 'lost'.repeat(1 + (i % 400)))
                }),
              ),
            )
          } else {
            const refused = thrownBy(fill)
            expectGoesOn(db, refused)
            if (how === 'rollback') tx.rollback()
            if (how === 'dispose') tx[Symbol.dispose]()
          }
          expectTypedOrNothing(() => db.close())
          disk.free()
          await expectHistory(directory, tight, history)
          db = open(directory, tight)
        }
        db.close()
      }),
    )

    test(
      'a commit that does not fit any more is not there or there as a whole',
      onDisk(async (disk, random, directory) => {
        writeAllBlocks(directory)
        const history = new History<string>()
        let db = open(directory, roomy)
        let commits = 0
        for (const durability of ['power', 'process'] as const) {
          db.close()
          db = open(directory, { ...roomy, durability })
          disk.leave(500_000)
          let failure: unknown
          while (failure === undefined) {
            const changes = someChanges(random, 2000)
            const number = history.commit(changes)
            const tx = db.begin()
            failure = thrownBy(() => {
              for (const change of changes) apply(tx, change)
              tx.commit()
            })
            if (failure === undefined) history.certain(number)
            else if (!tx.ended) tx.rollback()
            commits++
          }
          expectGoesOn(db, failure)
          expectTypedOrNothing(() => db.close())
          disk.free()
          await expectHistory(directory, roomy, history)
          db = open(directory, roomy)
        }
        db.close()
        expect(commits).toBeGreaterThan(4)
      }),
    )

    test(
      'a checkpoint that finds no room changes nothing',
      onDisk(async (disk, random, directory) => {
        writeAllBlocks(directory)
        const history = new History<string>()
        let refused = 0
        for (const room of [0, 20_000, 100_000, 400_000, 800_000]) {
          const db = open(directory, roomy)
          for (let i = 0; i < 120; i++) commit(db, history, someChanges(random, 3000))
          disk.leave(room)
          const failure = await failureOf(() => db.checkpoint())
          if (failure !== undefined) {
            refused++
            expectGoesOn(db, failure)
          }
          expectTypedOrNothing(() => db.close())
          disk.free()
          await expectHistory(directory, roomy, history)
        }
        expect(refused).toBeGreaterThan(2)
      }),
    )

    test(
      'a close that finds no room keeps the log, frees the lock, and loses nothing',
      onDisk(async (disk, random, directory) => {
        writeAllBlocks(directory)
        const history = new History<string>()
        let kept = 0
        for (const room of [0, 4096, 30_000, 150_000, 600_000]) {
          const db = open(directory, roomy)
          for (let i = 0; i < 120; i++) commit(db, history, someChanges(random, 3000))
          disk.leave(room)
          db.close()
          expect(db.closed).toBe(true)
          expect(thrownBy(() => db.close())).toBeUndefined()
          const reader = open(directory, { ...roomy, readOnly: true })
          if (reader.stats().recovery.needed) kept++
          history.expectRecovered(scan(reader))
          reader.close()
          disk.free()
          await expectHistory(directory, roomy, history)
        }
        expect(kept).toBeGreaterThan(1)
      }),
    )

    test(
      'a database is created as a whole or not at all',
      onDisk((disk, _random, directory) => {
        let refused = 0
        let created = 0
        for (let room = 0; room <= 720 * 1024; room += room < 24 * 1024 ? 4096 : 24 * 1024) {
          disk.leave(room)
          const failure = thrownBy(() => {
            const db = open(directory, tight)
            created++
            closeQuietly(db)
          })
          if (failure !== undefined) {
            refused++
            expectRefused(failure)
            // Again, over what the first attempt left.
            expectTypedOrNothing(() => open(directory, tight).close())
          }
          disk.free()
          const db = open(directory, tight)
          expectEqual(db, new Map())
          db.put('key', 'value')
          db.close()
          expect(readdirSync(directory).sort()).toEqual(['data', 'log'])
          rmSync(directory, { recursive: true })
        }
        expect(refused).toBeGreaterThan(1)
        expect(created).toBeGreaterThan(2)
      }),
    )

    test(
      'a recovery that finds no room is refused as often as it is tried, takes nothing, and succeeds when there is some',
      onDisk(async (disk, random, directory) => {
        const history = new History<string>()
        const db = open(`${disk.directory}/source`, { ...roomy, checkpointBytes: 1 << 20 })
        for (let i = 0; i < 250; i++) commit(db, history, someChanges(random, 3000))
        const loser = db.begin()
        for (let i = 0; i < 2000; i++) loser.put(`group/${i}`, 'never committed'.repeat(20))
        await db.flush()
        const image = readImage(`${disk.directory}/source`)
        loser.rollback()
        const records = scan(db)
        closeQuietly(db)
        // The day came when it was used.
        image.delete('log/reserve')
        rmSync(`${disk.directory}/source`, { recursive: true })
        let refused = 0
        let opened = 0
        for (const room of [0, 4096, 60_000, 300_000, 700_000, 1_100_000]) {
          rmSync(directory, { recursive: true, force: true })
          writeImage(directory, image)
          disk.leave(room)
          const before = disk.available
          for (let attempt = 0; attempt < 3; attempt++) {
            const failure = thrownBy(() => open(directory, roomy).close())
            if (failure === undefined) {
              opened++
              continue
            }
            refused++
            expectRefused(failure)
            // An ext4 keeps the blocks that its directories have grown by.
            expect(disk.available).toBeGreaterThanOrEqual(before - (kind === 'ext4' ? 8192 : 0))
          }
          const reader = open(directory, { ...roomy, readOnly: true })
          expectEqual(reader, records)
          reader.close()
          disk.free()
          await expectHistory(directory, tight, new History(records))
        }
        expect(refused).toBeGreaterThan(5)
        expect(opened).toBeGreaterThan(2)
      }),
    )

    test(
      'a database that was closed cleanly can be read',
      onDisk(async (disk, random, directory) => {
        const history = new History<string>()
        const db = open(directory, roomy)
        for (let i = 0; i < 100; i++) commit(db, history, someChanges(random, 3000))
        const records = scan(db)
        db.close()
        disk.leave(0)
        const reader = open(directory, { ...tight, readOnly: true })
        expectEqual(reader, records)
        await expectVerified(reader, records.size)
        reader.close()
        // To be written it must be locked, and the lock takes a block.
        const failure = thrownBy(() => {
          const writer = open(directory, tight)
          expectEqual(writer, records)
          writer.close()
        })
        if (failure !== undefined) expectRefused(failure)
        disk.free()
        await expectHistory(directory, tight, history)
      }),
    )

    test(
      'a database that another process has open can be read, and is refused to writers, though the disk takes no lock',
      onDisk(async (disk, _random, directory) => {
        open(directory, tight).close()
        const other = startChild('support/opener.mjs', [directory, '{}'], { XENON_HOLD: '1' })
        try {
          while (!existsSync(`${directory}/lock`)) await pause(5)
          disk.leave(0)
          const reader = open(directory, { ...tight, readOnly: true })
          expect([reader.count(), reader.refresh()]).toEqual([0, false])
          reader.close()
          const failure = thrownBy(() => open(directory, tight).close())
          expect(failure).toMatchObject({ code: 'XENON_LOCKED', pid: other.process.pid })
        } finally {
          other.kill()
          await other.ended
        }
        disk.free()
        await expectHistory(directory, tight, new History())
      }),
    )

    test(
      'a database that is open already can be read to its end, and closed',
      onDisk(async (disk, random, directory) => {
        const history = new History<string>()
        const db = open(directory, tight)
        for (let i = 0; i < 200; i++) commit(db, history, someChanges(random, 1500))
        const records = scan(db)
        await db.checkpoint()
        disk.leave(0)
        expectEqual(db, records)
        await expectVerified(db, records.size)
        expectTypedOrNothing(() => db.close())
        disk.free()
        await expectHistory(directory, tight, history)
      }),
    )

    test(
      'records can be deleted until even that is refused',
      onDisk(async (disk, random, directory) => {
        const history = new History<string>()
        const deleted: Record<number, number> = {}
        for (const room of [300_000, 60_000, 8192]) {
          let db = open(directory, tight)
          for (let i = 0; i < 150; i++) commit(db, history, someChanges(random, 1500))
          db.close()
          db = open(directory, tight)
          const keys = [...scan(db).keys()].filter(key => key.startsWith('record/'))
          disk.leave(room)
          deleted[room] = 0
          for (const key of keys) {
            const number = history.commit([[key, undefined]])
            const failure = thrownBy(() => db.delete(key))
            if (failure === undefined) {
              history.certain(number)
              deleted[room]++
              continue
            }
            expectGoesOn(db, failure)
            break
          }
          expectTypedOrNothing(() => db.close())
          disk.free()
          await expectHistory(directory, tight, history)
        }
        expect(deleted[300_000]).toBeGreaterThan(50)
      }),
    )
  })
}

/** Writes commits of every kind until one is refused; returns what that was refused with. */
async function write(db: Database, random: Random, bytes: number, history: History<string>): Promise<unknown> {
  const certain = db.durability !== 'none'
  for (let i = 0; i < 20_000; i++) {
    const changes = someChanges(random, bytes)
    const number = history.commit(changes)
    const failure = thrownBy(() => {
      if (changes.length === 1) apply(db, changes[0]!)
      else if (random.chance(0.5)) db.batch(changes.map(operation))
      else {
        db.transaction(tx => {
          for (const change of changes) {
            const savepoint = tx.savepoint()
            tx.put('never', 'there')
            tx.rollbackTo(savepoint)
            apply(tx, change)
          }
        })
      }
    })
    if (failure !== undefined) return failure
    if (certain) history.certain(number)
    else if (random.chance(0.02)) {
      const refused = await failureOf(() => db.flush())
      if (refused !== undefined) return refused
      history.certain(number)
    }
  }
  throw new Error('the disk never filled up')
}

let generation = 0

/** One put or delete, or a change of all keys of the group. */
function someChanges(random: Random, bytes: number): Change<string>[] {
  const text = (): string => `${++generation}:`.padEnd(random.between(bytes >> 2, bytes), 'abcdefg')
  const key = `record/${random.below(2000)}`
  if (random.chance(0.7)) return [[key, random.chance(0.15) ? undefined : text()]]
  const value = text().slice(0, 2000)
  const group = Array.from({ length: GROUP }, (_, i): Change<string> => [`group/${i}`, value])
  return [...group, [key, text()]]
}

function commit(db: Database, history: History<string>, changes: readonly Change<string>[]): void {
  db.batch(changes.map(operation))
  history.certain(history.commit(changes))
}

function apply(target: Pick<Database, 'put'> & { delete(key: string): unknown }, [key, value]: Change<string>): void {
  if (value === undefined) target.delete(key)
  else target.put(key, value)
}

function operation([key, value]: Change<string>) {
  return value === undefined ? ({ type: 'delete', key } as const) : ({ type: 'put', key, value } as const)
}

/** With room again: the database opens with one of the states it may have, is sound, and takes writes. */
async function expectHistory(directory: string, options: OpenOptions, history: History<string>): Promise<void> {
  const db = open(directory, options)
  try {
    const found: Records<string> = scan(db)
    history.expectRecovered(found)
    expect(new Set(Array.from({ length: GROUP }, (_, i) => found.get(`group/${i}`))).size).toBe(1)
    expect(found.has('never')).toBe(false)
    expectEqual(db, found)
    await expectVerified(db, found.size)
    db.put('record/after', `${++generation}`)
    found.set('record/after', `${generation}`)
    await expectVerified(db, found.size)
    history.settle(found)
  } finally {
    closeQuietly(db)
  }
}

/** Leaves none of the first blocks blank: then the reserve, which lends room for those, lends none. */
function writeAllBlocks(directory: string): void {
  const db = open(directory, roomy)
  for (let i = 0; i < 1500; i++) db.put(`laid out ${i}`, '')
  for (const key of db.keys()) db.delete(key)
  db.close()
}

/** Refused for want of room: by the database, or by the system. */
function expectRefused(error: unknown): void {
  expectTyped(error)
  if ((error as XenonError).code === 'XENON_FULL') return
  expect(error).toMatchObject({ code: 'XENON_IO', cause: { code: 'ENOSPC' } })
}

/** What was refused has changed nothing: the handle goes on with whatever takes no room. */
function expectGoesOn(db: Database, error: unknown): void {
  expect(error, String(error)).toMatchObject({ code: 'XENON_FULL' })
  db.get('record/1')
  db.begin().rollback()
  db.reset()
  db.next()
}

function expectTyped(error: unknown): void {
  if (error instanceof XenonError && ['XENON_IO', 'XENON_FULL', 'XENON_FAILED'].includes(error.code)) return
  throw error instanceof Error ? error : new Error(`expected a XenonError, got ${error}`)
}

function expectTypedOrNothing(action: () => unknown): void {
  const failure = thrownBy(action)
  if (failure !== undefined) expectTyped(failure)
}

function openFiles(): number {
  return readdirSync('/proc/self/fd').length
}
