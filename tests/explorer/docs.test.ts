/** The documents as pages of the site: every link leads somewhere, and nothing in them is markup of its own. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readPages, rendered } from '../../site/docs.ts'
import { LESSONS } from '../../site/lesson-texts.ts'

const ROOT = join(import.meta.dirname, '../..')
const REPOSITORY = 'https://github.com/xenondb/xenondb/blob/main/'
const pages = readPages(join(ROOT, 'docs'))
const html = new Map(pages.map(page => [page.name, rendered(page, pages)]))

/** Whether the page is there, and has the heading. */
const leads = (link: string, from: string): boolean => {
  const [file = '', anchor] = link.split('#')
  const target = html.get(file === '' ? from : file.replace(/^\.\//, '').replace(/\.html$/, ''))
  return target !== undefined && (anchor === undefined || target.includes(` id="${decodeURIComponent(anchor)}"`))
}

test.each(pages.map(({ name }) => name))(
  'every link of %s leads to a page, a heading, or a file of the repository',
  name => {
    const main = /<main>([\s\S]*)<\/main>/.exec(html.get(name)!)![1]!
    for (const [, link] of main.matchAll(/<a href="([^"]*)"/g)) {
      if (link!.startsWith(REPOSITORY))
        expect(existsSync(join(ROOT, link!.slice(REPOSITORY.length).split('#')[0]!)), link).toBe(true)
      else if (!/^https?:/.test(link!)) expect(leads(link!, name), link).toBe(true)
    }
    for (const [, image] of main.matchAll(/<img src="([^"]*)"/g))
      expect(existsSync(join(ROOT, 'docs', image!)), image).toBe(true)
  },
)

test('every link of a lesson leads to a heading', () => {
  for (const { read } of LESSONS) for (const [page] of read) expect(leads(page, ''), page).toBe(true)
})

test('the pages hold no script, and markup in a document is text', () => {
  for (const page of html.values()) expect(page).not.toMatch(/<script|<style|\son\w+=|javascript:/i)
  const hostile = {
    name: 'x',
    title: '<b>',
    source: '# <b>\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1)) <img src=x onerror=y>',
  }
  const shown = rendered(hostile, [hostile])
  expect(shown).not.toMatch(/<script|<img|href="javascript:/)
  expect(shown).toContain('&lt;script&gt;')
})
