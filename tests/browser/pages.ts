/** A real browser, a page of ours in it, and workers of that page. */
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { rolldown } from 'rolldown'
import { XenonError, type XenonErrorCode } from '../../src/errors.ts'

const CHROMIUM = process.env.XENON_CHROMIUM ?? '/usr/bin/chromium'

export const hasBrowser: boolean = existsSync(CHROMIUM)
export const NO_BROWSER = 'skipped: there is no Chromium here (apt-get install chromium, or XENON_CHROMIUM says where)'

/** The worker as one script, as a bundler makes it for a browser, and what it could not resolve. */
export async function bundle(): Promise<{ code: string; external: string[] }> {
  const built = await rolldown({ input: fileURLToPath(new URL('worker.js', import.meta.url)), platform: 'browser' })
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

declare global {
  var ready: boolean
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
  const server = createServer(({ url }, response) => {
    const isWorker = url === '/worker.js'
    response.setHeader('content-type', isWorker ? 'text/javascript' : 'text/html')
    response.end(isWorker ? code : PAGE)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  let browser: Browser | undefined
  try {
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    })
    const context = await browser.newContext()
    const opened = async (): Promise<BrowserPage> => {
      const page = await context.newPage()
      await page.goto(`http://127.0.0.1:${port}/`)
      await page.waitForFunction(() => globalThis.ready)
      return new BrowserPage(page)
    }
    await body(await opened(), opened)
  } finally {
    await browser?.close()
    server.closeAllConnections()
    server.close()
  }
}
