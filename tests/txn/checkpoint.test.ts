/** Syncs of the data file that are under way aside while commits go on. */
import { expect, test } from 'vitest'
import { memoryStorage, open, type Storage } from '../../src/index.ts'
import { expectVerified } from '../support/database.ts'
import { readImage, storageOf } from '../support/image.ts'
import { expectEqual, scan } from '../support/model.ts'

/** A storage whose syncs aside end when they are let go. */
function storageWithGate(): { storage: Storage; waiting: () => number; letGo: () => void } {
  const inner = memoryStorage()
  let waiting: (() => void)[] = []
  const storage: Storage = {
    ...inner,
    syncsAside: true,
    open: (path, options) =>
      Object.assign(inner.open(path, options), {
        syncAsync: () => new Promise<void>(resolve => waiting.push(resolve)),
      }),
  }
  const letGo = (): void => {
    const ended = waiting
    waiting = []
    for (const end of ended) end()
  }
  return { storage, waiting: () => waiting.length, letGo }
}

test('block 0 never counts a record whose log record is not written', async () => {
  const { storage, waiting, letGo } = storageWithGate()
  const options = { storage, logSegmentBytes: 131_072, checkpointBytes: 1 << 20 }
  const db = open('db', options)
  let n = 0
  const fillSegment = (): void => {
    const { logSegments } = db.stats()
    while (db.stats().logSegments === logSegments) db.put(`record ${n++}`, 'v'.repeat(500))
  }
  let acknowledged = 0
  for (let round = 0; round < 6; round++) {
    // The note of the first new segment is under way when that of the second is due.
    fillSegment()
    expect(waiting(), 'syncs under way').toBeGreaterThan(0)
    fillSegment()
    const late = [db.putAsync(`late ${round}`, 'value'), db.putAsync(`later ${round}`, 'value')]
    letGo()
    for (let i = 0; i < 5; i++) await Promise.resolve()
    const image = storageOf(readImage('db', storage))
    const recovered = open('db', { storage: image })
    expectEqual(recovered, scan(recovered))
    await expectVerified(recovered, n + acknowledged)
    recovered.close()
    await Promise.all(late)
    acknowledged += late.length
  }
  await expectVerified(db, n + acknowledged)
  db.close()
})
