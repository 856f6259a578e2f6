/** A page that calls `openBrowser`, as Vite bundles it: the worker is found, and has a file of its own. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { expect, test } from 'vitest'
import { withDirectory } from '../support/directory.ts'

const entry: string = fileURLToPath(new URL('../../dist/browser/index.js', import.meta.url))

test('Vite gives the worker a script of its own, which the page starts', () =>
  withDirectory(async root => {
    writeFileSync(join(root, 'index.html'), '<!doctype html><script type="module" src="/page.js"></script>')
    writeFileSync(
      join(root, 'page.js'),
      "import { openBrowser } from 'xenondb/browser'\nglobalThis.store = await openBrowser('notes')\n",
    )
    const result = await build({
      root,
      logLevel: 'silent',
      configFile: false,
      resolve: { alias: { 'xenondb/browser': entry } },
      build: { target: 'esnext', write: false },
    })
    const { output } = result as { output: { fileName: string; code?: string; source?: string | Uint8Array }[] }
    const page = output.find(({ fileName }) => /index-.*\.js$/.test(fileName))
    const worker = output.find(({ fileName }) => /worker-.*\.js$/.test(fileName))
    const text = `${worker?.code ?? worker?.source}`
    expect(page?.code).toContain(worker!.fileName)
    // What serves is in the one, and not in the other.
    expect([text, page!.code!].map(code => code.includes('redo'))).toEqual([true, false])
  }))
