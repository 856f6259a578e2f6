/** The rooms of `src/`, who may know whom, and that `src/README.md` says the same. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root: string = fileURLToPath(new URL('../src', import.meta.url))

/** From the ground up: each room, and the rooms that its files import. `keys.ts`, `errors.ts` and `types.ts` are for everybody. */
const rooms: ReadonlyMap<string, string> = new Map([
  ['keys.ts', ''],
  ['errors.ts', ''],
  ['types.ts', ''],
  ['runtime', ''],
  ['values', 'runtime'],
  ['storage', 'runtime'],
  ['pager', 'runtime storage'],
  ['log', 'runtime storage pager'],
  ['buffer', 'runtime storage pager log'],
  ['freelist', 'runtime pager log buffer'],
  ['txn', 'runtime values pager log buffer freelist'],
  ['tree', 'runtime pager log buffer freelist txn'],
  ['hash', 'runtime values pager log buffer freelist txn tree'],
  ['engine', 'runtime storage pager log buffer freelist txn tree hash'],
  ['records', 'runtime values pager buffer txn tree hash engine'],
  ['maintenance', 'runtime storage pager log buffer freelist txn hash engine records'],
  ['database', 'runtime values storage pager log txn hash engine records maintenance'],
  ['salvage', 'runtime values storage pager log buffer txn hash engine records maintenance database'],
  ['explorer', 'runtime values storage pager log buffer txn hash engine database salvage'],
  ['metrics', ''],
  ['client', 'runtime values'],
  ['cluster', 'runtime values storage maintenance database client'],
  ['server', 'runtime values storage records database metrics cluster'],
  ['index.ts', 'runtime values storage records maintenance database salvage server'],
  ['testing', 'runtime storage pager log buffer freelist txn engine records database'],
  ['worker', 'runtime values database'],
  ['owned', 'runtime values'],
  ['browser', 'runtime values storage maintenance database worker owned'],
  ['shared', 'runtime values storage database server client owned'],
  ['adapters', 'runtime values records database shared index.ts'],
  ['cli', 'runtime values storage pager log database explorer index.ts client cluster server shared'],
])
const FOR_EVERYBODY = ['keys.ts', 'errors.ts', 'types.ts']
/** What a browser or another process loads: these, and nothing but `values/`, `runtime/` and what is for everybody. */
const WITHOUT_ENGINE = /^client\/|^owned\/|^worker\/client\.ts$|^browser\/page\.ts$/

/** The only ones that may know Node. */
const onNode =
  /^(storage\/(node|lock|claim|owner|identity|regular-file|read-ahead|system)|client\/.*|server\/.*|explorer\/http|shared\/.*|cluster\/.*|cli\/.*)\.ts$/

interface Import {
  from: string
  to: string
  typeOnly: boolean
}

const files: string[] = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))
const imports: Import[] = files.flatMap(importsOf)

test('four files lie beside the rooms, and src/README.md lists all of them in this order', () => {
  const listed = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^\| `([\w.]+)\/?` \|/gm)]
  expect(listed.map(match => match[1])).toEqual([...rooms.keys()])
  const beside = readdirSync(root, { withFileTypes: true }).filter(entry => entry.isFile())
  expect(beside.map(entry => entry.name).sort()).toEqual(['README.md', 'errors.ts', 'index.ts', 'keys.ts', 'types.ts'])
})

describe('imports', () => {
  test('were found', () => {
    expect(files.length).toBeGreaterThan(15)
    expect(imports.length).toBeGreaterThan(30)
    expect(imports.some(({ to }) => to.startsWith('node:'))).toBe(true)
  })

  test('lead to the rooms that the table names, and to all of those', () => {
    const offenders = new Set<string>()
    const used = new Set<string>()
    for (const { from, to } of imports.filter(({ to }) => to.endsWith('.ts'))) {
      const [room, other] = [roomOf(from), roomOf(to)]
      used.add(`${room} → ${other}`)
      if (room === other || FOR_EVERYBODY.includes(other)) continue
      if (!namesOf(room).includes(other)) offenders.add(`${from} → ${to}`)
    }
    expect([...offenders]).toEqual([])
    const unused = [...rooms.keys()].flatMap(room =>
      namesOf(room)
        .map(other => `${room} → ${other}`)
        .filter(arrow => !used.has(arrow)),
    )
    expect(unused).toEqual([])
  })

  test('of the table run from a room to those below it', () => {
    const order = [...rooms.keys()]
    for (const room of order)
      for (const other of namesOf(room))
        expect(order.indexOf(other), `${room} → ${other}`).toBeLessThan(order.indexOf(room))
  })

  test('of those who work without an engine lead to no engine, by whatever way', () => {
    const light = ['client', 'worker', 'owned', 'values', 'runtime', ...FOR_EVERYBODY]
    const reached = new Set<string>()
    const offenders: string[] = []
    const visit = (file: string): void => {
      if (reached.has(file)) return
      reached.add(file)
      for (const { from, to, typeOnly } of imports.filter(({ from, to }) => from === file && to.endsWith('.ts'))) {
        // The page of a browser has no engine, its worker has: the room is that of both.
        if (roomOf(from) === 'browser' && typeOnly) continue
        if (roomOf(from) === 'browser' && roomOf(to) === 'browser') visit(to)
        else if (light.includes(roomOf(to))) visit(to)
        else offenders.push(`${from} → ${to}`)
      }
    }
    for (const file of files.filter(name => WITHOUT_ENGINE.test(name))) visit(file)
    expect(offenders).toEqual([])
  })

  test('make no circle, those of types included', () => {
    const done = new Set<string>()
    const circles: string[] = []
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '))
      if (path.includes(file) || done.has(file)) return
      for (const { from, to } of imports) if (from === file) visit(to, [...path, file])
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
        !/^(index|shared\/(live|process-member)|storage\/.*|cli\/live-copy-verify)(\.ts)?$/.test(from),
    )
    expect(offenders.map(({ from, to }) => `${from} → ${to}`)).toEqual([])
  })

  test('of optional packages stand only in the file or adapter that needs each', () => {
    const { peerDependencies } = JSON.parse(readFileSync(join(root, '../package.json'), 'utf8'))
    const places: Readonly<Record<string, string>> = {
      keyv: 'adapters/keyv/',
      unstorage: 'adapters/unstorage/',
      'abstract-level': 'adapters/level/',
      'prom-client': 'server/service/metrics.ts',
      '@nats-io/jetstream': 'cluster/nats/',
      '@nats-io/kv': 'cluster/nats/',
      '@nats-io/nats-core': 'cluster/nats/',
      '@nats-io/obj': 'cluster/nats/',
      '@nats-io/transport-node': 'cluster/nats/',
    }
    const offenders = imports.filter(
      ({ from, to }) => to in peerDependencies && !from.startsWith(places[to] ?? 'nowhere'),
    )
    expect(offenders.map(({ from, to }) => `${from} → ${to}`)).toEqual([])
  })

  test('of packages are those of package.json, or of the two that the bundle holds', () => {
    const { dependencies, devDependencies, peerDependencies } = JSON.parse(
      readFileSync(join(root, '../package.json'), 'utf8'),
    )
    const held = ['crc-32', 'lru-cache']
    expect(Object.keys(devDependencies)).toEqual(expect.arrayContaining(held))
    const packages = new Set(imports.map(({ to }) => to).filter(to => !to.endsWith('.ts') && !to.startsWith('node:')))
    const known = [...held, ...Object.keys(dependencies), ...Object.keys(peerDependencies)]
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

function roomOf(file: string): string {
  const room = file.includes('/') ? file.slice(0, file.indexOf('/')) : file
  if (!rooms.has(room)) throw new Error(`src/${file} lies in no room of the table`)
  return room
}

const namesOf = (room: string): string[] =>
  rooms
    .get(room)!
    .split(' ')
    .filter(name => name !== '')
