const { mkdtempSync, rmSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { open, XenonError } = require('xenondb')
const { Accounts } = require('./accounts.js')

let directory
let db
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'accounts-'))
  db = open(directory, { valueEncoding: 'json', durability: 'none' })
})
afterEach(async () => {
  jest.useRealTimers()
  expect((await db.verify()).ok).toBe(true)
  db.close()
  rmSync(directory, { recursive: true })
})

test('a transfer moves money, or nothing at all', async () => {
  const accounts = new Accounts(db)
  db.put('ada', 100)
  await accounts.transfer('ada', 'alan', 30)
  expect(db.getMany(['ada', 'alan'])).toStrictEqual([70, 30])
  await expect(accounts.transfer('ada', 'alan', 300)).rejects.toThrow('ada has only 70')
  expect(db.getMany(['ada', 'alan'])).toStrictEqual([70, 30])
})

test('errors are known, values are of this realm', () => {
  expect(() => db.get('')).toThrow(XenonError)
  db.put('ada', { balance: 1, tags: ['a'] })
  expect(db.get('ada')).toStrictEqual({ balance: 1, tags: ['a'] })
})

test('a registry that was reset loads another copy, which knows the lock and the errors of the first', () => {
  jest.resetModules()
  const copy = require('xenondb')
  expect(copy.open).not.toBe(open)
  let error
  try {
    copy.open(directory)
  } catch (thrown) {
    error = thrown
  }
  expect(XenonError.is(error, 'XENON_LOCKED')).toBe(true)
  expect(error.message).toMatch(/already open in this process/)
})

test('under fake timers nothing hangs, and time to live follows them', async () => {
  jest.useFakeTimers()
  await db.async.put('ada', 100, { ttl: 60_000 })
  jest.advanceTimersByTime(61_000)
  expect(db.get('ada')).toBeUndefined()

  const tx = db.begin()
  tx.put('ada', 1)
  // Waits 20 real milliseconds: the clock of locks is not the faked one.
  const refused = db.async.put('ada', 2, { lockTimeout: 20 })
  await expect(refused).rejects.toMatchObject({ code: 'XENON_LOCK_CONFLICT' })
  tx.commit()
  await db.async.flush()
})
