/** Blocks that are written aside, while others write blocks in the shortest of pauses. */
import { expect, test } from 'vitest'
import type { Engine } from '../../src/engine/engine.ts'
import { withMemoryDatabase } from '../support/database.ts'
import { expectEqual } from '../support/model.ts'

test('who takes of the room for images in the midst of a step aside does not stop the handle', () =>
  withMemoryDatabase({ durability: 'process', cacheBytes: 4 << 20, checkpointBytes: 64 << 10 }, async ({ db }) => {
    const { pool, health, checkpointer } = (db as unknown as { engine: Engine }).engine
    // Steps are made by hand.
    checkpointer.afterCommit = () => {}
    const records = new Map<string, string>()
    const put = (round: number): void => {
      for (let i = 0; i < 600; i++) {
        db.put(`key ${i}`, `${round}`.repeat(200))
        records.set(`key ${i}`, `${round}`.repeat(200))
      }
    }
    put(0)
    await db.checkpoint()
    const images = pool.images as unknown as Record<string, (wanted: number) => Promise<unknown>>
    const name = 'prepareRoom'
    const prepare = images[name]!.bind(images)
    let others = 0
    images[name] = async wanted => {
      const prepared = await prepare(wanted)
      // What an eviction does: some blocks are written in line, and their images take of the same file.
      const few = pool.dirtyBlocks(Number.POSITIVE_INFINITY).slice(-8)
      pool.writeBack(few)
      others += few.length
      return prepared
    }
    for (let round = 1; round < 6; round++) {
      put(round)
      const dirty = pool.dirtyBlocks(Number.POSITIVE_INFINITY)
      for (let at = 0; at + 28 < dirty.length; at += 14) await pool.writeBackAside(dirty.slice(at, at + 14), () => true)
      expect(health.failure).toBeUndefined()
    }
    expect(others).toBeGreaterThan(50)
    expectEqual(db, records)
  }))
