/** A segment of the log that has lost one of the two copies of its header: an open that may write replaces it. */
import { expect, test } from 'vitest'
import { open, type Storage } from '../../src/index.ts'
import { readSegmentHeader } from '../../src/log/segments.ts'
import { Metadata } from '../../src/pager/metadata.ts'
import { copyImage, differences, type Image, readImage, segments } from '../support/image.ts'
import { expectEqual } from '../support/model.ts'
import { seeded } from '../support/random.ts'
import { fastStorage, smallOptions, smallSample } from './small.ts'

/** What may become of the second copy, or of the first. */
const damages: Readonly<Record<string, (header: Uint8Array) => void>> = {
  'a flipped bit in the first copy': header => {
    header[40]! ^= 1
  },
  'a second copy that was never written': header => void header.fill(0, 256),
  'a second copy of which a part was written': header => void header.fill(0, 256 + 20),
  // What a write that was torn between them leaves of a segment that was used before.
  'a second copy of an earlier use': header => {
    header.set(header.slice(0, 64), 256)
    header[256 + 32]! ^= 0x40
    const { crc32 } = fastStorage(new Map())
    header.set(new Uint8Array(new Uint32Array([crc32(header.subarray(256 + 12, 256 + 64), 0)]).buffer), 256 + 8)
  },
}

for (const [name, damage] of Object.entries(damages)) {
  test(`${name} is reported while nothing may be written, and gone after an open that may`, () =>
    seeded(async random => {
      const { closed, closedRecords, live, liveRecords } = await smallSample(random)
      for (const [whole, records] of [
        [closed, closedRecords],
        [live, liveRecords],
      ] as const) {
        for (const segment of segments(whole)) {
          const image = copyImage(whole)
          damage(image.get(segment)!.subarray(0, 512))
          const storage = fastStorage(image)
          if (whole === closed) expect((await reported(storage)).join()).toMatch(/copy of the segment's header/)
          for (const needed of [whole === live, false]) {
            const db = open('db', { ...smallOptions, storage })
            // Nothing but the header is wrong: no record has to be redone.
            expect(db.stats().recovery.needed).toBe(needed)
            expect(await db.verify()).toMatchObject({ ok: true, problems: [] })
            expectEqual(db, records)
            const left = readImage('db', storage)
            expect(halves(left, storage)).toEqual([])
            // The next open finds nothing to mend.
            const again = fastStorage(copyImage(left))
            open('db', { ...smallOptions, storage: again })
            expect(differences(readImage('db', again), left)).toEqual([])
            db.close()
          }
          const db = open('db', { ...smallOptions, storage })
          db.put('one more', 'commit')
          db.close()
          expect(await reported(storage)).toEqual([])
        }
      }
    }))
}

const reported = async (storage: Storage): Promise<string[]> => {
  const db = open('db', { ...smallOptions, storage, readOnly: true })
  const { problems } = await db.verify()
  db.close()
  return problems
}

/** The segments of which one copy is damaged. */
const halves = (image: Image, storage: Storage): string[] => {
  const { uuid } = Metadata.decode(image.get('data')!.slice(0, 4096), 'data', storage).identity
  return segments(image).filter(name => {
    const file = storage.open(storage.join('db', ...name.split('/')), { readOnly: true })
    try {
      return readSegmentHeader(file, storage, uuid)?.copies.includes(false) ?? true
    } finally {
      file.close()
    }
  })
}
