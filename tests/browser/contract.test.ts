/** The contract of `AsyncStore`, kept by `openBrowser` in a browser: in the tab of the owner, and in one that follows. */
import { describe, expect, test } from 'vitest'
import { bundle, hasBrowser, NO_BROWSER, withOrigin } from './pages.ts'

if (!hasBrowser) console.log(NO_BROWSER)

describe.skipIf(!hasBrowser)('the contract is kept', () => {
  test.each([
    ['owner', false],
    ['follower', false],
    ['follower', true],
  ] as const)(
    'by the %s; in a sub-database: %s',
    async (role, isSub) => {
      const page = await bundle('contract-page.ts')
      const worker = await bundle('contract-worker.ts')
      const html = '<!doctype html><script type="module" src="/page.js"></script>'
      await withOrigin({ '/': html, '/page.js': page.code, '/worker.js': worker.code }, async open => {
        const tab = await open()
        const { passed, failures } = await tab.evaluate(given => runContract(...given), [role, isSub] as const)
        expect(failures).toEqual([])
        expect(passed).toBeGreaterThan(90)
      })
    },
    600_000,
  )
})
