/** docs/operations.md: its dictionaries hold every field of stats() and health(), and nothing else. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { metricsText } from '../../src/metrics/index.ts'
import { withServer } from '../server/wire.ts'
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

/** The names of all figures of a database on a disk, and of a server. */
const figureNames = async (): Promise<string[]> => {
  const names = new Set(['xenondb_disk_free_bytes'])
  const tell = (text: string): void => {
    for (const [, name] of text.matchAll(/^# TYPE (xenondb_\w+)/gm)) names.add(name!)
  }
  await withServer({ metricsPort: 0 }, async ({ server }) => {
    server.keys.put(Buffer.from('a'), new Uint8Array(5000), 0, 'set')
    await server.db.checkpoint()
    const tx = server.keys.db.begin()
    tx.put(Buffer.from('b'), new Uint8Array(1))
    const snapshot = server.db.snapshot()
    tell(metricsText(server.db))
    const { port } = server.metricsAddress!
    tell(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text())
    snapshot.close()
    tx.rollback()
  })
  return [...names]
}

test('its list of metrics has all that there are, and no other; nor do its alarms name another', async () => {
  const [, section = ''] = page.split('\n## Every metric\n')
  const [table = ''] = section.split('\n## ')
  const listed = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(match => match[1]!)
  const there = await figureNames()
  expect(listed.sort()).toEqual(there.sort())
  const named = [...page.matchAll(/\bxenondb_\w+/g)].map(match => match[0])
  expect(named.filter(name => !there.includes(name))).toEqual([])
})
