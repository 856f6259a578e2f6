import { afterEach, expect, test, vi } from 'vitest'
import { testDatabase } from './database.js'

const db = testDatabase()
afterEach(() => vi.useRealTimers())

test('time to live follows the fake clock', async () => {
  vi.useFakeTimers()
  await db.async.put('session', 'ada', { ttl: 60_000 })
  vi.advanceTimersByTime(59_000)
  expect(db.ttl('session')).toBe(1_000)
  vi.advanceTimersByTime(2_000)
  expect(db.get('session')).toBeUndefined()
  expect(await db.async.has('session')).toBe(false)
})

test('what waits for disks and locks goes on by the real clock', async () => {
  // All that can be faked in a process, queueMicrotask too, which Vitest leaves alone if it is not named.
  vi.useFakeTimers({
    toFake: ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'Date', 'performance'],
  })
  await Promise.all([db.async.put('a', '1'), db.async.put('b', '2')])
  const tx = db.begin()
  tx.put('a', '3')
  await expect(db.async.put('a', '4', { lockTimeout: 20 })).rejects.toMatchObject({ code: 'XENON_LOCK_CONFLICT' })
  const waiting = db.async.put('a', '5')
  tx.commit()
  await waiting
  expect(db.get('a')).toBe('5')
  await db.async.flush()
  await db.checkpoint()
  await db.compact()
  expect((await db.verify()).ok).toBe(true)
})
