/**
 * Several copies of the package in one process, as frameworks, bundlers and tests make them: they know each other's
 * errors and each other's locks. Needs a fresh build of `dist`.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { MessageChannel } from 'node:worker_threads'
import { build } from 'esbuild'
import { beforeAll, expect, expectTypeOf, test } from 'vitest'
import * as source from '../src/index.ts'
import { freshDirectory, thrown } from './storage/places.ts'
import { withDirectory } from './support/directory.ts'

type Package = typeof import('../src/index.ts')
type Client = typeof import('../src/client/index.ts')
type Worker = typeof import('../src/worker/index.ts')
type Level = typeof import('../src/adapters/level/index.ts')

const root = fileURLToPath(new URL('..', import.meta.url))
const copies: Record<string, Package & Client> = {}
const place = freshDirectory()

/** Of the copy of `dist` in the folder: another URL is another module. */
const load = <T>(folder: string, entry: string): Promise<T> =>
  import(/* @vite-ignore */ pathToFileURL(join(place, folder, `${entry}.js`)).href)

beforeAll(async () => {
  symlinkSync(join(root, 'node_modules'), join(place, 'node_modules'))
  writeFileSync(join(place, 'package.json'), '{ "type": "module" }')
  for (const folder of ['first', 'second']) {
    cpSync(join(root, 'dist'), join(place, folder), { recursive: true })
    copies[folder] = { ...(await load<Package>(folder, 'index')), ...(await load<Client>(folder, 'client/index')) }
  }
  writeFileSync(join(place, 'all.js'), "export * from './first/index.js'\nexport * from './first/client/index.js'\n")
  mkdirSync(join(place, 'bundles'))
  for (const [format, name] of [
    ['esm', 'bundle.mjs'],
    ['cjs', 'bundle.cjs'],
  ] as const) {
    const outfile = join(place, 'bundles', name)
    await build({
      entryPoints: [join(place, 'all.js')],
      outfile,
      bundle: true,
      minify: true,
      platform: 'node',
      format,
      logLevel: 'silent',
    })
    copies[name] = format === 'esm' ? await import(/* @vite-ignore */ outfile) : createRequire(outfile)(outfile)
  }
})

const pairs = [
  ['first', 'second'],
  ['second', 'first'],
  ['first', 'bundle.mjs'],
  ['bundle.mjs', 'first'],
  ['first', 'bundle.cjs'],
  ['bundle.cjs', 'bundle.mjs'],
] as const

test.each(pairs)('%s knows the lock and the errors of %s', async (one, other) => {
  const [a, b] = [copies[one]!, copies[other]!]
  expect(a.XenonError).not.toBe(b.XenonError)
  const directory = join(place, `${one}-${other}`)
  const db = a.open(directory)
  const error = thrown(() => b.open(directory))
  expect(a.XenonError.is(error)).toBe(true)
  expect(a.XenonError.is(error, 'XENON_LOCKED')).toBe(true)
  expect(a.XenonError.is(error, 'XENON_CORRUPT')).toBe(false)
  expect(error).toBeInstanceOf(a.XenonError)
  expect(error).toBeInstanceOf(a.DatabaseLockedError)
  expect(error).not.toBeInstanceOf(a.CorruptionError)
  expect(error).toMatchObject({ name: 'DatabaseLockedError', code: 'XENON_LOCKED', pid: process.pid })
  expect((error as Error).message).toMatch(
    /is already open in this process, .* another copy of the module: open it once/,
  )
  expect((error as Error).stack).toMatch(/^DatabaseLockedError: /)
  db.put('key', 'value')
  expect((await db.verify()).ok).toBe(true)
  db.close()
  b.open(directory).close()
})

test('every class of errors keeps its name in a minified bundle', () => {
  for (const name of ['bundle.mjs', 'bundle.cjs']) {
    const bundle = copies[name]! as unknown as Record<string, { prototype: unknown }>
    const classes = Object.entries(copies.first!).filter(
      ([, value]) => 'prototype' in value && value.prototype instanceof Error,
    )
    expect(classes.length).toBeGreaterThan(15)
    for (const [exported] of classes) {
      const { prototype } = bundle[exported]!
      expect(prototype, exported).toHaveProperty('name', exported)
      expect(Object.hasOwn(prototype as object, 'name'), exported).toBe(true)
    }
  }
})

test('`is` is false for whatever else there may be, and a class of a caller is no brand', () => {
  const { XenonError, InvalidArgumentError } = source
  for (const value of [undefined, null, 1, 'XENON_LOCKED', {}, [], new Error('x'), { code: 'XENON_LOCKED' }])
    expect(XenonError.is(value)).toBe(false)
  class Mine extends XenonError {}
  const mine = new Mine('XENON_FAILED', 'mine')
  expect(mine).toBeInstanceOf(Mine)
  expect(XenonError.is(mine, 'XENON_FAILED')).toBe(true)
  const other = new XenonError('XENON_FAILED', 'x')
  expect(other).not.toBeInstanceOf(Mine)
  expect(other).not.toBeInstanceOf(InvalidArgumentError)
})

test('`is` narrows to what the code tells', () => {
  const error: unknown = new source.DatabaseLockedError('x', 5)
  if (!source.XenonError.is(error)) throw new Error('not known')
  expectTypeOf(error.code).toEqualTypeOf<source.XenonErrorCode>()
  if (!source.XenonError.is(error, 'XENON_LOCKED')) throw new Error('not of the code')
  expectTypeOf(error.code).toEqualTypeOf<'XENON_LOCKED'>()
  expectTypeOf(error.pid).toEqualTypeOf<number | undefined>()
  expect(error.pid).toBe(5)
})

test('errors of another copy cross a port and the adapter of Level whole', async () => {
  const db = copies.first!.open(join(place, 'port'), { lockTimeout: 10 })
  const { servePort } = await load<Worker>('second', 'worker/index')
  const { PortDatabase } = await load<Worker>('first', 'worker/index')
  const { port1, port2 } = new MessageChannel()
  servePort(db, port1)
  const remote = new PortDatabase(port2)
  const tx = db.begin()
  tx.put('key', 'value')
  const error = await remote.put('key', 'other').catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(copies.first!.LockConflictError)
  expect(error).toMatchObject({ name: 'LockConflictError', code: 'XENON_LOCK_CONFLICT' })
  tx.rollback()
  await remote.close()

  const { XenonLevel } = await load<Level>('second', 'adapters/level/index')
  const level = new XenonLevel(join(place, 'port'))
  const refused = await level.open().catch((reason: unknown) => reason)
  expect(refused).toMatchObject({ code: 'LEVEL_DATABASE_NOT_OPEN', cause: { code: 'LEVEL_LOCKED' } })
  expect((await db.verify()).ok).toBe(true)
  db.close()
})

test('a bundle finds the packages that it loads when they are asked for', () =>
  withDirectory(directory => {
    for (const name of ['bundle.cjs', 'bundle.mjs']) {
      const program = join(place, 'bundles', `program-of-${name}`)
      const load = name.endsWith('cjs') ? `const { open } = require('./${name}')` : `import { open } from './${name}'`
      writeFileSync(
        program,
        `${load}
        const db = open(${JSON.stringify(join(directory, name))}, { valueEncoding: 'msgpack', compression: 'snappy' })
        db.put('key', { date: new Date(0), text: 'a'.repeat(1000) })
        console.log(db.get('key').date.getTime())
        db.verify().then(({ ok }) => { console.log(ok); db.close() })`,
      )
      const { stdout, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8' })
      expect({ stdout, stderr }).toEqual({ stdout: '0\ntrue\n', stderr: '' })
    }
  }))
