/**
 * The static site, built and opened in a real browser: the engine in a worker, a lesson, a crash, storage that stays, the
 * demonstrations, the documents beside it, no other host.
 */

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasBrowser, NO_BROWSER } from '../browser/pages.ts'
import { launch } from './browser.ts'

const configFile = fileURLToPath(new URL('../../site/vite.config.ts', import.meta.url))
const LIMIT_MS = 60_000
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
}

let browser: Browser | undefined
let folder = ''
let server: Server | undefined
let url = ''

beforeAll(async () => {
  if (!hasBrowser) return console.warn(NO_BROWSER)
  folder = mkdtempSync(join(tmpdir(), 'xenon-site-'))
  await build({ configFile, logLevel: 'error', build: { outDir: folder, emptyOutDir: true } })
  server = createServer((request, response) => {
    // In a folder of the host, as pages of a project are.
    const path = new URL(request.url ?? '/', 'http://site').pathname.replace(/\/$/, '/index.html')
    const file = join(folder, path.replace(/^\/xenondb\//, ''))
    const type = TYPES[extname(file)]
    if (!path.startsWith('/xenondb/') || type === undefined || !existsSync(file))
      return void response.writeHead(404).end()
    response.writeHead(200, { 'content-type': type }).end(readFileSync(file))
  })
  await new Promise<void>(resolve => server!.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as { port: number }).port}/xenondb/`
  browser = await launch()
}, 2 * LIMIT_MS)

afterAll(async () => {
  await browser?.close()
  server?.close()
  if (folder !== '') rmSync(folder, { recursive: true })
})

/** A page on which nothing may go wrong, and which asks no other host for anything. */
const withPage = async (body: (page: Page, context: BrowserContext) => Promise<void>, prepare = ''): Promise<void> => {
  const context = await browser!.newContext({ viewport: { width: 360, height: 720 } })
  try {
    if (prepare !== '') await context.addInitScript(prepare)
    const page = await context.newPage()
    page.setDefaultTimeout(LIMIT_MS)
    const wrong: string[] = []
    page.on('console', message => message.type() === 'error' && wrong.push(message.text()))
    page.on('pageerror', error => wrong.push(error.message))
    page.on('request', request => {
      if (!request.url().startsWith(url)) wrong.push(`a request to ${request.url()}`)
    })
    await body(page, context)
    expect(wrong).toEqual([])
  } finally {
    await context.close()
  }
}

const said = (page: Page, text: string): Promise<void> => page.locator('.do output', { hasText: text }).waitFor()
const isNarrow = (page: Page): Promise<unknown> =>
  page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')

describe.skipIf(!hasBrowser)('the site', { timeout: LIMIT_MS }, () => {
  test('runs the engine in a worker: a lesson, a data set, damage, a crash and its recovery', () =>
    withPage(async page => {
      await page.goto(url)
      await page.waitForSelector('.lesson')
      expect(await page.locator('.task.done').count()).toBe(0)
      await page.click('.do >> text="put"')
      await page.locator('.task.done').waitFor()
      await page.fill('#search', 'cat')
      await page.locator('#offers [role=option]').first().click()
      await page.locator('.verdict a').click()
      await page.waitForSelector('.block-page tr.pointed')
      await page.goto(`${url}#/lessons/1`)
      await page.locator('.task.done').nth(1).waitFor()

      await page.click('.do >> text="load cities"')
      await page.locator('.do output', { hasText: 'put 6,001 cities' }).waitFor()
      await page.goto(`${url}#/key/${encodeURIComponent('FR/Paris/2988507')}`)
      await page.locator('.verdict', { hasText: 'It lies in block' }).waitFor()

      await page.goto(`${url}#/transactions`)
      await page.click('text=begin a transaction')
      await page.waitForSelector('.doing select')
      await page.fill('.doing input[aria-label=Key]', 'lost')
      await page.click('.doing >> text="put"')
      await page.locator('.doing output', { hasText: 'put is done' }).waitFor()
      await page.fill('.do input[aria-label=Key]', 'kept')
      await page.click('.do >> text="put"')
      await page.locator('.do output', { hasText: 'it is durable' }).waitFor()
      await page.goto(`${url}#/crash`)
      await page.click('.danger')
      await page.click('text="to the end"')
      await page
        .locator('.verdict', { hasText: /Undo: transaction \d+ has no end in the log.* 6,003 records are there/ })
        .waitFor()
      expect(await page.locator('.redo .redone').count()).toBeGreaterThan(0)
      await page.goto(`${url}#/key/lost`)
      await page.locator('.verdict.absent').waitFor()
      await page.goto(`${url}#/key/kept`)
      await page.locator('.verdict', { hasText: 'It lies in block' }).waitFor()

      await page.fill('.do input[aria-label="Block to damage"]', '103')
      await page.click('.do >> text="damage it"')
      await page.locator('.do output', { hasText: 'a bit of block 103' }).waitFor()
      await page.click('.do >> text="verify"')
      await page.locator('.do output', { hasText: 'block 103: wrong checksum' }).waitFor()
      await page.goto(`${url}#/map`)
      await page.locator('[data-use=damaged]:text-is("1")').waitFor()
    }))

  test('keeps a database in the files of the browser over a reload', () =>
    withPage(async page => {
      await page.goto(url)
      await page.selectOption('.do select', 'opfs')
      await said(page, 'it is there again after a reload')
      await page.click('.do >> text="put"')
      await said(page, 'put cat: it is durable now')
      await page.reload()
      await said(page, 'it is there again after a reload')
      await page.click('.do >> text="get"')
      await said(page, 'cat is a small feline')
      await page.click('.do >> text="verify"')
      await said(page, 'sound: 1 records')
      await page.goto(`${url}#/crash`)
      await page.click('text=crash now')
      await page.locator('.problem', { hasText: 'choose the storage "memory"' }).waitFor()
      await page.click('.do >> text="begin anew"')
      await said(page, 'an empty database')
      await page.click('.do >> text="get"')
      await said(page, 'there is no cat')
      await page.selectOption('.do select', 'memory')
      await said(page, 'gone after a reload')
      await page.click('.do >> text="verify"')
      await said(page, 'sound: 0 records')
    }))

  test('says so where the browser has no such files, and goes on in memory', () =>
    withPage(async page => {
      // As in a private window of some browsers, in the worker too.
      await page.route('**/assets/worker-*.js', async route => {
        const response = await route.fetch()
        const hidden = 'Object.defineProperty(navigator, "storage", { value: undefined });'
        await route.fulfill({ response, body: `${hidden}${await response.text()}` })
      })
      await page.goto(url)
      await page.selectOption('.do select', 'opfs')
      await said(page, 'there is no Origin Private File System here')
      expect(await page.inputValue('.do select')).toBe('memory')
      await page.click('.do >> text="put"')
      await said(page, 'put cat: it is durable now')
    }))

  test('shows step by step that gaps are filled, and what the cache is worth', () =>
    withPage(async page => {
      await page.goto(`${url}#/demos`)
      for (const step of ['begin with', 'add 128 records', 'delete all', 'add 128 others'])
        await page.click(`.demos button:has-text("${step}"):enabled`)
      await page.locator('.verdict:not(.absent)', { hasText: 'The gaps were filled' }).waitFor()
      expect(await page.locator('.demos tbody tr').count()).toBe(4)
      await page.check('text=slow against cached')
      for (const step of ['load the cities', '16 frames', 'nothing lies yet', 'the same again'])
        await page.click(`.demos button:has-text("${step}"):enabled`)
      await page.locator('.demos button', { hasText: 'once more' }).waitFor()
      const misses = (await page.locator('.demos tbody tr td:nth-child(3)').allInnerTexts()).map(text =>
        Number(text.replaceAll(',', '')),
      )
      const [small = 0, cold = 0, warm = -1] = misses
      expect(warm).toBe(0)
      expect(small).toBeGreaterThan(2 * cold)
      expect(await isNarrow(page)).toBe(0)
    }))

  test('has the documents beside it, linked from the lessons', () =>
    withPage(async page => {
      await page.goto(`${url}#/lessons/3`)
      await page.click('text=from the key to its bucket, in the tour')
      expect(await page.locator(':target').innerText()).toBe('3. From the key to its bucket')
      expect(await isNarrow(page)).toBe(0)
      await page.goto(`${url}docs/explorer.html`)
      expect(await page.evaluate('[...document.images].every(image => image.naturalWidth > 0)')).toBe(true)
      expect(await isNarrow(page)).toBe(0)
    }))
})
