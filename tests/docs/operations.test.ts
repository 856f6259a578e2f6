/** docs/operations.md: its dictionaries hold every field of stats() and health(), and nothing else. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { metricsText } from '../../src/metrics/index.ts'
import { withDatabase } from '../support/database.ts'

const page: string = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')

/** The first column of the table below a heading. */
const fieldsBelow = (heading: string): string[] => {
  const [, section = ''] = page.split(`\n## ${heading}\n`)
  const [table = ''] = section.split('\n## ')
  return [...table.matchAll(/^\| `([\w.]+)` \|[^|]*\| [^|]+ \|$/gm)].map(match => match[1]!)
}

/** The paths of all values: lists and errors are values. */
const pathsOf = (value: object): string[] =>
  Object.entries(value).flatMap(([name, inner]) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? pathsOf(inner).map(path => `${name}.${path}`)
      : [name],
  )

test('every field of stats() and health() stands in it, in their order, and no other', () =>
  withDatabase({}, async ({ db }) => {
    db.put('a', 'x'.repeat(5000))
    await db.checkpoint()
    const snapshot = db.snapshot()
    const tx = db.begin()
    tx.put('b', '1')
    const { stats, health } = { stats: db.stats(), health: db.health() }
    tx.rollback()
    snapshot.close()
    expect(fieldsBelow('Every field of `health()`')).toEqual(pathsOf(health))
    expect(fieldsBelow('Every field of `stats()`').sort()).toEqual(pathsOf(stats).sort())
  }))

test('the figures of its alarms are those that there are', () =>
  withDatabase({}, async ({ db }) => {
    db.put('a', '1')
    await db.checkpoint()
    const there = new Set([...metricsText(db).matchAll(/^# TYPE (\w+)/gm)].map(match => match[1]))
    const named = [...page.matchAll(/\bxenondb_\w+/g)].map(match => match[0])
    expect(named.length).toBeGreaterThan(15)
    expect(named.filter(name => !there.has(name))).toEqual([])
  }))
