/** A real browser, a page of ours in it, and workers of that page. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { rolldown } from 'rolldown'
import type { BrowserStore, Role, SharedEvent } from '../../src/browser/index.ts'
import { XenonError, type XenonErrorCode } from '../../src/errors.ts'
import type { Outcome } from './here/vitest.ts'

export const CHROMIUM: string = process.env.XENON_CHROMIUM ?? '/usr/bin/chromium'

export const hasBrowser: boolean = existsSync(CHROMIUM)
export const NO_BROWSER = 'skipped: there is no Chromium here (apt-get install chromium, or XENON_CHROMIUM says where)'

/** A file as one script, as a bundler makes it for a browser, and what it could not resolve. */
export async function bundle(file: string = 'worker.js'): Promise<{ code: string; external: string[] }> {
  const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
  // What stands in the place of Node and of vitest, for tests that run in a page.
  const here = { vitest: path('here/vitest.ts'), 'node:timers/promises': path('here/node.ts') }
  const built = await rolldown({
    input: path(file),
    platform: 'browser',
    tsconfig: path('../../tsconfig.json'),
    resolve: { alias: { ...here, '../../src/index.ts': path('here/node.ts') } },
  })
  const { output } = await built.generate({ format: 'esm', minify: true, codeSplitting: false })
  await built.close()
  const [{ code, imports, dynamicImports }] = output
  return { code, external: [...imports, ...dynamicImports] }
}

const PAGE = `<!doctype html><script type="module">
  const workers = []
  const calls = new Map()
  let last = 0
  window.durable = -1
  window.start = () => {
    const worker = new Worker('/worker.js', { type: 'module' })
    worker.onmessage = ({ data }) => {
      if ('durable' in data) { window.durable = data.durable; return }
      const { resolve } = calls.get(data.id)
      calls.delete(data.id)
      resolve(data)
    }
    return workers.push(worker) - 1
  }
  window.ask = (worker, task, ...args) => new Promise(resolve => {
    calls.set(++last, { resolve })
    workers[worker].postMessage({ id: last, task, args })
  })
  window.kill = worker => workers[worker].terminate()
  window.ready = true
</script>`

interface Answer {
  result?: unknown
  error?: { code: XenonErrorCode; message: string }
}

/** What became of the writes of a tab. */
export interface Written {
  done: string[]
  unknown: string[]
  failed: string[]
}

declare global {
  var ready: boolean
  // Of tab.js:
  var xenon: typeof import('../../src/browser/index.ts')
  // biome-ignore lint/suspicious/noExplicitAny: tests put values of all kinds into them.
  var stores: Map<string, BrowserStore<any>>
  var modelSteps: number
  var runModel: (name: string, seed: number, steps: number) => Promise<string>
  var importFrom: (name: string, path: string) => Promise<void>
  var textOf: (blob: Blob) => Promise<string>
  var heard: string[]
  var written: Written
  var openStore: (name: string, options?: object) => Promise<Role>
  var takeEvents: () => { event: SharedEvent; at: number }[]
  var write: (name: string, prefix: string, atATime: number) => Promise<void>
  var runContract: (role: 'owner' | 'follower', isSub: boolean) => Promise<Outcome>
  var codeOf: (work: () => Promise<unknown>) => Promise<string>
  var withoutLocks: <T>(work: () => Promise<T>) => Promise<T>
  var xenonWorker: (path: string) => unknown
  // Of the page of worker.js:
  var durable: number
  var start: () => number
  var ask: (worker: number, task: string, ...args: unknown[]) => Promise<Answer>
  var kill: (worker: number) => void
}

export class BrowserPage {
  readonly page: Page

  constructor(page: Page) {
    this.page = page
  }

  start(): Promise<number> {
    return this.page.evaluate(() => globalThis.start())
  }

  /** What a worker answers; rejects with its error. */
  async ask<T>(worker: number, task: string, ...args: unknown[]): Promise<T> {
    const { result, error } = await this.page.evaluate(
      ([to, what, given]) => globalThis.ask(to as number, what as string, ...(given as unknown[])),
      [worker, task, args] as const,
    )
    if (error !== undefined) throw new XenonError(error.code, error.message)
    return result as T
  }
}

/** Runs `body` with a page of an origin of its own. */
export async function withBrowser(
  body: (page: BrowserPage, open: () => Promise<BrowserPage>) => Promise<void>,
): Promise<void> {
  const { code } = await bundle()
  await withOrigin({ '/': PAGE, '/worker.js': code }, async open => {
    const opened = async (): Promise<BrowserPage> => new BrowserPage(await open())
    await body(await opened(), opened)
  })
}

/** Runs `body` with tabs of an origin that share databases: what `tab.js` puts on `window` is there. */
export async function withTabs(
  body: (open: () => Promise<Page>) => Promise<void>,
  files: Readonly<Record<string, string | Uint8Array>> = {},
  options: OriginOptions = {},
): Promise<void> {
  const tab = await bundle('tab.js')
  const worker = await bundle('../../dist/browser/worker.js')
  const own = {
    '/': '<!doctype html><script type="module" src="/tab.js"></script>',
    '/tab.js': tab.code,
    '/worker.js': worker.code,
    '/without-opfs.js': `delete StorageManager.prototype.getDirectory\n${worker.code}`,
  }
  await withOrigin({ ...own, ...files }, body, options)
}

/** Kills the process of a tab, as a crash does. */
export async function crash(tab: Page): Promise<void> {
  const session = await tab.context().newCDPSession(tab)
  const crashed = tab.waitForEvent('crash')
  session.send('Page.crash').catch(() => {})
  await crashed
}

export interface OriginOptions {
  /** What the browser keeps lies on the disk, and counts against a quota; else in its memory, as in private windows. */
  isOnDisk?: boolean
}

/** Serves files by their paths to a browser, which ends with `body`. */
export async function withOrigin(
  files: Readonly<Record<string, string | Uint8Array>>,
  body: (open: () => Promise<Page>) => Promise<void>,
  { isOnDisk = false }: OriginOptions = {},
): Promise<void> {
  const server = createServer(({ url = '/' }, response) => {
    response.statusCode = url in files ? 200 : 404
    response.setHeader('content-type', url.endsWith('.js') ? 'text/javascript' : 'text/html')
    response.end(files[url])
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const profile = mkdtempSync(join(tmpdir(), 'xenon-test-'))
  let close: (() => Promise<void>) | undefined
  try {
    let context: BrowserContext
    if (isOnDisk) {
      context = await chromium.launchPersistentContext(profile, LAUNCH)
      close = () => context.close()
    } else {
      const browser = await chromium.launch(LAUNCH)
      close = () => browser.close()
      context = await browser.newContext()
    }
    context.setDefaultTimeout(PATIENCE_MS)
    const opened = async (): Promise<Page> => {
      const page = await context.newPage()
      await page.goto(`http://127.0.0.1:${port}/`)
      await page.waitForFunction(() => globalThis.ready)
      return page
    }
    await body(opened)
  } finally {
    await close?.()
    server.closeAllConnections()
    server.close()
    rmSync(profile, { recursive: true, force: true })
  }
}

/** How long a page or the browser may take for anything: other tests, and other programs, want the processors too. */
const PATIENCE_MS = 110_000

const LAUNCH = {
  timeout: PATIENCE_MS,
  executablePath: CHROMIUM,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    // Each tab has a process of its own, as those that people open have.
    '--process-per-tab',
  ],
}
