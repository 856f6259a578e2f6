/** `npm run example:browser`: a to-do list in two tabs, without a network too. */
import { type Browser, chromium, type Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { serve } from '../../examples/browser/serve.ts'
import { CHROMIUM, hasBrowser, NO_BROWSER } from './pages.ts'

if (!hasBrowser) console.log(NO_BROWSER)

const titles = (tab: Page): Promise<string[]> => tab.locator('li span').allTextContents()

const waitFor = async (tab: Page, expected: readonly string[]): Promise<void> => {
  await expect.poll(() => titles(tab), { timeout: 30_000 }).toEqual(expected)
}

const add = async (tab: Page, title: string): Promise<void> => {
  await tab.fill('input[name=title]', title)
  await tab.press('input[name=title]', 'Enter')
}

describe.skipIf(!hasBrowser)('the to-do list', () => {
  test('is the same in two tabs, stays without a network, and is saved as a file', async () => {
    const server = await serve(0)
    const { port } = server.address() as { port: number }
    let browser: Browser | undefined
    try {
      browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] })
      const context = await browser.newContext()
      const opened = async (): Promise<Page> => {
        const tab = await context.newPage()
        await tab.goto(`http://localhost:${port}/`)
        await tab.waitForFunction(() => (globalThis as unknown as { isReady: boolean }).isReady)
        return tab
      }
      const [first, second] = [await opened(), await opened()]
      await add(first, 'Water the plants')
      await waitFor(second, ['Water the plants'])
      await add(second, 'Pay the rent')
      await waitFor(first, ['Water the plants', 'Pay the rent'])
      await second.locator('li').first().locator('input').check()
      await expect.poll(() => first.locator('li.done').count()).toBe(1)
      // The worker of the page's cache has it by now.
      await second.evaluate(`navigator.serviceWorker.ready`)
      await second.reload()
      await context.setOffline(true)
      await first.close()
      await second.reload()
      await waitFor(second, ['Water the plants', 'Pay the rent'])
      await add(second, 'Learn the lute')
      await second.locator('li').first().locator('button').click()
      await waitFor(second, ['Pay the rent', 'Learn the lute'])
      const download = second.waitForEvent('download')
      await second.click('#export')
      expect((await download).suggestedFilename()).toBe('to-do.tar')
      second.once('dialog', dialog => void dialog.accept())
      await second.setInputFiles('#import', await (await download).path())
      await waitFor(second, ['Pay the rent', 'Learn the lute'])
    } finally {
      await browser?.close()
      server.closeAllConnections()
      server.close()
    }
  })
})
