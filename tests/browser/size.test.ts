/** How much a page and its worker load, as esbuild makes them for a browser. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync } from 'node:zlib'
import { build } from 'esbuild'
import { expect, test } from 'vitest'

const root: string = fileURLToPath(new URL('../..', import.meta.url))

/** Bytes of a module and all that it imports, minified and compressed. */
const compressed = async (contents: string): Promise<number> => {
  const { outputFiles, warnings } = await build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
    logLevel: 'silent',
  })
  expect(warnings).toEqual([])
  return brotliCompressSync(outputFiles[0]!.contents).length
}

test('a page loads at most 12 KiB, and nothing of the engine', async () => {
  const page = await compressed("import { openBrowser } from './dist/browser/index.js'; globalThis.open = openBrowser")
  expect(page).toBeLessThan(12_288)
})

// 90 KB are wanted: it has all of the engine, maintenance too.
test('its worker loads at most 127 KB', async () => {
  expect(await compressed("import './dist/browser/worker.js'")).toBeLessThan(127_000)
})

test('the script of the worker lies where the page looks for it', () => {
  const page = readFileSync(`${root}/dist/browser/client.js`, 'utf8')
  expect(page).toMatch(/new Worker\(new URL\("\.\/worker\.js", import\.meta\.url\), \{\s*type: "module"/)
  expect(readFileSync(`${root}/dist/browser/worker.js`, 'utf8')).toContain('serveBrowser()')
})
