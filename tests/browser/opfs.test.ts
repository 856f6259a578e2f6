/** A database in a worker of a real browser, over the Origin Private File System. */
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { expectCodeAsync } from '../support/errors.ts'
import { rounds } from '../support/long.ts'
import { type BrowserPage, bundle, hasBrowser, NO_BROWSER, withBrowser } from './pages.ts'

if (!hasBrowser) console.log(NO_BROWSER)

/** Opens a database whose worker was killed: its handles are given back a little later. */
const opened = async (page: BrowserPage, worker: number, name: string): Promise<void> => {
  for (let tries = 0; ; tries++)
    try {
      await page.ask(worker, 'open', name)
      return
    } catch (error) {
      if (tries > 100 || (error as { code?: string }).code !== 'XENON_LOCKED') throw error
      await new Promise(resolve => setTimeout(resolve, 20))
    }
}

test('the bundle of a worker reaches no module of Node, and has at most 145 KB compressed', async () => {
  const { code, external } = await bundle()
  expect(external.filter(name => name.startsWith('node:'))).toEqual([])
  expect(code).not.toMatch(/from\s*["']node:/)
  expect(gzipSync(code).length).toBeLessThan(145_000)
})

describe.skipIf(!hasBrowser)('in Chromium', () => {
  test('records, ranges, transactions, sub-databases; closed, opened again, and removed', () =>
    withBrowser(async page => {
      const worker = await page.start()
      const ask = <T>(task: string, ...args: unknown[]): Promise<T> => page.ask<T>(worker, task, ...args)
      await ask('open', 'notes')
      await ask('put', 'a', '1')
      await ask('put', 'b', '2')
      expect(await ask('transfer')).toBe('in a transaction')
      expect(await ask('sub')).toEqual([[['ada', 1], { born: 1815 }]])
      expect(await ask('load', 20_000)).toBe(20_001)
      expect(await ask('entries', { prefix: 'k99', limit: 3 })).toHaveLength(3)
      expect(await ask('verify')).toEqual({ ok: true, problems: [] })
      await ask('close')
      await ask('open', 'notes')
      expect(await ask('count')).toBe(20_001)
      expect(await ask('get', 'a')).toBe('in a transaction')
      expect(await ask('verify')).toEqual({ ok: true, problems: [] })
      await ask('close')
      expect(await ask('memory')).toBe('1')
      await expectCodeAsync(() => ask('withoutStorage'), 'XENON_INVALID_ARGUMENT')
      expect(await ask('names')).toEqual(['notes'])
      await ask('remove', 'notes')
      await ask('remove', 'notes')
      expect(await ask('names')).toEqual([])
    }))

  test('one worker has it at a time; who is killed leaves what was durable, and the next one has it', () =>
    withBrowser(async (page, another) => {
      const [first, second] = [await page.start(), await page.start()]
      await page.ask(first, 'open', 'db')
      await expectCodeAsync(() => page.ask(second, 'open', 'db'), 'XENON_LOCKED')
      const tab = await another()
      const other = await tab.start()
      await expectCodeAsync(() => tab.ask(other, 'open', 'db'), 'XENON_LOCKED')
      let owner = first
      let next = 0
      for (let round = 0; round < rounds(2, 5); round++) {
        const from = next
        await page.page.evaluate(([worker, i]) => void globalThis.ask(worker!, 'write', i), [owner, from] as const)
        await page.page.waitForFunction(least => globalThis.durable >= least!, from + 40 + 37 * round)
        await page.page.evaluate(worker => globalThis.kill(worker), owner)
        const durable = await page.page.evaluate(() => globalThis.durable)
        owner = await page.start()
        await opened(page, owner, 'db')
        for (let i = from; i <= durable; i++) expect(await page.ask(owner, 'get', `w${i}`)).toBe(`${i}`)
        expect(await page.ask(owner, 'verify')).toEqual({ ok: true, problems: [] })
        next = durable + 1
      }
      await page.ask(owner, 'close')
      await tab.ask(other, 'open', 'db')
      expect(await tab.ask<number>(other, 'count')).toBeGreaterThanOrEqual(next)
      await tab.ask(other, 'close')
    }))

  test('any text is a name; what is none is refused', () =>
    withBrowser(async page => {
      const worker = await page.start()
      const names = ['..', 'a/b\\c', 'CON', 'Über *?"<>|:~', 'name.', ' ', '%41', '__proto__', 'x'.repeat(255)].sort()
      for (const name of names) {
        await page.ask(worker, 'open', name)
        await page.ask(worker, 'put', 'name', name)
        await page.ask(worker, 'close')
      }
      expect(await page.ask(worker, 'names')).toEqual(names)
      for (const name of names) {
        await page.ask(worker, 'open', name)
        expect(await page.ask(worker, 'get', 'name')).toBe(name)
        await page.ask(worker, 'close')
        await page.ask(worker, 'remove', name)
      }
      expect(await page.ask(worker, 'names')).toEqual([])
      for (const name of ['', 'x'.repeat(256), '\ud800', 7, null, undefined])
        for (const task of ['open', 'remove'])
          await expectCodeAsync(() => page.ask(worker, task, name), 'XENON_INVALID_ARGUMENT')
    }))

  test('what is open is neither removed nor given back, and closed alone it stays taken', () =>
    withBrowser(async page => {
      const [worker, other] = [await page.start(), await page.start()]
      await page.ask(worker, 'open', 'db')
      await page.ask(worker, 'put', 'a', '1')
      for (const each of [worker, other]) await expectCodeAsync(() => page.ask(each, 'remove', 'db'), 'XENON_LOCKED')
      await expectCodeAsync(() => page.ask(worker, 'dispose'), 'XENON_LOCKED')
      expect(await page.ask(worker, 'get', 'a')).toBe('1')
      expect(await page.ask(worker, 'verify')).toEqual({ ok: true, problems: [] })
      await page.ask(worker, 'closeAlone')
      await expectCodeAsync(() => page.ask(other, 'open', 'db'), 'XENON_LOCKED')
      await page.ask(worker, 'dispose')
      await page.ask(other, 'open', 'db')
      expect(await page.ask(other, 'get', 'a')).toBe('1')
      await page.ask(other, 'close')
      expect((await page.ask<string[]>(worker, 'twice', 'db')).sort()).toEqual(['XENON_LOCKED', 'fulfilled'])
    }))

  test('who is killed in the middle of compaction leaves what was durable', () =>
    withBrowser(async page => {
      for (let round = 0; round < rounds(1, 3); round++) {
        const owner = await page.start()
        await opened(page, owner, 'db')
        if (round === 0) await page.ask(owner, 'load', 5000)
        await page.page.evaluate(worker => {
          globalThis.durable = -1
          void globalThis.ask(worker, 'compact')
        }, owner)
        await page.page.waitForFunction(least => globalThis.durable >= least, 1 + round)
        await page.page.evaluate(worker => globalThis.kill(worker), owner)
        const durable = await page.page.evaluate(() => globalThis.durable)
        const next = await page.start()
        await opened(page, next, 'db')
        expect(await page.ask<number>(next, 'count')).toBe(5200)
        expect(Number(await page.ask(next, 'get', 'c199'))).toBeGreaterThanOrEqual(durable)
        expect(await page.ask(next, 'verify')).toEqual({ ok: true, problems: [] })
        await page.ask(next, 'close')
      }
    }))

  test('a page is told to use a worker', () =>
    withBrowser(async page => {
      // As text: an import in a function would be one of vitest's.
      const failure = await page.page.evaluate(`(async () => {
        const { opfsStorage } = await import('/worker.js')
        return await opfsStorage('db').catch(({ code, message }) => code + ': ' + message)
      })()`)
      expect(failure).toMatch(/^XENON_NOT_SUPPORTED: .*worker/)
    }))

  test('the pool of eight handles is enough for a load', () =>
    withBrowser(async page => {
      const worker = await page.start()
      await page.ask(worker, 'open', 'large', { durability: 'process' })
      const records = rounds(50_000, 150_000)
      expect(await page.ask(worker, 'load', records)).toBe(records)
      await page.ask(worker, 'close')
    }))
})
