/**
 * The documentation as pages of the site: docs/NAME.md becomes docs/NAME.html when it is built. The pages hold no script,
 * and ask no other host for anything; links to what is no page of the site lead to the repository.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Marked } from 'marked'
import type { Plugin } from 'vite'

const REPOSITORY = 'https://github.com/xenondb/xenondb/blob/main/'
const POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"

export interface Page {
  readonly name: string
  readonly title: string
  readonly source: string
}

export const docs = (): Plugin => ({
  name: 'docs',
  generateBundle() {
    const folder = join(import.meta.dirname, '../docs')
    const pages = readPages(folder)
    for (const page of pages)
      this.emitFile({ type: 'asset', fileName: `docs/${page.name}.html`, source: rendered(page, pages) })
    this.emitFile({ type: 'asset', fileName: 'docs/index.html', source: listed(pages) })
    this.emitFile({
      type: 'asset',
      fileName: 'docs/docs.css',
      source: readFileSync(join(import.meta.dirname, 'docs.css')),
    })
    for (const image of readdirSync(join(folder, 'img')))
      this.emitFile({ type: 'asset', fileName: `docs/img/${image}`, source: readFileSync(join(folder, 'img', image)) })
  },
})

/** The documents of a folder. */
export const readPages = (folder: string): Page[] =>
  readdirSync(folder)
    .filter(name => name.endsWith('.md'))
    .sort()
    .map(file => {
      const source = readFileSync(join(folder, file), 'utf8')
      const name = file.slice(0, -3)
      return { name, title: /^# (.*)$/m.exec(source)?.[1] ?? name, source }
    })

/** The page of a document. */
export const rendered = (page: Page, pages: readonly Page[]): string => {
  const names = new Set(pages.map(({ name }) => name))
  const seen = new Map<string, number>()
  const marked = new Marked({
    gfm: true,
    walkTokens(token) {
      if (token.type === 'link') token.href = target(token.href, names)
    },
    renderer: {
      heading({ tokens, depth }) {
        const inside = this.parser.parseInline(tokens)
        return `<h${depth} id="${anchor(inside, seen)}">${inside}</h${depth}>\n`
      },
      // The documents are Markdown alone; what looks like markup in them is text.
      html: ({ text }) => escaped(text),
      table(token) {
        const row = (cells: typeof token.header, tag: string): string =>
          `<tr>${cells.map(({ tokens }) => `<${tag}>${this.parser.parseInline(tokens)}</${tag}>`).join('')}</tr>`
        const body = token.rows.map(cells => row(cells, 'td')).join('\n')
        // Wide ones are scrolled, not the page.
        return `<div class="wide" tabindex="0"><table><thead>${row(token.header, 'th')}</thead><tbody>${body}</tbody></table></div>\n`
      },
    },
  })
  return inPage(page.title, marked.parse(page.source, { async: false }), pages, page.name)
}

const listed = (pages: readonly Page[]): string =>
  inPage(
    'Documentation',
    `<h1>Documentation</h1>\n<ul>${pages.map(({ name, title }) => `<li><a href="./${name}.html">${escaped(title)}</a></li>`).join('\n')}</ul>`,
    pages,
    undefined,
  )

/** As the site has it: `tour.md#glossary` is tour.html#glossary, and what is not on the site is in the repository. */
const target = (href: string, names: ReadonlySet<string>): string => {
  if (/^(?:https?:|#)/i.test(href)) return ownPage(href, names) ?? href
  if (/^[a-z]+:/i.test(href)) return '#'
  const [path = '', hash] = href.split('#')
  const behind = hash === undefined ? '' : `#${hash}`
  const name = path.replace(/^\.\//, '').replace(/\.md$/, '')
  if (path.endsWith('.md') && names.has(name)) return `./${name}.html${behind}`
  return `${REPOSITORY}${new URL(path, 'file:///docs/').pathname.slice(1)}${behind}`
}

/** A whole address of a document in the repository is that of its page here. */
const ownPage = (href: string, names: ReadonlySet<string>): string | undefined => {
  if (!href.startsWith(`${REPOSITORY}docs/`)) return undefined
  const [file = '', hash] = href.slice(REPOSITORY.length + 5).split('#')
  const name = file.replace(/\.md$/, '')
  return names.has(name) ? `./${name}.html${hash === undefined ? '' : `#${hash}`}` : undefined
}

/** As GitHub makes them of a heading, so that the links of the documents fit. */
const anchor = (html: string, seen: Map<string, number>): string => {
  const text = html.replace(/<[^>]*>/g, '').replace(/&[a-z0-9#]+;/gi, '')
  const base = text
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
  const times = seen.get(base) ?? 0
  seen.set(base, times + 1)
  return times === 0 ? base : `${base}-${times}`
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

const inPage = (title: string, body: string, pages: readonly Page[], here: string | undefined): string => {
  const link = ({ name, title }: Page): string =>
    `<li><a href="./${name}.html"${name === here ? ' aria-current="page"' : ''}>${escaped(title)}</a></li>`
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="dark light" />
    <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
    <title>${escaped(title)} · xenondb</title>
    <link rel="icon" href="../icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="./docs.css" />
  </head>
  <body>
    <header><a href="../index.html">← explorer and lessons</a></header>
    <div class="columns">
      <nav aria-label="Documents"><ul>
${pages.map(link).join('\n')}
      </ul></nav>
      <main>
${body}
      </main>
    </div>
  </body>
</html>
`
}
