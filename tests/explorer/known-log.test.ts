/** A log that grows while somebody looks at it is shown as one that is read from the beginning. */
import { expect, test } from 'vitest'
import { KnownLog } from '../../src/explorer/known-log.ts'
import { viewGrowingLog, viewLog } from '../../src/explorer/log.ts'
import { BlockSource } from '../../src/explorer/source.ts'
import { withMemoryDatabase } from '../support/database.ts'
import { seeded } from '../support/random.ts'

const OPTIONS = { checkpointBytes: 131072, logSegmentBytes: 65536 }

test('groups, segments and marks are those of the files, also when segments are used again', () =>
  seeded(random =>
    withMemoryDatabase(OPTIONS, async ({ db, options: { storage } }) => {
      const source = BlockSource.ofEngine(db.directory, db.layers)
      const known = new KnownLog(() => Promise.resolve())
      for (let round = 0; round < 10; round++) {
        for (let i = random.below(150); i > 0; i--) db.put(`key ${random.below(50)}`, 'x'.repeat(random.below(900)))
        if (random.chance(0.2)) await db.checkpoint()
        const growing = await viewGrowingLog(source, known, { limit: 30 })
        const files = BlockSource.ofFiles(db.directory, storage!)
        const { before } = growing
        const [read, earlier] = [viewLog(files, { limit: 30 }), viewLog(files, { limit: 30, before })]
        files.close()
        // What an earlier use has left behind the groups of this one is not looked for.
        const live = read.groups.filter(({ lsn }) => lsn >= (growing.groups[0]?.lsn ?? 0))
        expect(growing.groups).toEqual(live)
        expect([growing.endLsn, growing.groupCount]).toEqual([read.endLsn, read.groupCount])
        expect(growing.segments).toEqual(read.segments)
        if (before !== undefined)
          expect((await viewGrowingLog(source, known, { limit: 30, before })).groups).toEqual(earlier.groups)
      }
    }),
  ))
