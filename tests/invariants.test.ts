/**
 * The numbered rules of the house. Each is defined once, at the head of the file that keeps it (` *  P1  …`), has a place
 * in `src/` that would find it broken, and a test. The second half breaks each rule that the engine watches over while it
 * runs, and expects the watch to speak.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { Appender } from '../src/cluster/appender.ts'
import { systemClock } from '../src/cluster/clock.ts'
import type { SharedLog } from '../src/cluster/shared-log.ts'
import { Suspicion } from '../src/cluster/suspicion.ts'
import type { Engine } from '../src/engine/engine.ts'
import { type Database, memoryStorage, open } from '../src/index.ts'
import { RecordType } from '../src/log/format.ts'
import { allBlank, noneBlank } from '../src/pager/blank.ts'
import { ORDERED_ROOT } from '../src/pager/layout.ts'
import { Arena } from '../src/runtime/bytes.ts'
import { invariants } from '../src/runtime/invariant.ts'
import { Step } from '../src/txn/step.ts'
import { closeQuietly } from './support/database.ts'

const root: string = fileURLToPath(new URL('..', import.meta.url))
const textsIn = (folder: string): [name: string, text: string][] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => [`${folder}/${name}`, readFileSync(join(root, folder, name), 'utf8')])

const DEFINITION = /^ \* {2}([A-Z]\d{1,2}) {2}/gm
const sources = textsIn('src')
// P4 is the name of an anomaly there.
const tests = textsIn('tests').filter(
  ([name]) => !name.startsWith('tests/isolation/') && name !== 'tests/invariants.test.ts',
)
const definitions = sources.flatMap(([name, text]) =>
  [...text.matchAll(DEFINITION)].map(match => ({ rule: match[1]!, name })),
)
/** Those that the engine watches over while it runs. */
const watched = [
  ...new Set(sources.flatMap(([, text]) => [...text.matchAll(/broken\('([A-Z]\d{1,2})'/g)].map(match => match[1]!))),
]

describe('the invariants', () => {
  test('were found, and each number is used once', () => {
    expect(definitions.length).toBeGreaterThan(30)
    const rules = definitions.map(({ rule }) => rule)
    expect(rules.filter((rule, i) => rules.indexOf(rule) !== i)).toEqual([])
    expect(watched.filter(rule => !rules.includes(rule))).toEqual([])
  })

  test.each(definitions)('$rule of $name is guarded in src/, and cited by a test', ({ rule, name }) => {
    const code = sources.map(([, text]) => text.replace(DEFINITION, '')).join('\n')
    const guard = new RegExp(`broken\\('${rule}'|^\\s*// (?:[A-Z]\\d+, )*${rule}\\b|^\\s*/\\*\\* .*\\(${rule}\\)`, 'm')
    expect(guard.test(code), `nothing in src/ guards ${rule} of ${name}`).toBe(true)
    const cited = tests.some(([, text]) => new RegExp(`\\b${rule}\\b`).test(text) || rangesIn(text).has(rule))
    expect(cited || watched.includes(rule), `no test cites ${rule} of ${name}`).toBe(true)
  })
})

/** "B1 to B3" names three. */
function rangesIn(text: string): Set<string> {
  const found = new Set<string>()
  for (const [, letter, from, to] of text.matchAll(/\b([A-Z])(\d+) to \1(\d+)\b/g))
    for (let i = Number(from); i <= Number(to); i++) found.add(`${letter}${i}`)
  return found
}

// biome-ignore lint/suspicious/noExplicitAny: the members are private; breaking them is what this is for.
type Any = any

/** How each watched rule can be broken in an open database that holds some records. */
const breaks: Record<string, (engine: Any, db: Database) => unknown> = {
  P1: ({ log, pool }) => {
    log.sync = () => log.write()
    pool.writeBack(pool.dirtyBlocks(Number.POSITIVE_INFINITY))
  },
  P2: ({ pool }) => {
    pool.basisLsn = 2 ** 40
    pool.writeBack(pool.dirtyBlocks(Number.POSITIVE_INFINITY))
  },
  P3: ({ pool }) => {
    pool.pin(pool.get(1))
    pool.eviction.coldest = () => [pool.frameOf(1)]
    pool.eviction.run()
  },
  P4: ({ pool }, db) => {
    db.snapshot()
    pool.preserve = () => {}
    pool.fresh = (block: number) => pool.get(block)
    db.put('key 1', 'changed')
  },
  V1: ({ pool: { versions } }) => {
    versions.begin(10, 100)
    versions.keep(1, 5, 10, new Uint8Array(8))
    versions.begin(20, 100)
    versions.keep(1, 7, 9, new Uint8Array(8))
  },
  I1: ({ pool: { images } }) =>
    images.noteAll([1], { half: images.halves[0], generation: images.halves[0].generation, end: 1 }),
  I2: ({ pool: { images }, file }) => {
    file.sync = () => {}
    for (const half of images.halves) half.usedAt = file.writes + 1
    images.begin()
  },
  I3: async ({ log, pool }) => {
    log.syncAside = async () => {}
    await pool.writeBackAside(pool.dirtyBlocks(Number.POSITIVE_INFINITY), () => true)
  },
  I4: ({ pool: { images, blockSize } }) => {
    images.begin()
    for (const half of images.halves) half.limit = 0
    images.write([1], [0], new Arena(blockSize), 0)
  },
  L1: ({ log }) => {
    log.reserve(16)
    log.begin(RecordType.system, 0, 0, 0)
    log.end()
  },
  L2: ({ log }, db) => {
    log.sync()
    log.alignEnd = () => {}
    db.put('key 1', 'in the same sector')
  },
  L3: ({ log, health }) => {
    health.fail(new Error('a sync failed'))
    log.synced(log.syncedLsn + 1)
  },
  T1: ({ transactions }, db) => {
    const tx = db.begin()
    tx.put('key 1', 'changed')
    const [state] = [...transactions.open.values()]
    transactions.locks.isHeldBy = () => false
    expect(state.locks.length).toBeGreaterThan(0)
    tx.commit()
  },
  T2: ({ log }, db) => {
    const tx = db.begin()
    tx.put('key 1', 'changed')
    const begin = log.begin.bind(log)
    log.begin = (...given: number[]) => {
      log.records++
      begin(...given)
    }
    tx.commit()
  },
  E1: engine => {
    const step = new Step(engine)
    step.run(() => {
      step.begin(64)
      step.pin(1)
      step.end()
    })
  },
  E3: engine => {
    const step = new Step(engine)
    step.run(() => {
      const place = step.pin(1)
      step.begin(64)
      step.part(place)
      step.endPart()
      step.end()
    })
  },
  C1: ({ checkpointer, log, metadata }) => checkpointer.writeDone({ ...nothing, redoLsn: log.endLsn + 1 }, metadata),
  C2: ({ checkpointer, file, metadata }) => {
    file.writeState(metadata)
    checkpointer.giveUpLog(0)
  },
  C3: ({ file, metadata }) => {
    file.writeState(metadata)
    file.writeState(metadata)
  },
  C4: ({ checkpointer, log, metadata }) => {
    metadata.lsn = log.syncedLsn + 1
    checkpointer.writeDone(nothing, metadata)
  },
  C5: ({ checkpointer, log, metadata }) => {
    checkpointer.run()
    checkpointer.writeDone({ ...nothing, redoLsn: log.endLsn, blank: allBlank() }, metadata)
  },
  X1: () => {
    const appender = appenderOver(() => new Promise(() => {}))
    void appender.append([], new Uint8Array(16), 0)
    void appender.append([], new Uint8Array(16), 0)
  },
  X4: () =>
    appenderOver(async () => ({ kind: 'stored', sequence: 7 })).append([new Uint8Array(1)], new Uint8Array(16), 0),
  Y1: (engine, db) =>
    beside(engine, ({ metadata }, reader) => {
      metadata.logLsn = 2 ** 40
      db.put('key 1', 'changed')
      reader.refresh()
    }),
  Y2: (engine, db) =>
    beside(engine, ({ pool }, reader) => {
      const base = pool.get(ORDERED_ROOT)
      pool.followed(base, 2 ** 40)
      db.put('another key', 'changed')
      reader.refresh()
    }),
  J2: ({ metadata }, db) => {
    db.sub('one')
    metadata.spaces = 0
    db.sub('other')
  },
}

/** With a reader of the same database. */
const beside = (writer: Any, work: (engine: Any, reader: Database) => void): void => {
  writer.log.write()
  const reader = open('db', { storage: writer.file.storage, readOnly: true })
  try {
    work((reader as Any).engine, reader)
  } finally {
    closeQuietly(reader)
  }
}

const appenderOver = (append: SharedLog['append']): Appender =>
  new Appender({ append } as SharedLog, systemClock, 60_000, new Suspicion(systemClock, () => {}))

/** What a checkpoint of a database that nobody has changed would say. */
const nothing = { redoLsn: 0, fileBlocks: 0, blank: noneBlank() }

describe('a rule that is broken while the engine runs is noticed', () => {
  test('each of those that are watched has its own break here', () => {
    expect(Object.keys(breaks).sort()).toEqual([...watched].sort())
  })

  const broken = async (rule: string, areChecked: boolean): Promise<unknown> => {
    const db = open('db', { storage: memoryStorage(), durability: 'process' })
    try {
      for (let i = 0; i < 200; i++) db.put(`key ${i}`, 'a value')
      invariants.areChecked = areChecked
      await breaks[rule]!((db as unknown as { engine: Engine }).engine, db)
      return undefined
    } catch (error) {
      return error
    } finally {
      invariants.areChecked = true
      closeQuietly(db)
    }
  }

  test.each(Object.keys(breaks))('%s', async rule => {
    expect(await broken(rule, true)).toMatchObject({
      code: 'XENON_FAILED',
      message: expect.stringContaining(`(${rule}: `),
    })
    // Without the watch it goes through: nothing else speaks in its place.
    const otherwise = (await broken(rule, false)) as Error | undefined
    expect(otherwise?.message ?? '').not.toContain(`(${rule}: `)
  })
})
