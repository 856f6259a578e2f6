/** `verify` walks every key space, the list of them, and what was cleared and is not free yet. */
import { describe, expect, test } from 'vitest'
import type { Engine } from '../../src/engine/engine.ts'
import { type Database, open, type VerifyReport } from '../../src/index.ts'
import { AT_KIND, BlockKind } from '../../src/pager/layout.ts'
import { closeQuietly, expectVerified, withMemoryDatabase } from '../support/database.ts'
import { expectCode } from '../support/errors.ts'
import { copyImage, type Image, readImage, storageOf } from '../support/image.ts'

const BLOCK = 4096
/** The number of the block itself. */
const OWN = -1
const engineOf = (db: Database): Engine => (db as unknown as { engine: Engine }).engine
const total = ({ blocks }: VerifyReport): number => {
  const { total: _, ...kinds } = blocks
  return Object.values(kinds).reduce((sum, count) => sum + count, 0)
}

/** Records that make directories, overflow chains, large values, and leaves below an inner node. */
const fill = (db: Pick<Database, 'put'>, count: number): void => {
  for (let i = 0; i < count; i++) db.put(`key ${i}`, 'x'.repeat(i % 300), i % 7 === 0 ? { ttl: 3_600_000 } : {})
  for (let i = 0; i < 5; i++) db.put(`large ${i}`, 'L'.repeat(10_000 * (i + 1)))
}

describe('verify', () => {
  test('counts the records of every sub-database by its names, and every block as something', () =>
    withMemoryDatabase({ durability: 'process' }, async ({ db }) => {
      fill(db, 100)
      const outer = db.sub('outer')
      fill(outer, 3000)
      fill(outer.sub('inner'), 10)
      db.sub('empty')
      const report = await expectVerified(db, 105)
      expect(report.spaces).toEqual([
        { kind: 'sub', path: ['empty'], records: 0 },
        { kind: 'sub', path: ['outer', 'inner'], records: 15 },
        { kind: 'sub', path: ['outer'], records: 3005 },
      ])
      expect(report.blocks).toMatchObject({ index: 101 + 3, space: 3, condemned: 0 })
      expect(total(report)).toBe(report.blocks.total)
    }))

  test('knows what was cleared and dropped before it is free, whether by blocks of the root or of others', () =>
    withMemoryDatabase({ durability: 'process' }, async ({ db }) => {
      const [one, other] = [db.sub('one'), db.sub('other')]
      for (const store of [db, one, other, other.sub('inner')]) fill(store, 2000)
      const before = await expectVerified(db)
      db.clear()
      one.clear()
      db.drop('other')
      const { reclaiming } = (db as unknown as { handle: { reclaiming: { stop(): void } } }).handle
      reclaiming.stop()
      const report = await expectVerified(db, 0)
      expect(report.spaces).toEqual([{ kind: 'sub', path: ['one'], records: 0 }])
      expect(report.blocks.condemned).toBeGreaterThan(before.blocks.total / 2)
      expect(total(report)).toBe(report.blocks.total)
    }))

  // J1: what lay in a dropped one is gone with it.
  test('sees a space as it was when it began, whatever becomes of it meanwhile', () =>
    withMemoryDatabase({ durability: 'process' }, async ({ db }) => {
      const one = db.sub('one')
      fill(one, 5000)
      let turns = 0
      const report = await db.verify({
        onProgress: ({ done, total }) => {
          if (done < total / 2 || turns++ > 4) return
          if (turns === 1) one.clear()
          else if (turns === 2) db.drop('one')
          else fill(db.sub('one'), 300)
        },
      })
      expect(turns).toBeGreaterThan(2)
      expect(report.problems).toEqual([])
      expect(report.spaces.length).toBe(1)
    }))
})

describe('damage', () => {
  /** Every kind of block that a space has, and what was cleared and hangs on a list. */
  const damaged = async (work: (image: Image, kinds: Map<number, number[]>) => Promise<void>): Promise<void> => {
    const image = sample()
    const kinds = new Map<number, number[]>()
    const data = image.get('data')!
    for (let block = 104; block < data.length / BLOCK; block++) {
      const kind = data[block * BLOCK + AT_KIND]!
      kinds.set(kind, [...(kinds.get(kind) ?? []), block])
    }
    await work(image, kinds)
  }

  const sample = (): Image => {
    const storage = storageOf(new Map())
    const db = open('db', { storage, durability: 'process' })
    for (const name of ['a', 'b', 'c']) fill(db.sub(name), 1500)
    db.sub('c').sub('inner').put('key', 'value')
    db.drop('a')
    db.sub('b').clear()
    fill(db.sub('b'), 50)
    db.close()
    return readImage('db', storage)
  }

  const check = async (image: Image): Promise<{ report: VerifyReport | undefined; spaces: string[] | undefined }> => {
    const storage = storageOf(image)
    let db: Database
    try {
      db = open('db', { storage, readOnly: true })
    } catch {
      return { report: undefined, spaces: undefined }
    }
    try {
      let spaces: string[] | undefined
      try {
        spaces = db.subs()
      } catch (error) {
        expectCode(() => {
          throw error
        }, 'XENON_CORRUPT')
      }
      return { report: await db.verify(), spaces }
    } finally {
      closeQuietly(db)
    }
  }

  test('of one byte in any kind of block is noticed, and what it is in is named', () =>
    damaged(async (image, kinds) => {
      for (const kind of [BlockKind.space, BlockKind.condemned, BlockKind.directory, BlockKind.inner, BlockKind.large])
        expect(kinds.get(kind), `kind ${kind}`).toBeDefined()
      const named = new Set<string>()
      for (const [kind, blocks] of kinds)
        for (const block of blocks.slice(0, 6)) {
          const copy = copyImage(image)
          const at = block * BLOCK + ((block * 37) % BLOCK)
          copy.get('data')![at]! ^= 0x10
          const { report } = await check(copy)
          expect(report?.damagedBlocks, `block ${block} of kind ${kind}`).toEqual([block])
          for (const problem of report?.problems ?? [])
            for (const [, name] of problem.matchAll(/\((sub-database [^)]*|what was cleared)\)/g)) named.add(name!)
        }
      expect([...named].sort()).toEqual(expect.arrayContaining(['what was cleared']))
      expect([...named].some(name => name.startsWith("sub-database '"))).toBe(true)
    }))

  test('of the list of spaces ends in an error that names the block, and leads in no circle', () =>
    damaged(async (image, kinds) => {
      for (const block of kinds.get(BlockKind.space)!) {
        const copy = copyImage(image)
        copy.get('data')!.fill(0, block * BLOCK, (block + 1) * BLOCK)
        const { report, spaces } = await check(copy)
        expect(spaces).toBeUndefined()
        expect(report?.problems.join('\n')).toContain(`block ${block}: `)
      }
    }))

  test.each([
    ['a circle', 'space', 4, OWN, 'reached twice'],
    ['a number twice', 'space', 8, 3, 'a second time'],
    ['a number too large', 'space', 8, 99, 'number 99, but 4 were given'],
    ['a later parent', 'space', 9, 77, 'lies in number 77'],
    ['an index of another space', 'space', 10, 1, 'reached twice'],
    ['roots that are used', 'condemned', 8, 103, 'reached twice'],
    ['a root behind the end', 'condemned', 8, 99_999, 'points to block 99999'],
    ['a circle', 'condemned', 4, OWN, 'reached twice'],
  ] as const)('%s in a block of kind %s, with a right checksum, is found', async (_, kind, word, value, sentence) => {
    const storage = storageOf(sample())
    const db = open('db', { storage, readOnly: true })
    try {
      const { pool, metadata } = engineOf(db)
      const block = kind === 'space' ? metadata.firstSpace : metadata.firstCondemned
      const base = pool.get(block)
      pool.arena.u32[(base >>> 2) + word] = value === OWN ? block : value
      pool.pin(base)
      const { problems } = await db.verify()
      pool.unpin(base)
      expect(problems.join('\n')).toContain(sentence)
      if (value === OWN && kind === 'space')
        expect(expectCode(() => db.subs(), 'XENON_CORRUPT').message).toContain('cyclic')
    } finally {
      closeQuietly(db)
    }
  })
})
