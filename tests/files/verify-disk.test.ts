/**
 * `verify` of an open database whose files are damaged under it: it names the file, the place and what was expected.
 */

import { expect, test } from 'vitest'
import { type Database, memoryStorage, open, type Storage } from '../../src/index.ts'
import { ORDERED_ROOT } from '../../src/pager/layout.ts'
import { closeQuietly } from '../support/database.ts'
import { expectCode, expectCodeAsync } from '../support/errors.ts'
import { readImage } from '../support/image.ts'
import { groupsOf } from './groups.ts'
import { metadataIn, smallOptions } from './small.ts'

interface Place {
  storage: Storage
  db: Database
  /** Flips a bit of a file. */
  flip(file: string, at: number): void
  segment: string
}

async function withOpen(body: (place: Place) => Promise<void>): Promise<void> {
  const storage = memoryStorage()
  const db = open('db', { ...smallOptions, storage })
  try {
    for (let i = 0; i < 50; i++) db.put(`key ${i}`, 'x'.repeat(100))
    const flip = (name: string, at: number): void => {
      const file = storage.open(storage.join('db', ...name.split('/')))
      const byte = new Uint8Array(1)
      file.read(byte, 0, 1, at)
      byte[0]! ^= 0x20
      file.write(byte, 0, 1, at)
      file.close()
    }
    const segment = [...readImage('db', storage).keys()].find(name => name.startsWith('log/'))!
    expect(await db.verify()).toMatchObject({ ok: true, problems: [], damagedBlocks: [] })
    await body({ storage, db, flip, segment })
  } finally {
    closeQuietly(db)
  }
}

/** The one problem there is. */
async function problemOf(db: Database): Promise<string> {
  const { ok, problems } = await db.verify()
  expect(ok).toBe(false)
  expect(problems).toHaveLength(1)
  return problems[0]!
}

test('a damaged group of the log is named by its segment and LSN; a checkpoint makes it superfluous', () =>
  withOpen(async ({ storage, db, flip, segment }) => {
    const image = readImage('db', storage)
    const group = groupsOf(image, metadataIn(image).redoLsn)[20]!
    flip(segment, group.from + 40)
    expect(await problemOf(db)).toMatch(
      new RegExp(`^db/${segment}: the log is damaged at LSN \\d+: expected whole groups up to LSN \\d+$`),
    )
    await db.checkpoint()
    expect(await db.verify()).toMatchObject({ ok: true, problems: [] })
  }))

test("damaged copies of a segment's header, and a segment that is gone, are named", () =>
  withOpen(async ({ storage, db, flip, segment }) => {
    flip(segment, 256 + 40)
    expect(await problemOf(db)).toBe(
      `db/${segment}: the second copy of the segment's header is damaged; the other one stands in for it`,
    )
    flip(segment, 8)
    expect(await problemOf(db)).toMatch(/both copies of the segment's header are damaged; expected one of LSN 4096$/)
    for (let i = 0; db.stats().logSegments < 2; i++) db.put(`key ${i}`, 'x'.repeat(3000))
    storage.remove(storage.join('db', ...segment.split('/')))
    expect(await problemOf(db)).toMatch(/^db\/log: the segment \d+\.log from LSN 4096 on is missing$/)
  }))

test('the segment that is being written is gone: the handle has lost its log, and says so', () =>
  withOpen(async ({ storage, db, segment }) => {
    storage.remove(storage.join('db', ...segment.split('/')))
    expect(await expectCodeAsync(() => db.verify(), 'XENON_MOVED')).toMatchObject({ path: `db/${segment}` })
    expectCode(() => db.put('a', 'b'), 'XENON_FAILED')
  }))

test('a damaged copy of the state is named, and the checkpoint that it says rewrites it', () =>
  withOpen(async ({ db, flip }) => {
    const names = { first: 512, second: 1024 }
    for (const [name, at] of Object.entries(names)) {
      flip('data', at + 100)
      const problem = await problemOf(db)
      expect(problem).toMatch(`db/data, block 0: the ${name} copy of the state has a wrong checksum`)
      expect(problem).toMatch(/it will be rewritten by the (next checkpoint|checkpoint after the next one)$/)
      for (let i = problem.endsWith('one') ? 2 : 1; i > 0; i--) await db.checkpoint()
      expect(await db.verify()).toMatchObject({ ok: true, problems: [] })
    }
  }))

test('a damaged identity is named', () =>
  withOpen(async ({ db, flip }) => {
    flip('data', 20)
    expect(await problemOf(db)).toMatch(/^db\/data, block 0: the identity differs from byte 20 on/)
  }))

test('a damaged block is named once, and its number given', () =>
  withOpen(async ({ db, flip }) => {
    await db.checkpoint()
    flip('data', ORDERED_ROOT * 4096 + 100)
    expect(await problemOf(db)).toMatch(/^db\/data, block 103: wrong checksum 0x[0-9a-f]{8}, expected 0x[0-9a-f]{8}/)
    expect((await db.verify()).damagedBlocks).toEqual([ORDERED_ROOT])
  }))

test('a block of zeros is named as such, and not as a free block', () =>
  withOpen(async ({ storage, db }) => {
    await db.checkpoint()
    const file = storage.open('db/data')
    file.write(new Uint8Array(4096), 0, 4096, ORDERED_ROOT * 4096)
    file.close()
    expect(await problemOf(db)).toMatch(
      /^db\/data, block 103: wrong checksum 0x00000000, expected 0x[0-9a-f]{8} \(nothing but zeros\)$/,
    )
  }))
