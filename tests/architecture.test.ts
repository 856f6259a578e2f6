/** Imports go one way: a file knows only its own layer and those below. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root: string = fileURLToPath(new URL('../src', import.meta.url))

/** From the bottom up. A name with an ending is a file of `src/`, one without is a folder. */
const layers: readonly (readonly string[])[] = [
  ['errors.ts', 'types.ts', 'encoding.ts', 'bytes.ts', 'callbacks.ts', 'timers.ts'],
  ['storage'],
  ['pager'],
  ['log'],
  ['buffer'],
  ['freelist'],
  ['txn'],
  ['index'],
  // Every other file of `src/` belongs here, the facade.
  ['cursor.ts', 'database.ts'],
  ['salvage'],
  ['open.ts'],
  ['index.ts'],
  ['c.ts', 'client', 'keyv', 'level', 'server', 'testing', 'worker'],
  ['cli'],
]
const FACADE = layers.findIndex(names => names.includes('database.ts'))

/** The only ones that may know Node. */
const onNode = /^(storage\/(node|lock|claim|owner|identity|regular-file)|client\/.*|server\/.*|cli\/.*)\.ts$/

interface Import {
  from: string
  to: string
  typeOnly: boolean
}

const files: string[] = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(name =>
  name.endsWith('.ts'),
)
const imports: Import[] = files.flatMap(importsOf)

describe('imports', () => {
  test('were found', () => {
    expect(files.length).toBeGreaterThan(15)
    expect(imports.length).toBeGreaterThan(30)
    expect(imports.some(({ to }) => to.startsWith('node:'))).toBe(true)
  })

  test('go one way, from upper layers to lower ones', () => {
    const upward = imports
      .filter(({ to }) => to.endsWith('.ts'))
      .filter(({ from, to }) => layerOf(to) > layerOf(from))
      // The options name the storage; nothing of it is loaded for that.
      .filter(({ from, to, typeOnly }) => !(from === 'types.ts' && to === 'storage/storage.ts' && typeOnly))
    expect(upward.map(({ from, to }) => `${from} → ${to}`)).toEqual([])
  })

  test('make no circle', () => {
    const done = new Set<string>()
    const circles: string[] = []
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '))
      if (path.includes(file) || done.has(file)) return
      for (const { from, to, typeOnly } of imports) if (from === file && !typeOnly) visit(to, [...path, file])
      done.add(file)
    }
    for (const file of files) visit(file, [])
    expect(circles).toEqual([])
  })

  test('of node: stand only in the Node storage, its lock, and the command line', () => {
    const offenders = imports.filter(({ from, to }) => to.startsWith('node:') && !onNode.test(from))
    expect(offenders.map(({ from, to }) => `${from} → ${to}`)).toEqual([])
  })

  test('of the Node storage stand only where a database is opened, or found open', () => {
    const offenders = imports.filter(
      ({ from, to }) =>
        /^storage\/(node|lock)\.ts$/.test(to) &&
        !/^(open|index|storage\/.*|cli\/live-copy-verify)(\.ts)?$/.test(from),
    )
    expect(offenders.map(({ from, to }) => `${from} → ${to}`)).toEqual([])
  })

  test('of optional packages stand only in the adapter to each', () => {
    const { peerDependencies } = JSON.parse(readFileSync(join(root, '../package.json'), 'utf8'))
    const offenders = imports.filter(
      ({ from, to }) => to in peerDependencies && !from.startsWith(to === 'keyv' ? 'keyv/' : 'level/'),
    )
    expect(offenders.map(({ from, to }) => `${from} → ${to}`)).toEqual([])
  })

  test('of packages are those of package.json', () => {
    const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, '../package.json'), 'utf8'))
    const packages = new Set(
      imports.map(({ to }) => to).filter(to => !to.endsWith('.ts') && !to.startsWith('node:')),
    )
    const known = [...Object.keys(dependencies), ...Object.keys(peerDependencies)]
    for (const name of packages) expect(known).toContain(name)
  })
})

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
  const statement =
    /^\s*(import|export)\s+(type\s)?[^'"]*?from\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm
  return [...text.matchAll(statement)].map(match => {
    const target = (match[3] ?? match[4] ?? match[5])!
    const to = target.startsWith('.') ? relative(root, join(root, dirname(file), target)) : target
    return { from: file, to, typeOnly: match[2] !== undefined }
  })
}

function layerOf(file: string): number {
  const name = file.includes('/') ? file.slice(0, file.indexOf('/')) : file
  const found = layers.findIndex(names => names.includes(name))
  if (found < 0 && file.includes('/')) throw new Error(`${file} belongs to no layer`)
  return found < 0 ? FACADE : found
}
