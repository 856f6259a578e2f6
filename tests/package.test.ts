/** What `npm run build` leaves in `dist`, which needs a fresh build. */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { PACKAGE_VERSION } from '../src/server/version.ts'
import { withDirectory } from './support/directory.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
interface Target {
  types: string
  default: string
}
interface Entry {
  'module-sync': Target
  module: string
  require: Target
  default: Target
}

const { exports, bin, version, dependencies, peerDependencies } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
)
const entries = Object.values<Entry | string>(exports).filter(entry => typeof entry === 'object')
const scripts = (readdirSync(join(root, 'dist'), { recursive: true }) as string[]).filter(name => name.endsWith('.js'))

test('every entry has its script and its types', () => {
  expect(entries.length).toBeGreaterThan(5)
  for (const file of [
    ...entries
      .flatMap(entry => Object.values<string | Target>({ ...entry }))
      .flatMap(target => (typeof target === 'string' ? target : [target.types, target.default])),
    ...(Object.values(bin) as string[]),
  ])
    expect(existsSync(join(root, file)), file).toBe(true)
})

test('the code knows its version', () => {
  expect(PACKAGE_VERSION).toBe(version)
})

test('there is no script but the entries and what they share', () => {
  const named = [...entries.map(entry => entry.default.default), ...(Object.values(bin) as string[])].map(file =>
    join(file),
  )
  // The page of the explorer is nobody's module, and what a page of "xenondb/browser" loads is a chunk with a place.
  const others = scripts.filter(name => !/^(chunks[\\/]|explorer[\\/]|browser[\\/](client|page)\.js$)/.test(name))
  expect(others.map(name => join('dist', name)).sort()).toEqual(named.sort())
})

test('require gives the same module as import, and its CommonJS to whoever cannot load that', async () => {
  const code = `
    import { createRequire } from 'node:module'
    const require = createRequire(import.meta.url)
    for (const entry of ${JSON.stringify(Object.keys(exports).filter(entry => entry !== './package.json'))}) {
      const name = entry.replace('.', 'xenondb')
      const module = await import(name)
      const required = require(name)
      // With a default export Node wraps the module.
      const isSame = 'default' in module
        ? Object.keys(module).every(key => required[key] === module[key])
        : required === module
      if (!isSame) throw new Error(name)
    }`
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    cwd: root,
    encoding: 'utf8',
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  const load = createRequire(import.meta.url)
  for (const entry of entries) {
    expect([entry['module-sync'], entry.module]).toEqual([entry.default, entry.default.default])
    const names = Object.keys(await import(pathToFileURL(join(root, entry.default.default)).href))
    expect(Object.keys(load(join(root, entry.require.default))).sort(), entry.require.default).toEqual(names.sort())
  }
})

// Each file more is 0.7 ms of CPU, each package 4.
test('an import of the package loads five files and no package', () => {
  const entry = join(root, 'dist', 'index.js')
  const loaded = new Set<string>()
  const follow = (file: string): void => {
    if (loaded.has(file)) return
    loaded.add(file)
    for (const [, name] of readFileSync(file, 'utf8').matchAll(/^(?:import|export) .*?from "([^"]+)";$/gm)) {
      if (name!.startsWith('node:')) continue
      expect(name, file).toMatch(/^\.\.?\//)
      follow(join(dirname(file), name!))
    }
  }
  follow(entry)
  expect([...loaded].map(file => relative(join(root, 'dist'), file)).sort()).toEqual([
    join('chunks', 'database.js'),
    join('chunks', 'engine.js'),
    join('chunks', 'errors.js'),
    join('chunks', 'values.js'),
    'index.js',
  ])
})

test('the licenses of what the chunks hold of others are in the package', () => {
  const text = readFileSync(join(root, 'dist', 'licenses.txt'), 'utf8')
  for (const name of ['crc-32 ', 'lru-cache ', 'Apache License', 'Blue Oak Model License']) expect(text).toContain(name)
  expect(packed().map(({ path }) => path)).toContain('dist/licenses.txt')
})

test('the entries have one copy of each class', async () => {
  const load = (entry: string) => import(pathToFileURL(join(root, exports[entry].default.default)).href)
  const { open, memoryStorage, XenonError } = await load('.')
  const { withMutant } = await load('./testing')
  const { db_open } = await load('./c')
  await withDirectory(directory => {
    expect(() => db_open(join(directory, 'db'), { wrong: 1 })).toThrow(XenonError)
  })
  // It replaces a method of a class that `open` uses.
  const syncs = (): number => {
    const db = open('db', { storage: memoryStorage() })
    db.put('key', 'value')
    return db.stats().log.fsyncs
  }
  const before = syncs()
  expect(before).toBeGreaterThan(0)
  expect(await withMutant('no sync at commit', syncs)).toBeLessThan(before)
})

interface PackedFile {
  path: string
  size: number
}

/** What `npm publish` would send. */
const packed = (): PackedFile[] => {
  const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  return (JSON.parse(stdout) as [{ files: PackedFile[] }])[0].files
}

/** Bytes that files take on a disk with blocks of 4 KiB. */
const onDisk = (sizes: readonly number[]): number => sizes.reduce((sum, size) => sum + Math.ceil(size / 4096) * 4096, 0)

test('an install takes at most 8 MB and 10 packages, without maps and sources', () => {
  const files = packed()
  expect(files.filter(({ path }) => /\.map$|^src\/|^tests\//.test(path))).toEqual([])
  for (const { path } of files.filter(({ path }) => /^dist\/.*\.(c?js|d\.ts)$/.test(path)))
    expect(readFileSync(join(root, path), 'utf8').includes('sourceMappingURL'), path).toBe(false)
  let bytes = onDisk(files.map(({ size }) => size))
  const seen = new Set(['xenondb'])
  const add = (owner: string): void => {
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
      readFileSync(join(root, owner, 'package.json'), 'utf8'),
    ) as { dependencies?: object; optionalDependencies?: object }
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      if (seen.has(name)) continue
      seen.add(name)
      const folder = join(root, 'node_modules', name)
      const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
      bytes += onDisk(entries.map(entry => statSync(join(entry.parentPath, entry.name)).size))
      add(join('node_modules', name))
    }
  }
  add('.')
  expect(seen.size).toBeLessThanOrEqual(10)
  expect(bytes).toBeLessThan(8 * 1024 ** 2)
  expect(files.find(({ path }) => path === 'LICENSE')).toBeDefined()
})

test('a plain open needs no other package; /metrics goes without prom-client, and says so', () =>
  withDirectory(directory => {
    writeFileSync(join(directory, 'package.json'), '{}')
    const modules = join(directory, 'node_modules')
    for (const part of ['dist', 'package.json'])
      cpSync(join(root, part), join(modules, 'xenondb', part), { recursive: true })
    // Empty, so that none is found in a directory above either.
    for (const name of [...Object.keys(dependencies), ...Object.keys(peerDependencies)])
      mkdirSync(join(modules, name), { recursive: true })
    const use = `
      const { open } = given
      const db = open(process.argv[2], { valueEncoding: 'json', compression: 'deflate' })
      db.put('a', 'x'.repeat(1000))
      db.transaction(tx => tx.put('b', db.get('a')))
      await db.verify()
      if ([...db.keys()].join() !== 'a,b') throw new Error('not what was put')
      db.close()`
    const metrics = `
      import { memoryStorage, open } from 'xenondb'
      import { createServer } from 'xenondb/server'
      const db = open('db', { storage: memoryStorage() })
      const server = createServer(db, { port: 0, metricsPort: 0 })
      await server.listen()
      const text = await (await fetch('http://127.0.0.1:' + server.metricsAddress.port + '/metrics')).text()
      await server.close()
      db.close()
      if (!text.startsWith('# Figures of the process are left out: npm install prom-client\\n')) throw new Error(text)
      if (!text.includes('xenondb_records 0') || text.includes('process_')) throw new Error(text)`
    const programs = {
      'import.mjs': `import * as given from 'xenondb'\n${use}`,
      'cjs.cjs': `const given = require('./node_modules/xenondb/dist/cjs/index.cjs')\n;(async () => {${use}})()`,
      'metrics.mjs': metrics,
    }
    for (const [name, program] of Object.entries(programs)) {
      writeFileSync(join(directory, name), program)
      const args = [join(directory, name), join(directory, `${name}-db`)]
      const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
      expect({ name, status, stderr }).toEqual({ name, status: 0, stderr: '' })
    }
  }))

// What is about the code stands in the repository alone; npm's pages lead there by "repository".
test('relative links of the pages lead to what the package or the repository holds', () => {
  const held = new Set(packed().map(({ path }) => path))
  expect([...held].filter(path => /node_modules|\.next|\.test-|package-lock/.test(path))).toEqual([])
  const pages = [...held].filter(path => path.endsWith('.md'))
  expect(pages).toContain('README.md')
  const broken: string[] = []
  let links = 0
  for (const page of pages)
    for (const [, link] of readFileSync(join(root, page), 'utf8').matchAll(/\]\(([^)\s]+)\)/g)) {
      const path = link!.replace(/#.*/, '')
      if (path === '' || /^[a-z]+:/.test(path)) continue
      links++
      const target = join(dirname(page), path)
      if (!held.has(target) && !existsSync(join(root, target))) broken.push(`${page}: ${link}`)
    }
  expect(broken).toEqual([])
  expect(links).toBeGreaterThan(50)
})
