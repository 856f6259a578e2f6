import { describe, expect, test } from 'vitest'
import { memoryStorage, open } from '../../src/index.ts'
import { allBlank, blanks, isBlank, noneBlank, noteWritten } from '../../src/pager/blank.ts'
import { FIRST_OVERFLOW_BLOCK, INDEX_BLOCKS } from '../../src/pager/layout.ts'
import { Metadata } from '../../src/pager/metadata.ts'
import { expectVerified } from '../support/database.ts'
import { readImage, storageOf } from '../support/image.ts'

describe('which blocks are blank', () => {
  test('all of those that creation lays out, one after the other no more', () => {
    const bits = allBlank()
    expect(blanks(bits)).toEqual(Array.from({ length: INDEX_BLOCKS + 2 }, (_, i) => i + 1))
    for (const block of [0, FIRST_OVERFLOW_BLOCK, FIRST_OVERFLOW_BLOCK + 1, 4_000_000_000])
      expect(isBlank(bits, block), `block ${block}`).toBe(false)
    noteWritten(bits, 31, 3)
    expect([30, 31, 32, 33, 34].map(block => isBlank(bits, block))).toEqual([true, false, false, false, true])
    noteWritten(bits, FIRST_OVERFLOW_BLOCK - 1, 256)
    noteWritten(bits, FIRST_OVERFLOW_BLOCK + 40, 1)
    expect(blanks(bits)).toHaveLength(INDEX_BLOCKS + 2 - 4)
    noteWritten(bits, 1, INDEX_BLOCKS + 2)
    expect(bits).toEqual(noneBlank())
  })
})

describe('a database', () => {
  test('that is new is one block long, as is its backup, whatever the size of a block', async () => {
    for (const blockSize of [4096, 65536]) {
      const storage = memoryStorage()
      const db = open('db', { storage, blockSize })
      expect(db.count()).toBe(0)
      await expectVerified(db)
      await db.backup('copy')
      db.close()
      for (const directory of ['db', 'copy']) {
        expect(readImage(directory, storage).get('data')).toHaveLength(blockSize)
        const again = open(directory, { storage })
        await expectVerified(again, 0)
        again.put('first', 'value')
        expect([...again.entries()]).toEqual([['first', 'value']])
        await expectVerified(again, 1)
        again.close()
      }
    }
  })

  test('says after each checkpoint which of them it has not written, and finds all that it has', async () => {
    const storage = memoryStorage()
    const db = open('db', { storage, cacheBytes: 65536 })
    const blank = (): number[] => blanks(Metadata.decode(readImage('db', storage).get('data')!, 'data', storage).blank)
    let before = blank()
    expect(before).toHaveLength(INDEX_BLOCKS + 2)
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 30; i++) db.put(`key ${round} ${i}`, 'v'.repeat(300))
      // What has left the pool has been written, which block 0 does not say yet: a crash finds everything in the log.
      expect(blank()).toEqual(before)
      const crashed = open('db', { storage: storageOf(readImage('db', storage)) })
      await expectVerified(crashed, 30 * (round + 1))
      crashed.close()
      await db.checkpoint()
      const now = blank()
      expect(now.length).toBeLessThan(before.length)
      for (const block of now) expect(before).toContain(block)
      before = now
    }
    await expectVerified(db, 180)
    db.close()
    const copied = open('db', { storage: storageOf(readImage('db', storage)), readOnly: true })
    await expectVerified(copied, 180)
    copied.close()
  })

  test('is backed up without the blocks that nobody has changed, and with those that a snapshot sees', async () => {
    const storage = memoryStorage()
    const db = open('db', { storage })
    for (let i = 0; i < 10; i++) db.put(`key ${i}`, 'value')
    await db.checkpoint()
    const tx = db.begin()
    tx.put('not committed', 'value')
    const backup = db.backup('copy')
    for (let i = 0; i < 200; i++) db.put(`later ${i}`, 'value')
    await backup
    tx.rollback()
    await expectVerified(db, 210)
    db.close()
    const { blank } = Metadata.decode(readImage('copy', storage).get('data')!, 'data', storage)
    expect(blanks(blank).length).toBeGreaterThan(INDEX_BLOCKS - 12)
    const copy = open('copy', { storage })
    expect([...copy.keys()]).toEqual(Array.from({ length: 10 }, (_, i) => `key ${i}`))
    await expectVerified(copy, 10)
    copy.close()
  })
})
