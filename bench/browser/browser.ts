/**
 * xenondb in a browser beside idb (strict), browser-level and sqlite-wasm (SAH pool, WAL): each in a worker of its own,
 * one after the other; then what a page sees of a database that it shares with other tabs. One run.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { rolldown } from 'rolldown'
import type { Chart } from '../support/chart/chart.ts'
import { type Options, outputDirectory, positiveInteger } from '../support/options.ts'
import { browserDirectory, repositoryRoot } from '../support/paths.ts'
import { writeResults } from '../support/results.ts'
import { printTable } from '../support/table.ts'
import { makeTemporaryDirectory, removeTemporaryDirectory } from '../support/temp.ts'

const CHROMIUM = process.env.XENON_CHROMIUM ?? '/usr/bin/chromium'
const STORES = ['xenondb', 'idb (strict)', 'browser-level', 'sqlite-wasm (SAH pool, WAL)'] as const
type Store = (typeof STORES)[number]

interface Figures {
  /** Milliseconds, to the first answer. */
  open: number
  /** Microseconds of a record, of a durable put, of a get, of one of 1,000 gets at once, of a range of 100 records. */
  load: number
  put: number
  get: number
  batched: number
  range: number
  /** Milliseconds of 1,000 puts that become durable together. */
  thousand: number
}

interface PageFigures {
  /** Microseconds, one after the other, and with 256 in flight. */
  get: number
  pipelined: number
  put: number
  puts: number
}

declare global {
  var ready: boolean
  var measure: (name: string, records: number, calls: number) => Promise<Figures>
  var openShared: () => Promise<string>
  var measurePage: (calls: number) => Promise<PageFigures>
  var waitForOwner: () => Promise<number>
}

/** What was wanted: so many times as fast as idb and as sqlite-wasm. */
const GOALS: readonly [what: string, figure: keyof Figures, unit: string, idb: number, sqlite: number][] = [
  ['durable put', 'put', 'µs', 4, 1.4],
  ['1,000 puts, durable together', 'thousand', 'ms', 20, 10],
  ['get', 'get', 'µs', 30, 6],
  ['range of 100', 'range', 'µs', 15, 5],
]

export async function run(options: Options): Promise<number> {
  const records = positiveInteger('records', options.records, options.quick ? 2000 : 100_000)
  const calls = positiveInteger('calls', options.calls, options.quick ? 50 : 500)
  if (!existsSync(CHROMIUM)) {
    console.error('bench: there is no Chromium here (apt-get install chromium, or XENON_CHROMIUM says where)')
    return 1
  }
  installPeers()
  const server = await serve()
  try {
    const { port } = server.address() as { port: number }
    const stores = await measureStores(port, records, calls)
    const page = await withProfile(context => measurePages(context, port, calls * 4))
    report(stores, page)
    writeResults(outputDirectory(options), {
      benchmark: 'browser',
      options: { records, calls, chromium: await withProfile(async context => context.browser()?.version()) },
      data: { stores, page },
      charts: [chart(stores)],
    })
  } finally {
    server.closeAllConnections()
    server.close()
  }
  return 0
}

/** They are no dependency of xenondb: they are installed when they are first measured. */
function installPeers(): void {
  const installed = join(browserDirectory, 'node_modules', '.package-lock.json')
  const wanted = join(browserDirectory, 'package-lock.json')
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) return
  const { status } = spawnSync('npm', ['ci', '--no-fund', '--no-audit'], {
    cwd: browserDirectory,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (status !== 0) throw new Error('bench: npm ci in bench/browser failed; see above')
}

async function bundled(file: string): Promise<string> {
  const built = await rolldown({ input: file, platform: 'browser' })
  const { output } = await built.generate({ format: 'esm', minify: true, codeSplitting: false })
  await built.close()
  return output[0].code
}

async function serve(): Promise<Server> {
  const wasm = join(browserDirectory, 'node_modules/@sqlite.org/sqlite-wasm/dist/sqlite3.wasm')
  const files: Record<string, [type: string, content: string | Buffer]> = {
    '/': ['text/html', '<!doctype html><script type="module" src="/page.js"></script>'],
    '/page.js': ['text/javascript', await bundled(join(browserDirectory, 'page.js'))],
    '/bench-worker.js': ['text/javascript', await bundled(join(browserDirectory, 'worker.js'))],
    '/worker.js': ['text/javascript', await bundled(join(repositoryRoot, 'dist/browser/worker.js'))],
    '/sqlite3.wasm': ['application/wasm', readFileSync(wasm)],
  }
  const server = createServer(({ url = '/' }, response) => {
    const [type, content] = files[url] ?? ['text/plain', '']
    response.statusCode = url in files ? 200 : 404
    response.setHeader('content-type', type)
    response.end(content)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return server
}

const opened = async (page: Page, port: number): Promise<Page> => {
  await page.goto(`http://127.0.0.1:${port}/`)
  await page.waitForFunction(() => globalThis.ready)
  return page
}

/** A browser that keeps what it stores on the disk, as people's do; what private windows store lies in memory. */
async function withProfile<T>(work: (context: BrowserContext) => Promise<T>): Promise<T> {
  const directory = makeTemporaryDirectory()
  const args = ['--no-sandbox', '--disable-gpu']
  const context = await chromium.launchPersistentContext(directory, { executablePath: CHROMIUM, args })
  try {
    return await work(context)
  } finally {
    await context.close()
    removeTemporaryDirectory(directory)
  }
}

async function measureStores(port: number, records: number, calls: number): Promise<Record<Store, Figures>> {
  const figures: Partial<Record<Store, Figures>> = {}
  for (const store of STORES)
    figures[store] = await withProfile(async context => {
      const page = await opened(await context.newPage(), port)
      return await page.evaluate(given => measure(...given), [store, records, calls] as const)
    })
  return figures as Record<Store, Figures>
}

async function measurePages(
  context: BrowserContext,
  port: number,
  calls: number,
): Promise<{ owner: PageFigures; follower: PageFigures; takeoverMs: number }> {
  const owner = await opened(await context.newPage(), port)
  const follower = await opened(await context.newPage(), port)
  for (const page of [owner, follower]) await page.evaluate(() => openShared())
  const ofOwner = await owner.evaluate(calls => measurePage(calls), calls)
  const ofFollower = await follower.evaluate(calls => measurePage(calls), calls)
  const takeover = follower.evaluate(() => waitForOwner())
  await owner.close()
  return { owner: ofOwner, follower: ofFollower, takeoverMs: await takeover }
}

function report(
  stores: Record<Store, Figures>,
  { owner, follower, takeoverMs }: { owner: PageFigures; follower: PageFigures; takeoverMs: number },
): void {
  const cell = (value: number, unit: string): string => `${value.toFixed(value < 10 ? 2 : 0)} ${unit}`
  const row = (what: string, figure: keyof Figures, unit: string): string[] => [
    what,
    ...STORES.map(store => cell(stores[store][figure], unit)),
  ]
  printTable(
    ['in a worker', ...STORES],
    [
      row('open', 'open', 'ms'),
      row('load, a record', 'load', 'µs'),
      ...GOALS.map(([what, figure, unit]) => row(what, figure, unit)),
      row('one of 1,000 gets at once', 'batched', 'µs'),
    ],
  )
  const [ours, idb, sqlite] = [stores.xenondb, stores['idb (strict)'], stores['sqlite-wasm (SAH pool, WAL)']]
  const pass = (holds: boolean): string => (holds ? 'PASS' : 'SHORT')
  printTable(
    ['times as fast as', 'idb', 'wanted', '', 'sqlite-wasm', 'wanted', ''],
    GOALS.map(([what, figure, , least, leastOfSqlite]) => {
      // Its best way to get.
      const other = figure === 'get' ? Math.min(idb.get, idb.batched) : idb[figure]
      const [first, second] = [other / ours[figure], sqlite[figure] / ours[figure]]
      return [
        what,
        first.toFixed(1),
        `≥ ${least}`,
        pass(first >= least),
        second.toFixed(1),
        `≥ ${leastOfSqlite}`,
        pass(second >= leastOfSqlite),
      ]
    }),
  )
  printTable(
    ['from a page, µs', 'in the tab of the owner', 'in another tab', 'wanted', ''],
    [
      ['get, one after the other', owner.get, follower.get, 80],
      ['get, 256 in flight', owner.pipelined, follower.pipelined, 20],
      ['put, one after the other', owner.put, follower.put, undefined],
      ['put, 256 in flight', owner.puts, follower.puts, undefined],
    ].map(([what, here, there, most]) => [
      what as string,
      (here as number).toFixed(1),
      (there as number).toFixed(1),
      most === undefined ? '' : `≤ ${most}`,
      most === undefined ? '' : pass((here as number) <= (most as number)),
    ]),
  )
  console.log(`open ${ours.open.toFixed(1)} ms, wanted ≤ 10: ${pass(ours.open <= 10)}`)
  console.log(`the owner's tab was closed: the first answer of the next one after ${takeoverMs.toFixed(0)} ms`)
}

function chart(stores: Record<Store, Figures>): Chart {
  return {
    kind: 'bars',
    title: 'Durable puts in a worker of a browser',
    note: 'each waits for the one before. Lower is better',
    xLabel: '',
    yLabel: 'microseconds of a put',
    logY: true,
    categories: ['put'],
    series: STORES.map(name => ({ name, values: [stores[name].put] })),
  }
}
