/** Sub-databases on a full disk: none is made, those that there are can be read, cleared and dropped, and give room. */
import { describe, expect, test } from 'vitest'
import { open } from '../../src/index.ts'
import { closeQuietly, expectVerified } from '../support/database.ts'
import { expectCode, failureOf } from '../support/errors.ts'
import { whyNoDisk, withSmallDisk } from './small-disk.ts'

const waitFor = async (isSo: () => boolean): Promise<void> => {
  for (let tries = 0; tries < 3000 && !isSo(); tries++) await new Promise(resolve => setTimeout(resolve, 20))
}

describe.skipIf(whyNoDisk('ext4') !== undefined)('on a full ext4', () => {
  test('they are refused, cleared, dropped, and what they held takes new records', () =>
    withSmallDisk('ext4', async disk => {
      const directory = `${disk.directory}/db`
      const options = { cacheBytes: 8 << 20, checkpointBytes: 1 << 20 }
      const db = open(directory, options)
      const [first, second] = [db.sub('first'), db.sub('second')]
      for (const sub of [first, second])
        for (let from = 0; from < 3000; from += 100)
          sub.batch(
            Array.from({ length: 100 }, (_, i) => ({ type: 'put', key: `key ${from + i}`, value: 'x'.repeat(300) })),
          )
      try {
        disk.leave(300_000)
        let records = 0
        const fill = (): unknown => {
          try {
            for (;;) {
              db.put(`filled ${records}`, 'y'.repeat(1000))
              records++
            }
          } catch (error) {
            return error
          }
        }
        expect(fill()).toMatchObject({ code: 'XENON_FULL' })
        expectCode(() => db.sub('new'), 'XENON_FULL')
        expect(db.subs()).toEqual(['first', 'second'])
        expect([first.get('key 7')?.length, second.count()]).toEqual([300, 3000])
        first.clear()
        expect([first.count(), second.count(), db.count()]).toEqual([0, 3000, records])
        expect(db.drop('second')).toBe(true)
        const before = records
        await waitFor(() => db.stats().blocks.free > 400)
        // The log of what was cleared may have taken the room of the checkpoint that gives their blocks back: then it is
        // refused, as it says, until a little has been freed.
        let refused: unknown
        for (let tries = 0; tries < 4; tries++) {
          refused = await failureOf(() => db.compact())
          if (refused === undefined) break
          expect(refused).toMatchObject({ code: 'XENON_FULL' })
          if (tries > 0) disk.shrink(65536)
          await new Promise(resolve => setTimeout(resolve, 600))
        }
        expect(refused).toBe(undefined)
        await waitFor(() => fill() !== undefined && records >= before + 500)
        expect(records).toBeGreaterThanOrEqual(before + 500)
        disk.free()
        await expectVerified(db, records)
        db.close()
        const again = open(directory, options)
        expect([again.subs(), again.sub('first').count(), again.count()]).toEqual([['first'], 0, records])
        await expectVerified(again, records)
        again.close()
      } finally {
        closeQuietly(db)
      }
    }))
})
