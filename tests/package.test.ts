/** What `npm run build` leaves in `dist`, which needs a fresh build. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { PACKAGE_VERSION } from '../src/server/version.ts'
import { withDirectory } from './support/directory.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
interface Entry {
  types: string
  'module-sync': string
  module: string
  require: string
  default: string
}

const { exports, bin, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const entries = Object.values<Entry | string>(exports).filter(entry => typeof entry === 'object')
const scripts = (readdirSync(join(root, 'dist'), { recursive: true }) as string[]).filter(name => name.endsWith('.js'))

test('every entry has its script and its types', () => {
  expect(entries.length).toBeGreaterThan(5)
  for (const file of [
    ...entries.flatMap(entry => Object.values<string>({ ...entry })),
    ...(Object.values(bin) as string[]),
  ])
    expect(existsSync(join(root, file)), file).toBe(true)
})

test('the code knows its version', () => {
  expect(PACKAGE_VERSION).toBe(version)
})

test('there is no script but the entries and what they share', () => {
  const named = [...entries.map(entry => entry.default), ...(Object.values(bin) as string[])].map(file => join(file))
  const others = scripts.filter(name => !name.startsWith(join('chunks', '/')))
  expect(others.map(name => join('dist', name)).sort()).toEqual(named.sort())
})

test('require gives the same module as import, and its CommonJS to whoever cannot load that', async () => {
  const code = `
    import { createRequire } from 'node:module'
    const require = createRequire(import.meta.url)
    for (const entry of ${JSON.stringify(Object.keys(exports).filter(entry => entry !== './package.json'))}) {
      const name = entry.replace('.', 'xenondb')
      const module = await import(name)
      if (require(name) !== module) throw new Error(name)
    }`
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    cwd: root,
    encoding: 'utf8',
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  const load = createRequire(import.meta.url)
  for (const entry of entries) {
    expect([entry['module-sync'], entry.module]).toEqual([entry.default, entry.default])
    const names = Object.keys(await import(pathToFileURL(join(root, entry.default)).href))
    expect(Object.keys(load(join(root, entry.require))).sort(), entry.require).toEqual(names.sort())
  }
})

test('the entries have one copy of each class', async () => {
  const load = (entry: string) => import(pathToFileURL(join(root, exports[entry].default)).href)
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

test('maps lead from each script to the sources in the package', () => {
  let sources = 0
  for (const name of scripts) {
    const file = join(root, 'dist', name)
    if (!existsSync(`${file}.map`)) continue
    for (const source of JSON.parse(readFileSync(`${file}.map`, 'utf8')).sources as string[]) {
      const path = resolve(dirname(file), source)
      expect(existsSync(path), `${name}: ${source}`).toBe(true)
      expect(path.startsWith(join(root, 'src')), path).toBe(true)
      sources++
    }
  }
  expect(sources).toBeGreaterThan(100)
})

test('relative links of the pages lead to what the package holds', () => {
  const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  const held = new Set((JSON.parse(stdout) as [{ files: { path: string }[] }])[0].files.map(({ path }) => path))
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
      if (!held.has(join(dirname(page), path))) broken.push(`${page}: ${link}`)
    }
  expect(broken).toEqual([])
  expect(links).toBeGreaterThan(50)
})
