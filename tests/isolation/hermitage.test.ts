/** Hermitage's matrix: which anomalies each isolation level prevents, with keys in one block and in different ones. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { IsolationLevel } from '../../src/index.ts'
import { withMemoryDatabase } from '../support/database.ts'
import { Actor, Keys } from './actors.ts'
import { type Anomaly, anomalies } from './anomalies.ts'

const levels: readonly IsolationLevel[] = [
  'read-uncommitted',
  'read-committed',
  'repeatable-read',
  'snapshot',
  'serializable',
]

const ITEMS = ['G0', 'G1a', 'G1a, delete', 'G1b', 'G1c', 'OTV']
const G1 = [...ITEMS, 'G1a, predicate', 'G1b, predicate']
/** What must not be seen: the table of RELIABILITY.md, a variant by predicate as its anomaly. */
const prevented: Record<IsolationLevel, readonly string[]> = {
  'read-uncommitted': ['G0'],
  'read-committed': G1,
  'repeatable-read': [...G1, 'P4', 'P4, write', 'G-single', 'G-single, predicate', 'G2-item'],
  snapshot: [...G1, 'PMP', 'PMP, write', 'P4', 'P4, write', 'G-single', 'G-single, predicate', 'G-single, write'],
  serializable: anomalies.map(anomaly => anomaly.name),
}

/**
 * What is seen, or what prevents it: a wait, a deadlock, a conflict, or nothing of the kind (old versions are read).
 */
type Result = 'seen' | 'waits' | 'deadlock' | 'conflict' | 'versions'

const results = new Map<string, Result>()
const cell = (name: string, level: IsolationLevel, same: boolean): string => `${name}/${level}/${same}`

async function play(anomaly: Anomaly, level: IsolationLevel, same: boolean): Promise<Result> {
  let result: Result = 'seen'
  await withMemoryDatabase({ durability: 'none', lockTimeout: 5000 }, async subject => {
    const { db } = subject
    const keys = new Keys(subject)
    const roots = same ? [7, 7, 7, 7] : [7, 23, 42, 99]
    const [x, y, p, q] = ['a', 'b', 'p', 'p'].map((prefix, i) => keys.in(roots[i]!, prefix)) as [
      string,
      string,
      string,
      string,
    ]
    db.batch([
      { type: 'put', key: x, value: '10' },
      { type: 'put', key: y, value: '20' },
    ])
    const actors: Actor[] = []
    const begin = (): Actor => {
      const actor = new Actor(db, { isolation: level })
      actors.push(actor)
      return actor
    }
    const seen = await anomaly.play({ db, level, x, y, p, q, actors, begin })
    for (const actor of actors) {
      await actor.end()
      expect(actor.tx.ended, 'a schedule ends all its transactions').toBe(true)
    }
    const failures = actors.map(actor => actor.failure)
    for (const failure of failures) expect([undefined, 'XENON_DEADLOCK', 'XENON_WRITE_CONFLICT']).toContain(failure)
    if (seen) result = 'seen'
    else if (failures.includes('XENON_DEADLOCK')) result = 'deadlock'
    else if (failures.includes('XENON_WRITE_CONFLICT')) result = 'conflict'
    else if (actors.some(actor => actor.waits > 0)) result = 'waits'
    else result = 'versions'
    expect(db.stats().transactions.open).toBe(0)
  })
  return result
}

describe.each(levels)('%s', level => {
  test.each(anomalies)('$name', async anomaly => {
    for (const same of [true, false]) {
      const result = await play(anomaly, level, same)
      results.set(cell(anomaly.name, level, same), result)
      if (prevented[level].includes(anomaly.name)) expect(result, `same block: ${same}`).not.toBe('seen')
      // What a level does not promise to prevent is seen, or docs/isolation.md says that it is not.
    }
  })
})

const table = (): string => {
  const rows = anomalies.map(({ name }) => [
    name,
    ...levels.map(level => {
      const same = results.get(cell(name, level, true))
      const different = results.get(cell(name, level, false))
      expect(different, `${name} at ${level}: the blocks that keys lie in make no difference`).toBe(same)
      return show(same!)
    }),
  ])
  const lines = [['', ...levels], ...rows]
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map(line => line[column]!.length)))
  const render = (line: string[]): string =>
    `| ${line.map((text, column) => text.padEnd(widths[column]!)).join(' | ')} |`
  return [render(lines[0]!), `| ${widths.map(width => '-'.repeat(width)).join(' | ')} |`, ...rows.map(render)].join(
    '\n',
  )
}

const show = (result: Result): string => (result === 'seen' ? '**seen**' : result)

test('the table in docs/isolation.md is this one', () => {
  const page = readFileSync(fileURLToPath(new URL('../../docs/isolation.md', import.meta.url)), 'utf8')
  const printed = table()
  console.log(printed)
  expect(page).toContain(printed)
})
