/** Keyv's own suite for stores, and that for stores that iterate. */
import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite'
import Keyv from 'keyv'
import * as vitest from 'vitest'
import { KeyvXenon } from '../../../src/adapters/keyv/index.ts'
import { memoryStorage, open } from '../../../src/index.ts'

// The suite makes many stores and expects them all to be the same database.
const database = open('keyv', { storage: memoryStorage(), cacheBytes: 1048576 })
const store = (): KeyvXenon => new KeyvXenon(database)

keyvTestSuite(vitest, Keyv, store)
keyvIteratorTests(vitest, Keyv, store)

vitest.afterAll(async () => {
  const report = await database.verify()
  vitest.expect(report.problems).toEqual([])
  database.close()
})
