/** The page in a real browser: what it shows are the figures of `stats`, `verify` and the decoder; stored markup is text. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Explorer } from '../../src/explorer/api.ts'
import { viewBlock } from '../../src/explorer/block.ts'
import { serveExplorer } from '../../src/explorer/http.ts'
import { viewLog } from '../../src/explorer/log.ts'
import { pathOf } from '../../src/explorer/path.ts'
import { BlockSource } from '../../src/explorer/source.ts'
import { spaceAt } from '../../src/explorer/space.ts'
import { type Database, nodeStorage, open } from '../../src/index.ts'
import { hasBrowser, NO_BROWSER } from '../browser/pages.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { launch } from './browser.ts'

const HOSTILE = [
  '<img src=x onerror="window.hacked=1">',
  '<script>window.hacked=1</script>',
  '"><svg onload=window.hacked=1>',
  '{{constructor.constructor("window.hacked=1")()}}',
  'javascript:window.hacked=1',
  '\u202egnp.exe\u0000\u001b[31m',
]
const PARIS = 'FR/Paris/2988507'

let browser: Browser | undefined
beforeAll(async () => {
  if (hasBrowser) browser = await launch()
  else console.warn(NO_BROWSER)
})
afterAll(() => browser?.close())

interface Subject {
  readonly page: Page
  readonly url: string
  readonly db: Database<Uint8Array, Uint8Array>
  readonly source: BlockSource
}

const bytes = (text: string): Buffer => Buffer.from(text)

/** A page of a known database; nothing may go wrong in it, and it may ask nobody else for anything. */
const withPage = (writable: boolean, body: (subject: Subject) => Promise<void>): Promise<void> =>
  withDirectory(async parent => {
    const directory = `${parent}/db`
    const db = open<Uint8Array>(directory, { valueEncoding: 'binary', keyEncoding: 'binary' })
    const tx = db.begin()
    for (let i = 0; i < 3_000; i++) tx.put(bytes(`XX/City ${i}/${i}`), bytes(`{"population":${i}}`))
    for (const city of [PARIS, 'FR/Paris-l’Hôpital/2988502', 'US/Paris/4402452']) tx.put(bytes(city), bytes('{"a":1}'))
    for (const text of HOSTILE) tx.put(bytes(text), bytes(text))
    tx.put(bytes('large'), new Uint8Array(30_000).fill(60))
    tx.commit()
    for (let i = 0; i < 30; i++) db.delete(bytes(`XX/City ${i * 7}/${i * 7}`))
    db.sub('<b>sub</b>').put('in <i>sub</i>', 'x')
    const explorer = new Explorer({ directory, storage: nodeStorage, db, writable })
    const server = await serveExplorer(explorer, 0)
    const context = await browser!.newContext({ viewport: { width: 1280, height: 900 } })
    const page = await context.newPage()
    const wrong: string[] = []
    page.on('console', message => message.type() === 'error' && wrong.push(message.text()))
    page.on('pageerror', error => wrong.push(error.message))
    page.on('request', request => {
      if (!request.url().startsWith(server.url)) wrong.push(`a request to ${request.url()}`)
    })
    try {
      await page.goto(server.url)
      await body({ page, url: server.url, db, source: BlockSource.ofEngine(directory, db.layers) })
      expect(wrong).toEqual([])
      expect(await page.evaluate(() => 'hacked' in globalThis)).toBe(false)
    } finally {
      await context.close()
      await server.close()
      await explorer.close()
      await expectVerified(db)
      db.close()
    }
  })

const textOf = (page: Page, selector: string): Promise<string> => page.locator(selector).first().innerText()
const number = (text: string): number => Number(text.replaceAll(',', ''))
/** The value of a figure by its name. */
const figure = (page: Page, name: string): Promise<string> =>
  page
    .locator('.figures dt', { hasText: new RegExp(`^${name}$`) })
    .first()
    .locator('xpath=../dd')
    .innerText()

describe.skipIf(!hasBrowser)('the page', () => {
  test('has a map whose figures are those of verify', () =>
    withPage(false, async ({ page, db }) => {
      const { blocks } = await db.verify()
      await page.locator('[data-use=total]:not(:text-is("0"))').waitFor()
      const of = async (use: string): Promise<number> => number((await page.textContent(`[data-use="${use}"]`)) ?? '')
      const { total, tree, ...others } = blocks
      expect(await of('total')).toBe(total)
      expect((await of('leaf')) + (await of('inner'))).toBe(tree)
      for (const [use, count] of Object.entries(others)) expect([use, await of(use)]).toEqual([use, count])
      expect(await of('damaged')).toBe(0)
    }))

  test('leads from its search to the block of a key, by the keyboard alone', () =>
    withPage(false, async ({ page, source }) => {
      await page.waitForSelector('[data-use="total"]')
      await page.keyboard.press('/')
      await page.keyboard.type('paris')
      await page.locator('#offers [role=option]').nth(2).waitFor()
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('ArrowDown')
      expect(await textOf(page, '#offers [aria-selected=true]')).toContain(PARIS)
      await page.keyboard.press('Enter')
      const path = pathOf(source, spaceAt(source, []), bytes(PARIS))
      const { block, slot } = path.record!
      expect(await textOf(page, '.verdict')).toBe(
        `It lies in block ${block.toLocaleString('en-US')}, slot ${slot}. A lookup reads ${path.touched.length} ${path.touched.length === 1 ? 'block' : 'blocks'} to find it.`,
      )
      expect(await page.locator('.ways section').count()).toBe(2)
      expect(await page.locator('.ways section').last().locator('li').count()).toBe(path.tree!.length)
      await page.locator('.verdict a').focus()
      await page.keyboard.press('Enter')
      await page.waitForSelector('.block-page tr.pointed')
      expect(await textOf(page, '.block-page tr.pointed')).toContain(PARIS)
      expect(await textOf(page, '.block-page h2')).toBe(`Block ${block.toLocaleString('en-US')}`)
    }))

  test('shows of a block what the decoder says, and of every kind of block something', () =>
    withPage(false, async ({ page, url, source }) => {
      const { record, hash } = pathOf(source, spaceAt(source, []), bytes('large'))
      const kinds = new Map<string, number>()
      for (let block = 0; block < source.blocks; block++) kinds.set(viewBlock(source, block).kind, block)
      expect([...kinds.keys()].sort()).toEqual(
        expect.arrayContaining(['bucket', 'inner', 'large', 'leaf', 'metadata', 'space']),
      )
      for (const block of [...kinds.values(), record!.block, hash.indexBlock]) {
        const view = viewBlock(source, block)
        await page.goto(`${url}#/block/${block}`)
        await page
          .locator('.block-page h2', { hasText: new RegExp(`^Block ${block.toLocaleString('en-US')}$`) })
          .waitFor()
        await page.waitForSelector('.strip')
        expect(await figure(page, 'kind')).toBe(view.kindName)
        expect(await figure(page, 'fill')).toBe(`${(view.fill * 100).toFixed(1)} %`)
        if (view.header !== undefined) expect(number(await figure(page, 'last changed by LSN'))).toBe(view.header.lsn)
        if (view.bucket !== undefined) {
          expect(await page.locator('.block-page tbody tr').count()).toBe(view.bucket.records.length)
          expect(await figure(page, 'in holes')).toBe(
            `${view.bucket.garbage.toLocaleString('en-US')} bytes in ${view.bucket.holes.length}`,
          )
        }
        if (view.node !== undefined)
          expect(await page.locator('.block-page tbody tr').count()).toBe(view.node.entries.length)
        expect(await page.locator('.strip').first().locator('rect').count()).toBe(view.regions.length)
      }
    }))

  test('shows keys and values with markup as the text that they are', () =>
    withPage(false, async ({ page, url, source, db }) => {
      for (const text of HOSTILE) {
        await page.goto(`${url}#/key/${encodeURIComponent(text)}`)
        await page.waitForSelector('.verdict')
        expect(await textOf(page, '.verdict')).toMatch(/^It lies in block/)
        const { record } = pathOf(source, spaceAt(source, []), bytes(text))
        await page.goto(`${url}#/block/${record!.block}`)
        await page.waitForSelector('.block-page table')
        await page.fill('#search', text.slice(0, 5))
        await page.waitForSelector('#offers')
      }
      await page.goto(`${url}#/log`)
      await page.waitForSelector('.log-page')
      await page.goto(`${url}#/block/${db.layers.metadata.firstSpace}`)
      await page.waitForSelector('.block-page dd')
      expect(await textOf(page, '.block-page article, .block-page')).toContain('<b>sub</b>')
      expect(await page.locator('main img, main script, main b, main i, #offers svg').count()).toBe(0)
      // Whatever turns text around, or steers terminals, is shown by its number.
      await page.goto(`${url}#/key/${encodeURIComponent(HOSTILE.at(-1)!)}`)
      await page.waitForSelector('.verdict')
      expect(await textOf(page, '.key-page h2')).toContain('\\u{202e}gnp.exe\\u{0}\\u{1b}[31m')
    }))

  test('has the figures of the log, the pool, the transactions and the work', () =>
    withPage(false, async ({ page, url, db }) => {
      await page.goto(`${url}#/log`)
      await page.waitForSelector('.log-page .groups li')
      const files = BlockSource.ofFiles(db.directory, nodeStorage)
      const log = viewLog(files, { limit: 40 })
      files.close()
      expect(number(await figure(page, 'a recovery begins at'))).toBe(log.redoLsn)
      expect(number(await figure(page, 'ends at'))).toBe(log.endLsn)
      expect(number(await figure(page, 'groups in the files'))).toBe(log.groupCount)
      expect(await page.locator('.groups > li').count()).toBe(log.groups.length)
      expect(await page.locator('.groups details').count()).toBe(
        log.groups.reduce((sum, { records }) => sum + Math.min(records.length, 50), 0),
      )
      await page.locator('.groups summary').first().click()
      await page.waitForSelector('.groups details[open] table')
      await page.goto(`${url}#/cache`)
      await page.waitForSelector('.cache-page')
      const { cache, transactions } = db.stats()
      expect(await figure(page, 'frames')).toBe(`${cache.framesUsed} of ${cache.frames} used`)
      expect(number(await figure(page, 'accesses'))).toBe(cache.accesses)
      expect(number(await figure(page, 'newer than the file'))).toBe(cache.dirty)
      const open = db.begin()
      open.put(bytes('open <b>'), bytes('x'))
      await page.goto(`${url}#/transactions`)
      await page.waitForSelector('.transactions-page table')
      expect(await textOf(page, '.transactions-page tbody')).toContain('+open <b>')
      expect(number(await figure(page, 'committed'))).toBe(transactions.commits)
      open.rollback()
      await page.goto(`${url}#/work`)
      await page.waitForSelector('.work-page canvas')
      expect(number(await figure(page, 'records'))).toBe(db.stats().records)
    }))

  test('fits a phone, and is read in the light', () =>
    withPage(false, async ({ page, url }) => {
      await page.setViewportSize({ width: 360, height: 700 })
      await page.emulateMedia({ colorScheme: 'light' })
      for (const view of [
        'map',
        'block/0',
        'block/103',
        `key/${encodeURIComponent(PARIS)}`,
        'log',
        'cache',
        'transactions',
        'work',
      ]) {
        await page.goto(`${url}#/${view}`)
        await page.waitForTimeout(700)
        const wide = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
        expect([view, wide]).toEqual([view, 0])
      }
      expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(251, 252, 253)')
    }))

  test('chooses blocks on the map by the arrow keys and opens one', () =>
    withPage(false, async ({ page }) => {
      await page.locator('[data-use=total]:not(:text-is("0"))').waitFor()
      await page.locator('canvas.map').focus()
      await page.keyboard.press('ArrowRight')
      await page.keyboard.press('ArrowRight')
      expect(await textOf(page, '.status')).toMatch(/^block 1: hash index, .* full/)
      await page.keyboard.press('Enter')
      await page.waitForSelector('.block-page')
      expect(await textOf(page, '.block-page h2')).toBe('Block 1')
    }))

  test('does what it is asked to where it may change records', () =>
    withPage(true, async ({ page, url, db }) => {
      await page.goto(`${url}#/transactions`)
      await page.click('text=begin a transaction')
      await page.waitForSelector('.doing select')
      await page.fill('.doing input[aria-label=Key]', 'from the page')
      await page.fill('.doing input[aria-label=Value]', '<b>1</b>')
      await page.click('.doing >> text=put')
      await page.locator('.doing output', { hasText: 'put is done' }).waitFor()
      await page.waitForSelector('.transactions-page table')
      await page.click('.doing >> text=commit')
      await page.locator('.doing output', { hasText: 'commit is done' }).waitFor()
      expect(Buffer.from(db.get(bytes('from the page'))!).toString()).toBe('<b>1</b>')
    }))
})
