/** Short sequences of operations by fast-check, which shrinks a failure to the few that matter. */

import { test, vi } from 'vitest'
import { type BatchOperation, open } from '../../src/index.ts'
import { closeQuietly, expectVerified, type Subject, withMemoryDatabase } from '../support/database.ts'
import { type Image, readImage, storageOf } from '../support/image.ts'
import { rounds } from '../support/long.ts'
import { expectEqual, firstDifference, sameValue, scan, show } from '../support/model.ts'
import fc from '../support/property.ts'
import { runs, runTimeout } from '../support/random.ts'

vi.setConfig({ testTimeout: runTimeout })

type Model = Map<string, string>
type Real = Subject<string>
type Command = fc.AsyncCommand<Model, Real>
type Edit = { key: string; value: string | undefined }
type Part = Edit | 'savepoint' | 'rollbackTo' | 'crash'

const key = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 11 }).map(n => `k${n}`) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 400 }).map(n => `n${n}`) },
  { weight: 1, arbitrary: fc.constantFrom('__proto__', 'constructor', '\0', 'é', '語', 'x'.repeat(1024)) },
)
const value = fc
  .tuple(
    fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 0, max: 60 }) },
      { weight: 3, arbitrary: fc.integer({ min: 500, max: 1500 }) },
      { weight: 2, arbitrary: fc.integer({ min: 3900, max: 4150 }) },
      { weight: 1, arbitrary: fc.integer({ min: 4000, max: 60_000 }) },
    ),
    fc.constantFrom('a', 'b', 'é', '語', '😀'),
  )
  .map(([length, character]) => character.repeat(length))
const edit: fc.Arbitrary<Edit> = fc.record({ key, value: fc.option(value, { nil: undefined, freq: 3 }) })
const part: fc.Arbitrary<Part> = fc.oneof(
  { weight: 6, arbitrary: edit },
  { weight: 1, arbitrary: fc.constant('savepoint' as const) },
  { weight: 1, arbitrary: fc.constant('rollbackTo' as const) },
  { weight: 1, arbitrary: fc.constant('crash' as const) },
)

const commands: fc.Arbitrary<Command>[] = [
  fc.tuple(key, value).map(([k, v]) =>
    command(`put(${show(k)}, ${show(v)})`, (model, { db }) => {
      db.put(k, v)
      model.set(k, v)
      expectSame(db.get(k), v)
    }),
  ),
  key.map(k =>
    command(`delete(${show(k)})`, (model, { db }) => {
      expectSame(db.delete(k), model.delete(k))
      expectSame(db.get(k), undefined)
    }),
  ),
  key.map(k =>
    command(`get(${show(k)})`, (model, { db }) => {
      expectSame(db.get(k), model.get(k))
      expectSame(db.has(k), model.has(k))
      expectSame(db.getMany([k, k])[1], model.get(k))
    }),
  ),
  fc.array(edit, { maxLength: 8 }).map(edits =>
    command(`batch(${edits.map(showEdit)})`, (model, { db }) => {
      db.batch(edits.map(operationOf))
      applyAll(model, edits)
    }),
  ),
  fc.tuple(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 0, max: 900 })).map(([count, length]) =>
    command(`fill(${count} records of ${length})`, (model, { db }) => {
      const edits = Array.from({ length: count }, (_, n) => ({ key: `n${n}`, value: 'f'.repeat(length) }))
      db.batch(edits.map(operationOf))
      applyAll(model, edits)
    }),
  ),
  fc.tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 1, max: 3 })).map(([from, step]) =>
    command(`drain(from ${from} by ${step})`, (model, { db }) => {
      for (let n = from; n <= 400; n += step) expectSame(db.delete(`n${n}`), model.delete(`n${n}`))
    }),
  ),
  fc
    .tuple(fc.array(part, { maxLength: 12 }), fc.constantFrom('commit', 'rollback', 'dispose', 'throw' as const))
    .map(([parts, ending]) =>
      command(`transaction(${parts.map(showPart)}; ${ending})`, (model, real) => {
        const view = ending === 'throw' ? throwing(model, real, parts) : explicit(model, real, parts, ending)
        if (ending !== 'commit') return
        model.clear()
        for (const [k, v] of view) model.set(k, v)
      }),
    ),
  edit.map(e =>
    command(`async ${showEdit(e)}`, async (model, { db }) => {
      const promise: Promise<unknown> = e.value === undefined ? db.async.delete(e.key) : db.async.put(e.key, e.value)
      const existed = model.has(e.key)
      applyAll(model, [e])
      expectSame(db.get(e.key), e.value)
      const answer = await promise
      if (e.value === undefined) expectSame(answer, existed)
    }),
  ),
  fc.constant(command('reopen', (_, real) => void real.reopen())),
  fc.constant(command('checkpoint', (_, { db }) => db.checkpoint())),
  fc.constant(command('flush', (_, { db }) => db.flush())),
  fc.constant(command('crash', expectRecovery)),
]

test('short sequences of operations agree with a Map', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        blockSize: fc.constantFrom(4096, 8192, 65536),
        frames: fc.constantFrom(16, 64),
        durability: fc.constantFrom('power', 'process', 'none' as const),
      }),
      fc.commands(commands, { maxCommands: 60, size: 'max' }),
      async ({ blockSize, frames, durability }, sequence) => {
        const sizes = { cacheBytes: frames * blockSize, checkpointBytes: 262_144, logSegmentBytes: 131_072 }
        await withMemoryDatabase({ blockSize, durability, ...sizes }, async subject => {
          const model: Model = new Map()
          await fc.asyncModelRun(() => ({ model, real: subject }), sequence)
          expectEqual(subject.db, model)
          await expectVerified(subject.db, model.size)
        })
      },
    ),
    { numRuns: rounds(40, 120) * runs },
  )
})

function command(name: string, run: (model: Model, real: Real) => void | Promise<void>): Command {
  return { check: () => true, run: async (model, real) => run(model, real), toString: () => name }
}

function explicit(model: Model, real: Real, parts: readonly Part[], ending: string): Model {
  const { db } = real
  const tx = db.begin()
  const view = playParts(model, real, tx, parts)
  for (const part of parts) {
    if (typeof part === 'string') continue
    expectSame(tx.get(part.key), view.get(part.key))
    expectSame(db.get(part.key), model.get(part.key))
  }
  if (ending === 'commit') tx.commit()
  else if (ending === 'rollback') tx.rollback()
  else tx[Symbol.dispose]()
  for (const part of parts) {
    if (typeof part !== 'string') {
      expectSame(db.get(part.key), (ending === 'commit' ? view : model).get(part.key))
    }
  }
  return view
}

function throwing(model: Model, real: Real, parts: readonly Part[]): Model {
  const { db } = real
  const failure = new Error('changed my mind')
  try {
    db.transaction(tx => {
      playParts(model, real, tx, parts)
      throw failure
    })
  } catch (error) {
    if (error !== failure) throw error
  }
  for (const part of parts) {
    if (typeof part !== 'string') expectSame(db.get(part.key), model.get(part.key))
  }
  return model
}

/** Makes the changes in `tx`; returns what it should see then. */
function playParts(model: Model, real: Real, tx: ReturnType<Real['db']['begin']>, parts: readonly Part[]): Model {
  let view = new Map(model)
  const savepoints: { savepoint: ReturnType<typeof tx.savepoint>; view: Model }[] = []
  for (const part of parts) {
    if (part === 'savepoint') {
      savepoints.push({ savepoint: tx.savepoint(), view: new Map(view) })
    } else if (part === 'rollbackTo') {
      const last = savepoints.pop()
      if (last === undefined) continue
      tx.rollbackTo(last.savepoint)
      view = last.view
    } else if (part === 'crash') {
      expectRecovery(model, real)
    } else if (part.value === undefined) {
      expectSame(tx.delete(part.key), view.delete(part.key))
    } else {
      tx.put(part.key, part.value)
      view.set(part.key, part.value)
      expectSame(tx.get(part.key), part.value)
    }
  }
  return view
}

/** What SIGKILL would leave behind now recovers to the model, also when the recovered one is killed again. */
function expectRecovery(model: Model, { options, image }: Real): void {
  const again = recover(image(), model, options)
  recover(again, model, options)
}

function recover(image: Image, model: Model, options: Real['options']): Image {
  const storage = storageOf(image)
  const db = open('db', { ...options, storage })
  try {
    const difference = firstDifference(scan(db), model)
    // Without durability the last commits may be missing; that nothing else is wrong shows in the long runs.
    if (difference !== undefined && options.durability !== 'none') throw new Error(`recovered: ${difference}`)
    return readImage('db', storage)
  } finally {
    closeQuietly(db)
  }
}

function applyAll(model: Model, edits: readonly Edit[]): void {
  for (const { key, value } of edits) {
    if (value === undefined) model.delete(key)
    else model.set(key, value)
  }
}

function operationOf({ key, value }: Edit): BatchOperation<string> {
  return value === undefined ? { type: 'delete', key } : { type: 'put', key, value }
}

function showEdit({ key, value }: Edit): string {
  return value === undefined ? `-${show(key)}` : `${show(key)}=${show(value)}`
}

function showPart(part: Part): string {
  return typeof part === 'string' ? part : showEdit(part)
}

function expectSame(found: unknown, expected: unknown): void {
  if (!sameValue(found, expected)) throw new Error(`got ${show(found)}, expected ${show(expected)}`)
}
