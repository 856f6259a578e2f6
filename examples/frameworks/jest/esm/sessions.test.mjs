import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jest } from '@jest/globals'
import { open, XenonError } from 'xenondb'

let directory
let db
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sessions-'))
  db = open(directory, { valueEncoding: 'json', durability: 'none' })
})
afterEach(async () => {
  jest.useRealTimers()
  expect((await db.verify()).ok).toBe(true)
  db.close()
  rmSync(directory, { recursive: true })
})

test('values are of this realm', async () => {
  await db.async.put('ada', { visits: 1 })
  expect(await db.async.get('ada')).toStrictEqual({ visits: 1 })
})

test('another copy knows the lock and the errors of the first', async () => {
  jest.resetModules()
  const copy = await import('xenondb')
  expect(copy.open).not.toBe(open)
  let error
  try {
    copy.open(directory)
  } catch (thrown) {
    error = thrown
  }
  expect(XenonError.is(error, 'XENON_LOCKED')).toBe(true)
})

test('under fake timers nothing hangs, and time to live follows them', async () => {
  jest.useFakeTimers()
  await db.async.put('ada', 1, { ttl: 60_000 })
  jest.advanceTimersByTime(61_000)
  expect(await db.async.get('ada')).toBeUndefined()
})
