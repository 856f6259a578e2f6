/** The whole suite that abstract-level has for its implementations, on the real disk. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { XenonLevel } from '../../../src/adapters/level/index.ts'
import { type Tally, tape } from './tape.ts'

type Suite = (options: { test: unknown; factory: (options?: object) => unknown }) => void
const suite = createRequire(import.meta.url)('abstract-level/test') as Suite

const parent = mkdtempSync(join(process.env.XENON_TMP ?? tmpdir(), 'xenon-level-'))
afterAll(() => rmSync(parent, { recursive: true, force: true }))

const tally: Tally = { tests: 0, assertions: 0 }
let databases = 0

/** The suite looks at the options it gave, so those that make it fast are added below. */
class FastLevel extends XenonLevel {
  override async _open(options: Record<string, unknown>): Promise<void> {
    await super._open({ ...options, durability: 'none', cacheBytes: 262144, logSegmentBytes: 65536 })
  }
}

suite({
  test: tape(tally),
  factory: options => new FastLevel(join(parent, String(databases++)), options),
})

test('it made more than 5,000 assertions, and all held', () => {
  expect(tally.assertions).toBeGreaterThan(5_000)
  console.log(`abstract-level: ${tally.tests} tests, ${tally.assertions} assertions, ${databases} databases`)
})
