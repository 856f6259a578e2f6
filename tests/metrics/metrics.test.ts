/** metricsText(): read strictly, as the exposition format 0.0.4 says. */
import { expect, test } from 'vitest'
import { memoryStorage, open } from '../../src/index.ts'
import { metricsContentType, metricsText } from '../../src/metrics/index.ts'
import { withMemoryDatabase } from '../support/database.ts'
import { expectCode } from '../support/errors.ts'
import { type Family, parseExposition } from './parser.ts'

const firstValue = (families: ReadonlyMap<string, Family>, name: string): number | undefined =>
  families.get(name)?.samples[0]?.value

test('is what Prometheus reads: each name once, with help and type, and numbers', () =>
  withMemoryDatabase({}, ({ db }) => {
    for (let i = 0; i < 100; i++) db.put(`key ${i}`, 'value')
    db.put('large', 'x'.repeat(5000))
    const tx = db.begin()
    tx.put('a', '1')
    const families = parseExposition(metricsText(db))
    tx.rollback()
    expect(families.size).toBeGreaterThan(40)
    expect(firstValue(families, 'xenondb_up')).toBe(1)
    expect(firstValue(families, 'xenondb_records')).toBe(101)
    expect(firstValue(families, 'xenondb_commits_total')).toBe(101)
    expect(firstValue(families, 'xenondb_open_transactions')).toBe(1)
    expect(firstValue(families, 'xenondb_log_limit_bytes')).toBe(2.25 * 64 * 1048576)
    // Nobody can tell in memory, and there was no checkpoint.
    expect(families.has('xenondb_disk_free_bytes')).toBe(false)
    expect(families.has('xenondb_last_checkpoint_seconds')).toBe(false)
    expect(families.get('xenondb_log_sync_seconds')!.samples.map(({ labels }) => labels)).toEqual([
      { quantile: '0.5' },
      { quantile: '0.99' },
    ])
    const warnings = families.get('xenondb_warning')!.samples
    expect(warnings.map(({ value }) => value)).toEqual([0, 0, 0, 0, 0, 0])
    for (const { name, type } of families.values()) expect(name.endsWith('_total'), name).toBe(type === 'counter')
  }))

test('labels and the prefix are as given, whatever characters a label holds', () =>
  withMemoryDatabase({}, ({ db }) => {
    const odd = 'a "quoted" \\ back\nslash, {brace} é'
    const families = parseExposition(metricsText(db, { prefix: 'shop_db', labels: { app: odd, zone: '' } }))
    for (const [name, { samples }] of families) {
      expect(name).toMatch(/^shop_db_/)
      for (const { labels } of samples) expect(labels).toMatchObject({ app: odd, zone: '' })
    }
    expectCode(() => metricsText(db, { prefix: 'a b' }), 'XENON_INVALID_ARGUMENT')
    expectCode(() => metricsText(db, { prefix: '' }), 'XENON_INVALID_ARGUMENT')
    expectCode(() => metricsText(db, { labels: { 'a-b': 'c' } }), 'XENON_INVALID_ARGUMENT')
    expectCode(() => metricsText(db, { labels: { a: 1 as never } }), 'XENON_INVALID_ARGUMENT')
    expectCode(() => metricsText(db, { labels: null as never }), 'XENON_INVALID_ARGUMENT')
  }))

test('of a closed database: that it is down', () => {
  const db = open('db', { storage: memoryStorage() })
  db.put('a', '1')
  db.close()
  const families = parseExposition(metricsText(db))
  expect(firstValue(families, 'xenondb_up')).toBe(0)
  expect(families.has('xenondb_records')).toBe(false)
})

test('the content type names the version of the format', () => {
  expect(metricsContentType).toBe('text/plain; version=0.0.4; charset=utf-8')
})
