/**
 * Each system call that the Node storage makes fails once, wherever it is made: what comes out is a XenonError, no
 * descriptor is left open, and the database opens again with everything that was acknowledged.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { convert, type Database, open, salvage, XenonError } from '../../src/index.ts'
import { runs } from '../support/random.ts'

/** Which call fails, after how many of its kind; and how many of each kind there were. */
const { CALLS, fault } = vi.hoisted(() => ({
  CALLS: [
    'openSync',
    'closeSync',
    'readSync',
    'writeSync',
    'writevSync',
    'fstatSync',
    'lstatSync',
    'statSync',
    'realpathSync',
    'fdatasync',
    'fdatasyncSync',
    'fsyncSync',
    'ftruncateSync',
    'linkSync',
    'renameSync',
    'unlinkSync',
    'mkdirSync',
    'readdirSync',
  ],
  fault: {
    on: false,
    call: '',
    after: 0,
    code: 'EIO',
    struck: '',
    counts: {} as Record<string, number>,
  },
}))

vi.mock('node:fs', async importOriginal => {
  const real = await importOriginal<Record<string, (...args: unknown[]) => unknown>>()
  const failing = (name: string, work: (...args: unknown[]) => unknown) =>
    Object.assign((...args: unknown[]): unknown => {
      if (!fault.on) return work(...args)
      const number = fault.counts[name] ?? 0
      fault.counts[name] = number + 1
      if (name !== fault.call || number !== fault.after) return work(...args)
      fault.struck = String(args[0])
      const error = Object.assign(new Error(`${fault.code}: i/o error, ${name}`), {
        code: fault.code,
        syscall: name,
      })
      // A close that fails has closed.
      if (name === 'closeSync') work(...args)
      const done = args.at(-1)
      if (name !== 'fdatasync' || typeof done !== 'function') throw error
      setImmediate(() => done(error))
      return undefined
    }, work)
  const mocked: Record<string, unknown> = { ...real }
  for (const name of CALLS) if (name !== 'realpathSync') mocked[name] = failing(name, real[name]!)
  const { native } = real.realpathSync as unknown as { native: (...args: unknown[]) => unknown }
  mocked.realpathSync = Object.assign(failing('realpathSync', real.realpathSync!), {
    native: failing('realpathSync', native),
  })
  return mocked
})

const VALUE = 'v'.repeat(1500)
const OPTIONS = {
  durability: 'power',
  cacheBytes: 65_536,
  checkpointBytes: 131_072,
  logSegmentBytes: 131_072,
} as const

interface Outcome {
  acknowledged: Set<string>
  errors: unknown[]
}

/** A life of a database, with everything that it can do; goes on after each error as far as that is possible. */
const live = async (top: string): Promise<Outcome> => {
  const directory = join(top, 'deep/db')
  const acknowledged = new Set<string>()
  const errors: unknown[] = []
  const attempt = async (work: () => unknown): Promise<void> => {
    try {
      await work()
    } catch (error) {
      errors.push(error)
    }
  }
  let db: Database | undefined
  const opened = (): Database => {
    if (db === undefined || db.closed) db = open(directory, OPTIONS)
    return db
  }
  const put = async (from: number, to: number): Promise<void> => {
    for (let i = from; i < to; i++) {
      opened().put(`key ${i}`, VALUE)
      acknowledged.add(`key ${i}`)
    }
  }
  await attempt(() => put(0, 40))
  await attempt(() => open(directory).close())
  await attempt(() =>
    opened()
      .async.put('aside', VALUE)
      .then(() => acknowledged.add('aside')),
  )
  await attempt(() => opened().checkpoint())
  await attempt(() => put(40, 120))
  await attempt(() => opened().flush())
  await attempt(() => opened().backup(join(top, 'copy')))
  await attempt(() => opened().verify())
  await attempt(() => opened().compact())
  await attempt(() => opened().stats())
  await attempt(() => db?.close())
  await attempt(() => open(directory, { ...OPTIONS, readOnly: true }).close())
  await attempt(() => put(120, 130))
  await attempt(() => db?.close())
  await attempt(() => salvage(directory, join(top, 'rescued')))
  await attempt(() => convert(directory, { ordered: false }))
  return { acknowledged, errors }
}

const descriptors = (): number => readdirSync('/proc/self/fd').length

const withFault = async (
  call: string,
  after: number,
  code: string,
): Promise<Outcome & { counts: Record<string, number> }> => {
  const top = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'xenon-typed-'))
  const before = descriptors()
  try {
    Object.assign(fault, { on: true, call, after, code, struck: '', counts: {} })
    const outcome = await live(top)
    fault.on = false
    const where = `${call} number ${after} (${fault.struck}), ${code}`
    // What was under way aside when a handle was closed ends a moment later.
    await vi.waitFor(() => expect(descriptors(), `descriptors after ${where}`).toBeLessThanOrEqual(before))
    for (const error of outcome.errors) {
      const text =
        error instanceof Error ? `${error.stack}\n${(error.cause as Error | undefined)?.stack}` : String(error)
      expect(error instanceof XenonError, `${where}: ${text}`).toBe(true)
    }
    const db = open(join(top, 'deep/db'), { lockWait: 1000 })
    for (const key of outcome.acknowledged) expect(db.get(key), `${key} after ${where}`).toBe(VALUE)
    expect((await db.verify()).problems, where).toEqual([])
    db.close()
    return { ...outcome, counts: fault.counts }
  } finally {
    fault.on = false
    rmSync(top, { recursive: true, force: true })
  }
}

const MOST = 5 * runs

test('a life without a fault meets none, and makes every call', async () => {
  const { errors, acknowledged, counts } = await withFault('none', 0, 'EIO')
  expect(errors).toEqual([expect.objectContaining({ code: 'XENON_LOCKED' })])
  expect(acknowledged.size).toBe(131)
  expect(CALLS.filter(call => !counts[call])).toEqual([])
  expect(descriptors()).toBeGreaterThan(0)
})

test.each(CALLS)('%s fails once, at each of the places where it is called', async call => {
  const { counts } = await withFault('none', 0, 'EIO')
  const total = counts[call]!
  const step = Math.max(1, total / MOST)
  let struck = 0
  for (let at = 0; at < total; at += step) {
    await withFault(call, Math.floor(at), struck % 3 === 2 ? 'EACCES' : 'EIO')
    struck++
  }
  expect(struck).toBeGreaterThan(0)
})
