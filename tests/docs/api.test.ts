/** docs/api.md names everything that there is. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import * as c from '../../src/adapters/c.ts'
import * as xenondb from '../../src/index.ts'
import * as testing from '../../src/testing/index.ts'

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const page: string = read('docs/api.md')
const isNamed = (name: string): boolean => new RegExp(`\\b${name}\\b`).test(page)
const missing = (names: readonly string[]): readonly string[] => names.filter(name => !isNamed(name))

test.each([
  ['xenondb', xenondb],
  ['xenondb/c', c],
  ['xenondb/testing', testing],
])('the exports of %s are in docs/api.md', (_, module) => {
  expect(missing(Object.keys(module))).toEqual([])
})

/** Public for the rest of `src/` only. */
const internal: readonly string[] = ['constructor', 'currentKey']

test('the options of open are in docs/api.md', () => {
  const [options = ''] = /interface OpenOptions[^}]*/.exec(read('src/database/options.ts')) ?? []
  const names = [...options.matchAll(/^ {2}(\w+)\?:/gm)].map(match => match[1]!)
  expect(names.length).toBeGreaterThan(12)
  expect(missing(names)).toEqual([])
})

test('the error codes are in docs/api.md', () => {
  const codes = [...read('src/errors.ts').matchAll(/\| '(XENON_\w+)'/g)].map(match => match[1]!)
  expect(codes.length).toBeGreaterThan(15)
  expect(missing(codes)).toEqual([])
})

test.each([
  'database/database',
  'database/key-space',
  'database/sub',
  'database/transaction',
  'database/async-transaction',
  'database/async-store',
  'database/snapshot',
  'database/secondary-index',
  'database/cursor',
  'records/range-iterator',
])('the public members of the classes in src/%s.ts are in docs/api.md', name => {
  const [...classes] = read(`src/${name}.ts`).matchAll(/^export (?:abstract )?class [\s\S]*?^}/gm)
  const source = classes.join('\n').replace(/\/\*\*[^/]*@internal[\s\S]*?\*\/\n.*\n/g, '')
  const members = source.matchAll(/^ {2}(?:async )?(?:get |readonly )?([a-z]\w*)(?:<.*?>)?[(:]/gm)
  const names = [...members].map(match => match[1]!).filter(member => !internal.includes(member))
  expect(names.length).toBeGreaterThan(3)
  expect(missing(names)).toEqual([])
})
