import { expect, test } from 'vitest'
import { testDatabase } from './database.js'

const db = testDatabase({ valueEncoding: 'json' })

test('a counter begins anew in each test', async () => {
  for (let i = 0; i < 100; i++) await db.async.transact(async tx => tx.put('n', ((await tx.get('n')) ?? 0) + 1))
  expect(db.get('n')).toBe(100)
})

test('what another test has left is gone', async () => {
  expect(db.count()).toBe(0)
  expect((await db.verify()).ok).toBe(true)
})
