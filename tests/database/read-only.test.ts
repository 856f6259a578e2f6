/** Reading a database that was not closed cleanly: it is recovered in memory, and no byte of its files changes. */
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { memoryStorage, open } from '../../src/index.ts'
import { closeQuietly, expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { expectCode } from '../support/errors.ts'
import { differences, readImage, writeImage } from '../support/image.ts'
import { expectEqual, scan } from '../support/model.ts'

const RECORDS = 1_500

/** Files of a database at work: some of it in the data file, the rest in the log, and a transaction under way. */
async function fillUnclean(directory: string): Promise<ReturnType<typeof readImage>> {
  const db = open(directory, { cacheBytes: 48 * 4096, checkpointBytes: 256 * 1024, durability: 'process' })
  for (let i = 0; i < RECORDS; i++) db.put(`key ${i}`, 'v'.repeat(i % 500))
  db.put('large', 'large'.repeat(20_000))
  const tx = db.begin()
  for (let i = 0; i < RECORDS; i += 7) tx.put(`key ${i}`, 'never committed')
  tx.put('large', 'never committed'.repeat(9_000))
  await db.flush()
  const image = readImage(directory)
  tx.rollback()
  db.close()
  return image
}

for (const [pool, cacheBytes] of [
  ['a pool that holds all of it', 16 << 20],
  ['a pool that holds a part of it', 32 * 4096],
] as const)
  test(`what was not closed cleanly can be read with ${pool}, again and again, and stays as it is`, () =>
    withDirectory(async parent => {
      const image = await fillUnclean(`${parent}/source`)
      const closed = open(`${parent}/source`)
      const records = scan(closed)
      closed.close()
      writeImage(`${parent}/db`, image)
      for (let round = 0; round < 2; round++) {
        const db = open(`${parent}/db`, { readOnly: true, cacheBytes })
        try {
          expect(db.stats().recovery).toMatchObject({ needed: true, transactionsRolledBack: 1 })
          expectEqual(db, records)
          const snapshot = db.snapshot()
          expect(snapshot.count()).toBe(records.size)
          snapshot.close()
          await expectVerified(db, records.size)
          expectCode(() => db.put('key', 'value'), 'XENON_READ_ONLY')
          await db.backup(`${parent}/backup ${round}`)
        } finally {
          closeQuietly(db)
        }
        expect(differences(image, readImage(`${parent}/db`))).toEqual([])
        const copy = open(`${parent}/backup ${round}`)
        expectEqual(copy, records)
        await expectVerified(copy, records.size)
        copy.close()
      }
      const db = open(`${parent}/db`)
      expectEqual(db, records)
      await expectVerified(db, records.size)
      db.close()
    }))

test('a reader takes no lock: writers come and go beside it, and it shows them when it is refreshed', async () => {
  const storage = memoryStorage()
  const writer = open('db', { storage })
  writer.put('a', '1')
  const reader = open('db', { storage, readOnly: true })
  expect([reader.get('a'), reader.refresh()]).toEqual(['1', false])
  writer.put('a', '2')
  expect([reader.get('a'), reader.refresh(), reader.get('a'), reader.refresh()]).toEqual(['1', true, '2', false])
  writer.close()
  expect([reader.get('a'), reader.refresh(), reader.get('a')]).toEqual(['2', false, '2'])
  const next = open('db', { storage })
  next.put('b', '3')
  expect([reader.get('b'), reader.refresh(), reader.get('b'), next.refresh()]).toEqual([undefined, true, '3', false])
  next.close()
  await expectVerified(reader, 2)
  reader.close()
})

test('damage of a database that was closed is told, though an image of the block lies beside the log', () =>
  withDirectory(async directory => {
    const db = open(directory)
    // So few blocks that a close leaves their images.
    for (let i = 0; i < 10; i++) db.put(`key ${i}`, 'v'.repeat(100))
    db.close()
    const path = `${directory}/data`
    const whole = readFileSync(path)
    const at = whole.indexOf('v'.repeat(100))
    const damaged = Buffer.from(whole)
    damaged[at]! ^= 1
    writeFileSync(path, damaged)
    for (const readOnly of [true, false]) {
      const again = open(directory, { readOnly })
      const { ok, damagedBlocks } = await again.verify()
      expect({ readOnly, ok, damagedBlocks }).toEqual({ readOnly, ok: false, damagedBlocks: [Math.floor(at / 4096)] })
      expectCode(() => [...again.values()], 'XENON_CORRUPT')
      closeQuietly(again)
    }
    // Beside an owner that has done nothing since, too.
    const owner = open(directory)
    const reader = open(directory, { readOnly: true })
    expect((await reader.verify()).ok).toBe(false)
    reader.close()
    closeQuietly(owner)
    writeFileSync(path, whole)
    const sound = open(directory)
    await expectVerified(sound, 10)
    sound.close()
  }))
