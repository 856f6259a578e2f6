/** Slow motion, themes, heat, deadlocks and the walk along a path, in a real browser. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Explorer } from '../../src/explorer/api.ts'
import { serveExplorer } from '../../src/explorer/http.ts'
import { type Database, nodeStorage, open } from '../../src/index.ts'
import { hasBrowser, NO_BROWSER } from '../browser/pages.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { launch } from './browser.ts'

const LIMIT_MS = 60_000
const bytes = (text: string): Buffer => Buffer.from(text)

let browser: Browser | undefined
beforeAll(async () => {
  if (hasBrowser) browser = await launch()
  else console.warn(NO_BROWSER)
}, LIMIT_MS)
afterAll(() => browser?.close())

interface Subject {
  readonly page: Page
  readonly url: string
  readonly db: Database<Uint8Array, Uint8Array>
}

const withPage = (body: (subject: Subject) => Promise<void>): Promise<void> =>
  withDirectory(async parent => {
    const directory = `${parent}/db`
    const db = open<Uint8Array>(directory, { valueEncoding: 'binary', keyEncoding: 'binary' })
    const tx = db.begin()
    for (let i = 0; i < 300; i++) tx.put(bytes(`city/${i}`), bytes(`value ${i}`))
    tx.commit()
    const explorer = new Explorer({ directory, storage: nodeStorage, db, writable: true })
    const server = await serveExplorer(explorer, 0)
    const context = await browser!.newContext({ viewport: { width: 360, height: 700 }, colorScheme: 'dark' })
    const page = await context.newPage()
    page.setDefaultTimeout(LIMIT_MS)
    const wrong: string[] = []
    page.on('console', message => message.type() === 'error' && wrong.push(message.text()))
    page.on('pageerror', error => wrong.push(error.message))
    try {
      await page.goto(server.url)
      await page.waitForSelector('[data-use=total]')
      await body({ page, url: server.url, db })
      expect(wrong).toEqual([])
    } finally {
      await context.close()
      await server.close()
      await explorer.close()
      await expectVerified(db)
      db.close()
    }
  })

/** What a screen reader would find no name for. */
const NAMELESS = `[...document.querySelectorAll('button, a, input, select, canvas, svg, progress, meter, nav, table')]
  .filter(element => {
    if (element.closest('[aria-hidden=true]') !== null || element.closest('[role=img]') !== null && !element.matches('[role=img]')) return false
    const label = element.labels?.[0]?.textContent ?? element.querySelector('caption')?.textContent ?? ''
    const own = element.matches('button, a') ? element.textContent : ''
    return [element.ariaLabel, element.title, label, own].every(name => (name ?? '').trim() === '')
  })
  .map(element => element.outerHTML.slice(0, 120))`

const background = (page: Page): Promise<string> => page.evaluate('getComputedStyle(document.body).backgroundColor')
const DARK = 'rgb(16, 21, 28)'
const LIGHT = 'rgb(251, 252, 253)'

describe.skipIf(!hasBrowser)('the page', { timeout: LIMIT_MS }, () => {
  test('is dark or light as the system is or as was chosen, also after a reload', () =>
    withPage(async ({ page }) => {
      expect(await background(page)).toBe(DARK)
      await page.emulateMedia({ colorScheme: 'light' })
      await expect.poll(() => background(page), { timeout: LIMIT_MS }).toBe(LIGHT)
      await page.selectOption('.theme select', 'dark')
      await expect.poll(() => background(page), { timeout: LIMIT_MS }).toBe(DARK)
      await page.reload()
      await page.waitForSelector('.theme')
      expect([await background(page), await page.inputValue('.theme select')]).toEqual([DARK, 'dark'])
    }))

  test('plays what the engine does event by event, and all views show that moment', () =>
    withPage(async ({ page, url, db }) => {
      await page.click('text=Slow motion')
      await page.click('.player >> text=Pause')
      db.put(bytes('cat'), bytes('a small feline'))
      // In the page, since each click from here takes long.
      const step = (until: RegExp): Promise<unknown> =>
        page.evaluate(`new Promise(done => {
          const next = () => {
            if (${until}.test(document.querySelector('.player .event').textContent)) return done()
            document.querySelector('[aria-label="One event on"]').click()
            requestAnimationFrame(next)
          }
          next()
        })`)
      await step(/is used/)
      // What there is by now is not seen before its moment has come.
      await page.goto(`${url}#/key/cat`)
      await page.locator('.verdict.absent').waitFor()
      await step(/is changed, a transaction in itself: .*a small feline/)
      await page.locator('.verdict:not(.absent)').waitFor()
      await page.locator('.way li.now').first().waitFor()
      await page.goto(`${url}#/log`)
      await page.waitForSelector('.log-page')
      const end = async (): Promise<string> =>
        await page
          .locator('.figures dt', { hasText: /^ends at$/ })
          .locator('xpath=../dd')
          .innerText()
      const before = await end()
      await step(/A group of .* bytes is written to the log/)
      expect(await end()).not.toBe(before)
      await step(/The log is synced up to/)
      await page.click('[aria-label="One event back"]')
      await page.click('[aria-label="One event back"]')
      expect(await end()).toBe(before)
      for (const view of ['map', 'cache', 'block/1', 'transactions', 'work']) {
        await page.goto(`${url}#/${view}`)
        await page.waitForSelector('main h2')
        const wide = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
        expect([view, wide]).toEqual([view, 0])
      }
      await page.click('text=End slow motion')
      await page.locator('.player >> text=Slow motion').waitFor()
    }))

  test('walks along the path of a key, and shows how warm blocks are', () =>
    withPage(async ({ page, url, db }) => {
      await page.check('text=heat')
      await page.waitForSelector('.heat-used')
      db.put(bytes('city/5'), bytes('other'))
      await page.goto(`${url}#/key/city%2F5`)
      await page.click('text=Walk the path')
      for (const step of ['1', '2', '3']) await page.locator('output', { hasText: `step ${step} of` }).waitFor()
      await page.locator('.way li.now').first().waitFor()
    }))

  test('shows a deadlock as it was found, and a checkpoint', () =>
    withPage(async ({ page, url, db }) => {
      const [one, two] = [await db.async.begin(), await db.async.begin()]
      await one.put(bytes('a'), bytes('1'))
      await two.put(bytes('b'), bytes('1'))
      const waits = one.put(bytes('b'), bytes('2'))
      await expect(two.put(bytes('a'), bytes('2'))).rejects.toThrow(/deadlock/)
      await waits
      await one.commit()
      await db.checkpoint()
      await page.goto(`${url}#/transactions`)
      const told = page.locator('.deadlocks li p')
      await told.waitFor()
      expect(await told.innerText()).toMatch(
        /transaction (\d+) waited for transaction (\d+) waited for .*Transaction \1 was ended/,
      )
      expect(await page.locator('.deadlocks svg[role=img] circle.ended').count()).toBe(1)
      await page.goto(`${url}#/log`)
      await page.locator('.checkpoint', { hasText: 'moved the redo mark' }).waitFor()
    }))

  test('names all that can be used or seen, leads past its header, and opens blocks from the pool by the keyboard', () =>
    withPage(async ({ page, url }) => {
      const ways = ['map', 'block/1', 'block/103', 'key/city%2F5', 'log', 'cache', 'transactions', 'work']
      for (const way of ways) {
        await page.goto(`${url}#/${way}`)
        await page.waitForSelector('main article')
        expect([way, await page.evaluate(NAMELESS)]).toEqual([way, []])
        expect(await page.title()).toMatch(/^[A-Z].* · xenondb explorer$/)
      }
      await page.goto(`${url}#/cache`)
      await page.reload()
      await page.waitForSelector('canvas.frames')
      await page.keyboard.press('Tab')
      await page.keyboard.press('Enter')
      expect(await page.evaluate('document.activeElement.id')).toBe('content')
      await page.keyboard.press('Tab')
      await page.keyboard.press('ArrowRight')
      await page.keyboard.press('ArrowRight')
      await page.locator('.status', { hasText: 'frame 2: block' }).waitFor()
      await page.keyboard.press('Enter')
      await page.waitForSelector('.block-page')
    }))
})
