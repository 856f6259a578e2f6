/**
 * Salvage under test: an image goes in, records and a report come out; source and new database are checked on the way.
 */
import { expect } from 'vitest'
import { open, type SalvageOptions, type SalvageReport, salvage } from '../../src/index.ts'
import { expectVerified } from '../support/database.ts'
import { copyImage, differences, type Image, readImage, storageOf } from '../support/image.ts'
import { type Records, scan, show } from '../support/model.ts'

/** A full-sized pool takes longer to allocate than a small database to salvage. */
const SMALL_CACHE = 4_194_304

export interface Salvaged {
  report: SalvageReport
  records: Records<string>
}

/** Salvages the image; its bytes stay as they are, and the new database is sound and holds what the report says. */
export async function salvaged(image: Image, options: SalvageOptions = {}): Promise<Salvaged> {
  const before = copyImage(image)
  const storage = storageOf(image)
  const report = await salvage('db', 'new', { storage, cacheBytes: SMALL_CACHE, ...options })
  expect(differences(before, readImage('db', storage))).toEqual([])
  const db = open('new', { storage, cacheBytes: SMALL_CACHE })
  await expectVerified(db, report.records)
  const records = scan(db)
  db.close()
  return { report, records }
}

/** Everything that was found is one of the records that there were. */
export function expectNothingInvented(found: Records<string>, records: Records<string>): void {
  for (const [key, value] of found) {
    if (!records.has(key)) expect.fail(`${show(key)} was invented`)
    if (records.get(key) !== value) expect.fail(`${show(key)} is ${show(value)}, but was ${show(records.get(key))}`)
  }
}

/** The keys that were not found. */
export function missing(found: Records<string>, records: Records<string>): string[] {
  return [...records.keys()].filter(key => !found.has(key))
}

/** An empty report of losses. */
export function expectComplete(report: SalvageReport): void {
  const { gaps, lostKeys, misplaced, newerBlocks, duplicates } = report
  expect({
    complete: report.complete,
    warnings: report.warnings,
    gaps: gaps.count,
    lostKeys: lostKeys.count,
    misplaced: misplaced.count,
    newer: newerBlocks.count,
    duplicates: duplicates.count,
    log: report.log.state,
  }).toEqual({
    complete: true,
    warnings: [],
    gaps: 0,
    lostKeys: 0,
    misplaced: 0,
    newer: 0,
    duplicates: 0,
    log: 'sound',
  })
}
