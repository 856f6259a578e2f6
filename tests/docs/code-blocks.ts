/** The code blocks of a page of documentation, as programs. */
import { readFileSync } from 'node:fs'

export interface CodeBlock {
  /** Line of its first line in the page. */
  line: number
  code: string
}

/** Says in the page, invisibly, that the next block goes on where the one before ended. */
const GOES_ON = '<!-- goes on -->'
const FENCE = /^```(ts|js)\n([\s\S]*?)^```$/gm

/** Blocks of TypeScript and JavaScript; one that goes on holds those before it, too. */
export const codeBlocks = (file: string): CodeBlock[] => {
  const page = readFileSync(file, 'utf8')
  const blocks: CodeBlock[] = []
  for (const match of page.matchAll(FENCE)) {
    const before = page.slice(0, match.index)
    const line = before.split('\n').length + 1
    const last = blocks.at(-1)
    if (last !== undefined && before.trimEnd().endsWith(GOES_ON)) {
      // Empty lines stand for the text between, so that line numbers are those of the page.
      const gap = line - last.line - last.code.split('\n').length + 1
      last.code += '\n'.repeat(gap) + match[2]
    } else blocks.push({ line, code: match[2]! })
  }
  return blocks
}

/** What is put before a block that opens no database itself, and behind it. */
const OPENING = "import { open } from 'xenondb'; const db = open('db');"
const CLOSING = 'db.close()'

const opensItself = (code: string): boolean => /\bdb = |\bopen(?:Shared)?[(<]|new Keyv\(|memoryStorage/.test(code)

/** The block as it stands, with a database if it opens none. On one line, so that line numbers stay. */
export const withDatabase = ({ code }: CodeBlock): string =>
  opensItself(code) ? code : `${OPENING} ${code}\n${CLOSING}\n`

/**
 * The block with its comments checked: `// => value` behind an expression or the declaration of a name,
 * `// => throws CODE` behind a statement.
 */
export const withChecks = (block: CodeBlock, checks: string): string => {
  const { line } = block
  const lines = withDatabase(block).split('\n')
  const checked = lines.map((text, i) => {
    const [, indent, statement, expected] = /^(\s*)(.*?)\s*\/\/ => (.+)$/.exec(text) ?? []
    if (statement === undefined || expected === undefined) return text
    const [opening, code] = statement.startsWith(OPENING) ? [OPENING, statement.slice(OPENING.length)] : ['', statement]
    const [, thrown] = /^throws (\w+)$/.exec(expected) ?? []
    if (thrown !== undefined)
      return `${indent}${opening}await $throws(async () => { ${awaited(code)} }, '${thrown}', ${line + i})`
    const [, name] = /^\s*(?:const|let) (\w+)(?:: [^=]+)? = /.exec(code) ?? []
    if (name !== undefined) return `${indent}${opening}${code}; $equal(${name}, ${expected}, ${line + i})`
    return `${indent}${opening}$equal(${code}, ${expected}, ${line + i})`
  })
  return `import { equal as $equal, throws as $throws } from '${checks}'; ${checked.join('\n')}`
}

/** A promise that rejects is a throw, too. */
const awaited = (code: string): string => (/^\s*(const|let|for|if)\b/.test(code) ? code : `await (${code})`)
