/** A checkpoint that was asked for, while others commit between the turns of the event loop. */
import { expect, test } from 'vitest'
import type { Engine } from '../../src/engine/engine.ts'
import { open } from '../../src/index.ts'
import { FaultDisk } from '../../src/testing/fault.ts'

interface Aside {
  stepping: Promise<void> | undefined
  goingAside: Promise<void> | undefined
  aside: unknown
}

test.each([1, 6, 10])('writes all that was dirty when it was called, seed %i', async seed => {
  const { storage } = new FaultDisk({ seed, syncsAside: true, asideTurns: 3 })
  const options = { cacheBytes: 2 ** 23, checkpointBytes: 2 ** 17, logSegmentBytes: 131072 }
  const db = open('db', { ...options, storage, durability: 'process' })
  const { checkpointer, pool, log } = (db as unknown as { engine: Engine }).engine
  const it = checkpointer as unknown as Aside
  Object.defineProperty(log, 'isSoonSynced', { get: () => false })
  for (let i = 0; i < 1500; i++) {
    db.put(`k${i}`, 'x'.repeat(80))
    if (i % 50 === 0) await new Promise(resolve => setImmediate(resolve))
  }
  const isAside = (): boolean => it.stepping !== undefined || it.aside !== undefined
  for (let i = 0; i < 3000 && !isAside(); i++) db.put(`k${(i * 7) % 1500}`, `${'y'.repeat(80)}${i}`)
  expect(isAside()).toBe(true)

  const calledAt = log.endLsn
  const asked = db.checkpoint().then(() => pool.oldestChange())
  // Somebody goes on when what was under way has ended, in the same turn, and brings so much that the next step begins.
  const afterwards = (): void => {
    void (it.stepping ?? it.goingAside)?.then(() => {
      if (isAside()) afterwards()
      else for (let i = 0; i < 4000 && it.stepping === undefined; i++) db.put(`k${(i * 13) % 1500}`, 'z'.repeat(90))
    })
  }
  afterwards()
  expect(await asked).toBeGreaterThanOrEqual(calledAt)
  db.close()
})
