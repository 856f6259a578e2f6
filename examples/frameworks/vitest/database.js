/** Databases for tests. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach } from 'vitest'
import { open } from 'xenondb'

/**
 * One database for the tests of a file, empty at the beginning of each. Files run at the same time in other processes
 * or threads, and a database belongs to one of them: so the directory has a name that nobody else has.
 */
export function testDatabase(options) {
  const directory = mkdtempSync(join(tmpdir(), `test-${process.env.VITEST_POOL_ID}-`))
  // Nothing has to survive the loss of power here.
  const db = open(directory, { durability: 'none', ...options })
  beforeEach(() => db.clear())
  afterAll(() => {
    db.close()
    rmSync(directory, { recursive: true })
  })
  return db
}
