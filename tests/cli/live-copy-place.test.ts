/** Room for a copy of a live database. */
import { expect, test } from 'vitest'
import { bytesNeeded } from '../../src/cli/live-copy-place.ts'
import { memoryStorage, open } from '../../src/index.ts'
import { expectVerified } from '../support/database.ts'

test('a segment of the log that its owner removes between the list and the look takes no room', async () => {
  const storage = memoryStorage()
  const db = open('db', { storage })
  db.put('key', 'value')
  const before = bytesNeeded(storage, 'db')
  const removed = { ...storage, list: (path: string) => [...storage.list(path), '00000155.log'] }
  const kind: typeof storage.kind = path => (path.endsWith('00000155.log') ? 'file' : storage.kind(path))
  expect(() => removed.open('db/log/00000155.log', { readOnly: true })).toThrow(/ENOENT/)
  expect(bytesNeeded({ ...removed, kind }, 'db')).toBe(before)
  await expectVerified(db, 1)
  db.close()
})
