/** A database in a worker of a real browser, over the Origin Private File System. */
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { expectCodeAsync } from '../support/errors.ts'
import { bundle, hasBrowser, NO_BROWSER, withBrowser } from './pages.ts'

if (!hasBrowser) console.log(NO_BROWSER)

test('the bundle of a worker reaches no module of Node, and has at most 140 KB compressed', async () => {
  const { code, external } = await bundle()
  expect(external.filter(name => name.startsWith('node:'))).toEqual([])
  expect(code).not.toMatch(/from\s*["']node:/)
  expect(gzipSync(code).length).toBeLessThan(140_000)
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
      for (let round = 0; round < 5; round++) {
        const from = next
        await page.page.evaluate(([worker, i]) => void globalThis.ask(worker!, 'write', i), [owner, from] as const)
        await page.page.waitForFunction(least => globalThis.durable >= least!, from + 40 + 37 * round)
        await page.page.evaluate(worker => globalThis.kill(worker), owner)
        const durable = await page.page.evaluate(() => globalThis.durable)
        owner = await page.start()
        // Its handles are given back a little later.
        for (let tries = 0; ; tries++)
          try {
            await page.ask(owner, 'open', 'db')
            break
          } catch (error) {
            if (tries > 100 || (error as { code?: string }).code !== 'XENON_LOCKED') throw error
            await new Promise(resolve => setTimeout(resolve, 20))
          }
        for (let i = from; i <= durable; i++) expect(await page.ask(owner, 'get', `w${i}`)).toBe(`${i}`)
        expect(await page.ask(owner, 'verify')).toEqual({ ok: true, problems: [] })
        next = durable + 1
      }
      await page.ask(owner, 'close')
      await tab.ask(other, 'open', 'db')
      expect(await tab.ask<number>(other, 'count')).toBeGreaterThanOrEqual(next)
      await tab.ask(other, 'close')
    }))

  test('the pool of eight handles is enough for a load', () =>
    withBrowser(async page => {
      const worker = await page.start()
      await page.ask(worker, 'open', 'large', { durability: 'process' })
      expect(await page.ask(worker, 'load', 150_000)).toBe(150_000)
      await page.ask(worker, 'close')
    }))
})
