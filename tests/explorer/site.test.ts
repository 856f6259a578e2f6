/** The static site, built and opened in a real browser: the engine in a worker, a lesson, a crash, no other host. */
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { build } from 'vite'
import { describe, expect, test } from 'vitest'
import { hasBrowser, NO_BROWSER } from '../browser/pages.ts'
import { withDirectory } from '../support/directory.ts'
import { launch } from './browser.ts'

const configFile = fileURLToPath(new URL('../../site/vite.config.ts', import.meta.url))
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
}

/** As any static host does. */
const withSite = (body: (page: Page, url: string) => Promise<void>): Promise<void> =>
  withDirectory(async directory => {
    await build({ configFile, logLevel: 'error', build: { outDir: directory, emptyOutDir: true } })
    const server = createServer((request, response) => {
      const path = (request.url ?? '').split('?')[0]!
      // In a folder of the host, as pages of a project are.
      const file = join(directory, path.replace(/^\/xenondb\//, '').replace(/^$/, 'index.html'))
      const type = TYPES[extname(file)]
      if (!path.startsWith('/xenondb/') || type === undefined || !existsSync(file)) response.statusCode = 404
      else response.setHeader('content-type', type)
      response.end(response.statusCode === 404 ? '' : readFileSync(file))
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as { port: number }).port}/xenondb/`
    let browser: Browser | undefined
    try {
      browser = await launch()
      const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
      const wrong: string[] = []
      page.on('console', message => message.type() === 'error' && wrong.push(message.text()))
      page.on('pageerror', error => wrong.push(error.message))
      page.on('request', request => {
        if (!request.url().startsWith(url)) wrong.push(`a request to ${request.url()}`)
      })
      await page.goto(url)
      await body(page, url)
      expect(wrong).toEqual([])
    } finally {
      await browser?.close()
      server.closeAllConnections()
      server.close()
    }
  })

describe.skipIf(!hasBrowser)('the static site', () => {
  test('runs the engine in a worker: a lesson, a data set, damage, a crash and its recovery', () =>
    withSite(async (page, url) => {
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
})

if (!hasBrowser) console.warn(NO_BROWSER)
