/**
 * What the pages name is there: options, members, error codes, commands and flags of the command line, and other names
 * in the manner of code. And README leads to every page.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { cac } from 'cac'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { XenonLevel } from '../../src/adapters/level/index.ts'
import { registerOpening } from '../../src/cli/opening.ts'
import { Client } from '../../src/client/index.ts'
import { AsyncTransaction, type Database, memoryStorage, open, Watcher } from '../../src/index.ts'
import { Server } from '../../src/server/server.ts'
import { mutantNames } from '../../src/testing/index.ts'

const root: string = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string): string => readFileSync(`${root}${path}`, 'utf8')
const filesIn = (folder: string, end: string): string[] =>
  readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith(end) && !name.includes('node_modules'))
    .map(name => `${folder}/${name}`)

/** Says at its head that it describes what was not built. */
const NOT_BUILT = 'docs/records-in-leaves.md'
const pages: readonly string[] = ['README.md', 'examples/README.md', ...filesIn('docs', '.md')].filter(
  page => page !== NOT_BUILT,
)
const words = (text: string): string[] => text.match(/[A-Za-z_$][\w$]*/g) ?? []
const sources: string = filesIn('src', '.ts').map(read).join('\n')
const inSources: ReadonlySet<string> = new Set(words(sources))

interface Page {
  page: string
  /** What stands between backticks in its text. */
  spans: readonly string[]
  /** Its code blocks. */
  code: string
  /** Those of the shell. */
  shell: string
}

const parsed: readonly Page[] = pages.map(page => {
  const text = read(page)
  const fences = [...text.matchAll(/^ *```(\w*)[^\n]*\n([\s\S]*?)^ *```$/gm)]
  const prose = text.replace(/^ *```[\s\S]*?^ *```$/gm, '')
  return {
    page,
    spans: [...prose.matchAll(/(?<!`)`([^`]+)`(?!`)/g)].map(match => match[1]!.replace(/\s+/g, ' ')),
    code: fences.map(match => match[2]).join('\n'),
    shell: fences
      .filter(match => match[1] === 'sh')
      .map(match => match[2])
      .join('\n'),
  }
})

test('README leads to every page of docs/', () => {
  const links = new Set([...read('README.md').matchAll(/\]\(([^)#]+)/g)].map(match => match[1]))
  expect(filesIn('docs', '.md').filter(page => !links.has(page))).toEqual([])
})

test('examples/README.md names every example', () => {
  const page = read('examples/README.md')
  const there = readdirSync(`${root}examples`, { withFileTypes: true })
    .map(entry => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    .filter(name => name !== 'README.md')
  expect(there.length).toBeGreaterThan(10)
  expect(there.filter(name => !page.includes(`| \`${name}\` |`))).toEqual([])
})

test('every error code that a page names exists', () => {
  const [, union = ''] = /type XenonErrorCode =([^\n]*\n(?: {2}\|[^\n]*\n)*)/.exec(read('src/errors.ts')) ?? []
  // A warning of the process, and variables of the environment for the tests.
  const there = new Set([...union.matchAll(/'(XENON_\w+)'/g)].map(match => match[1]))
  expect(there.size).toBeGreaterThan(20)
  const others = ['XENON_INSPECT', 'XENON_RUNS', 'XENON_KILLS']
  for (const page of pages) {
    const named = read(page).match(/\bXENON_[A-Z_]+\b/g) ?? []
    expect({ page, unknown: named.filter(code => !there.has(code) && !others.includes(code)) }).toEqual({
      page,
      unknown: [],
    })
  }
})

test('the number of rules that are switched off is that of the mutants', () => {
  // 'no log' is there for examples/corrupt-write.ts.
  const rules = mutantNames.filter(name => name !== 'no log').length
  expect(read('docs/durability.md')).toContain(`${rules} rules that the promise rests on`)
  expect(read('README.md').replace(/\s+/g, ' ')).toContain(`any one of ${rules} rules`)
})

test.each(parsed)('$page: the files of the repository that it names exist', ({ page, spans }) => {
  const named = spans.flatMap(span => [...span.matchAll(/(?<![\w./-])(?:src|tests|bench|examples|docs)\/[\w./*-]+/g)])
  const lost = named
    .map(([path]) => path.replace(/[.,]$/, ''))
    .filter(path => !path.includes('*') && !existsSync(`${root}${path}`))
  expect({ page, lost }).toEqual({ page, lost: [] })
})

test('docs/design.md: files that it names without a folder exist', () => {
  const design = parsed.find(({ page }) => page === 'docs/design.md')!
  const there = new Set([...filesIn('src', '.ts'), ...filesIn('tests', '.ts')].map(path => path.replace(/.*\//, '')))
  const named = design.spans.filter(span => /^[\w-]+(?:\.test)?\.ts$/.test(span))
  expect(named.length).toBeGreaterThan(10)
  expect(named.filter(name => !there.has(name))).toEqual([])
})

/** Names of other packages, of Node and of frameworks that the pages speak of. */
const FOREIGN: ReadonlySet<string> = new Set([
  // Node, Vitest, Jest
  ...[
    'parentPort',
    'MessageChannel',
    'MessagePort',
    'trackUnmanagedFds',
    'resetModules',
    'afterEach',
    'testEnvironment',
    'waitFor',
  ],
  // Next.js, Express, Hono, Electron
  ...['serverExternalPackages', 'outputFileTracingIncludes', 'maxAge', 'createApp'],
  ...['requestSingleInstanceLock', 'userData', 'utilityProcess'],
  // TypeScript, Node's executables
  ...['exactOptionalPropertyTypes', 'skipLibCheck', 'mainFormat'],
  // ioredis, node-redis
  ...['scaleReads', 'rootNodes', 'topologyRefreshOnReconnectionAttemptStrategy'],
  // lmdb
  ...['noSync', 'useWritemap', 'noReadAhead', 'openDB', 'dupSort', 'putSync', 'removeSync'],
  ...['JavaScript', 'TypeScript', 'IndexedDB', 'RocksDB', 'LevelDB', 'MessagePack', 'StatefulSet', 'SQLite'],
])

test.each(parsed)('$page: names in the manner of code exist', ({ spans, code }) => {
  const own = new Set(words(code))
  const named = spans.filter(span => !/[/\\]|\.\w+$/.test(span)).flatMap(words)
  const unknown = named.filter(
    name => /[a-z][A-Z]/.test(name) && !inSources.has(name) && !own.has(name) && !FOREIGN.has(name),
  )
  expect(unknown).toEqual([])
})

/** The fields of an interface, those of the ones that it extends included. */
const fieldsOf = (name: string): string[] => {
  const found = new RegExp(`interface ${name}(?:<[^{]*?>)?(?:\\s+extends ([^{]+))? \\{([\\s\\S]*?)^\\}`, 'm').exec(
    sources,
  )
  if (found === null) throw new Error(`there is no interface ${name}`)
  const [, extended = '', body = ''] = found
  const inherited = [...extended.matchAll(/\b([A-Z]\w+)(?:<[^>]*>)?/g)]
    .map(match => match[1]!)
    .filter(each => /Options$|Encodings$/.test(each))
  const own = [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??:/gm)].map(match => match[1]!)
  return [...own, ...inherited.flatMap(fieldsOf)]
}

/** What the options of a call are, by what stands before its parenthesis. */
const optionsOf: Readonly<Record<string, readonly string[]>> = {
  open: ['OpenOptions'],
  connect: ['ConnectOptions'],
  createServer: ['ServerOptions'],
  backup: ['BackupOptions'],
  verify: ['VerifyOptions'],
  compact: ['ProgressOptions'],
  checkpoint: ['ProgressOptions'],
  restore: ['RestoreOptions'],
  convert: ['ConvertOptions'],
  salvage: ['SalvageOptions'],
  sub: ['SubOptions'],
  index: ['IndexOptions'],
  watch: ['WatchOptions'],
  put: ['AsyncPutOptions'],
  begin: ['AsyncTransactionOptions'],
  transact: ['TransactOptions'],
  transaction: ['TransactionOptions'],
  metricsText: ['MetricsOptions'],
}

test.each(parsed)('$page: options of calls exist', ({ spans }) => {
  const unknown: string[] = []
  for (const span of spans) {
    const [, call = '', given] = /(?:^|[ .])(\w+)\([^{}]*\{([^{}]*)\}\??\)/.exec(span) ?? []
    if (given === undefined || !Object.hasOwn(optionsOf, call)) continue
    if (/^(?:put|index)$/.test(call) && !/\bttl|lockTimeout|signal|unique|version/.test(given)) continue
    const known = new Set(optionsOf[call]!.flatMap(fieldsOf))
    const names = given.split(/,(?![^[]*\])/).map(each => /^\s*(\w+)/.exec(each)?.[1])
    for (const name of names) if (name !== undefined && !known.has(name)) unknown.push(`${span}: ${name}`)
  }
  expect(unknown).toEqual([])
})

/** The names in a column of the table below a heading. */
const tableBelow = (page: string, heading: string, column: number = 0): string[] => {
  const [, behind = ''] = read(page).split(`\n${heading}\n`)
  const [section = ''] = behind.split(/\n#+ /)
  const rows = section.split('\n').filter(line => line.startsWith('|'))
  // Behind the head and the line below it.
  const cells = rows.slice(2).map(row => row.split(/(?<!\\)\|/)[column + 1] ?? '')
  return cells.flatMap(cell => [...cell.matchAll(/`(\w+)(?:: [^`]*)?`/g)].map(match => match[1]!))
}

test('the tables of options hold all that there are, and no others', () => {
  expect(tableBelow('docs/api.md', '### Options').sort()).toEqual(fieldsOf('OpenOptions').sort())
  expect(tableBelow('docs/client.md', '## connect(options)').sort()).toEqual(fieldsOf('ConnectOptions').sort())
  const ofServer = tableBelow('docs/server.md', '## Options', 1).filter(name => name !== 'open')
  expect(ofServer.sort()).toEqual(fieldsOf('ServerOptions').sort())
})

describe('members', () => {
  const storage = memoryStorage()
  let db: Database
  const members: Record<string, ReadonlySet<string>> = {}
  const namesOf = (...objects: object[]): ReadonlySet<string> => {
    const names = new Set<string>()
    for (const object of objects)
      for (let at: object | null = object; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at))
        for (const name of Object.getOwnPropertyNames(at)) names.add(name)
    return names
  }

  beforeAll(() => {
    db = open('db', { storage })
    const sub = db.sub('sub')
    const index = sub.index('index', value => value)
    const tx = db.begin()
    const snapshot = db.snapshot()
    Object.assign(members, {
      db: namesOf(db),
      // In the page on adapters `db` is one of Level.
      level: namesOf(XenonLevel.prototype),
      sub: namesOf(sub),
      // `stats().index` is named so, too.
      index: namesOf(index, db.stats().index),
      tx: namesOf(tx, AsyncTransaction.prototype),
      snapshot: namesOf(snapshot),
      async: namesOf(db.async),
      client: namesOf(Client.prototype),
      server: namesOf(Server.prototype, { db }),
      watcher: namesOf(Watcher.prototype),
      cursor: namesOf(db.cursor(), db.cursor({})),
    })
    snapshot.close()
    tx.rollback()
  })

  afterAll(() => db.close())

  test.each(parsed)('$page: members of what it names db, tx, client … exist', ({ page, spans }) => {
    const unknown: string[] = []
    let named = 0
    for (const span of spans)
      for (const [, receiver, member] of span.matchAll(/(?<![\w/])(\w+)\.(\w+)\b(?!\.(?:md|ts|js)\b)/g)) {
        const known = members[receiver === 'db' && page === 'docs/adapters.md' ? 'level' : receiver!]
        if (known === undefined || /^(?:md|ts|js|test|mjs)$/.test(member!)) continue
        named++
        if (!known.has(member!)) unknown.push(`${span}: ${member}`)
      }
    expect(unknown).toEqual([])
    if (page === 'docs/api.md') expect(named).toBeGreaterThan(20)
  })
})

describe('the command line', () => {
  const commands = new Map<string, ReadonlySet<string>>()
  const dashed = (name: string): string => `--${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`

  beforeAll(async () => {
    const cli = cac('xenondb')
    registerOpening(cli)
    for (const file of filesIn('src/cli/commands', '.ts')) {
      const module = (await import(`${root}${file}`)) as Record<string, unknown>
      for (const [name, register] of Object.entries(module))
        if (/^register[A-Z]/.test(name)) (register as (to: typeof cli) => void)(cli)
    }
    const common = [...cli.globalCommand.options.map(option => dashed(option.name)), '--help', '--version']
    for (const command of cli.commands)
      commands.set(command.name, new Set([...common, ...command.options.map(option => dashed(option.name))]))
    commands.set('help', new Set(common))
    expect(commands.size).toBeGreaterThan(20)
  })

  test.each(parsed)('$page: its commands and their flags exist', ({ spans, shell }) => {
    const lines = [...spans, ...shell.split('\n')].map(line => line.replace(/\s#.*$/, ''))
    const unknown: string[] = []
    for (const line of lines) {
      const [, , name, given = ''] = /(^|[ |$])(?<!install )xenondb (\S+)(.*)$/.exec(line) ?? []
      if (name === undefined || !/^[a-z]/.test(name)) continue
      const flags = commands.get(name)
      if (flags === undefined) unknown.push(line)
      for (const [flag] of given.matchAll(/(?<=\s)--[a-z][\w-]*/g)) if (flags?.has(flag) === false) unknown.push(line)
    }
    expect(unknown).toEqual([])
  })

  /** Flags of other programs. */
  const foreign: readonly string[] = [
    // npm run crash, npm run bench
    ...['--seeds', '--nightly', '--seed', '--replay', '--points', '--images', '--aside', '--quick', '--records'],
    ...['--stores', '--repeats', '--no-warm-up', '--against'],
    // docker, rsync, esbuild, node
    ...['--init', '--pid', '--inplace', '--packages', '--external', '--experimental-vm-modules', '--watch'],
    ...[
      '--banner',
      '--bundle',
      '--outdir',
      '--platform',
      '--outfile',
      '--compile',
      '--build-sea',
      '--permission',
      '--allow-fs-read',
    ],
    // deno
    ...[
      '--dry-run',
      '--allow-read',
      '--allow-write',
      '--allow-env',
      '--allow-net',
      '--allow-sys',
      '--allow-run',
      '--allow-all',
    ],
  ]

  test.each(parsed)('$page: flags that stand alone exist', ({ spans }) => {
    const all = new Set([...commands.values()].flatMap(flags => [...flags]))
    const flags = spans.flatMap(span => [...span.matchAll(/(?<![\w-])--[a-z][\w-]*/g)].map(([flag]) => flag))
    expect(flags.filter(flag => !all.has(flag) && !foreign.includes(flag))).toEqual([])
  })
})
