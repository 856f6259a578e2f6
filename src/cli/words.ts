/** A line as words, as redis-cli splits it: "double quotes" with escapes, 'single quotes' with \' only. */
import { UsageError } from './errors.ts'

const ESCAPES: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, b: 8, a: 7 }
const HEXADECIMAL = /^[0-9a-fA-F]{2}$/

/** Each word as bytes, since "\xff" may stand in it. @throws UsageError for quotes that do not fit. */
export function splitWords(line: string): Buffer[] {
  const words: Buffer[] = []
  let at = 0
  while (at < line.length) {
    if (isSpace(line[at]!)) {
      at++
      continue
    }
    const parts: Buffer[] = []
    while (at < line.length && !isSpace(line[at]!)) {
      const quote = line[at]!
      if (quote !== '"' && quote !== "'") {
        const from = at
        while (at < line.length && !isSpace(line[at]!) && line[at] !== '"' && line[at] !== "'") at++
        parts.push(Buffer.from(line.slice(from, at)))
        continue
      }
      const end = closing(line, at)
      if (end + 1 < line.length && !isSpace(line[end + 1]!))
        throw new UsageError('a closing quote must be followed by a space')
      const inside = line.slice(at + 1, end)
      parts.push(quote === '"' ? unescaped(inside) : Buffer.from(inside.replaceAll("\\'", "'")))
      at = end + 1
    }
    words.push(Buffer.concat(parts))
  }
  return words
}

function closing(line: string, open: number): number {
  for (let at = open + 1; at < line.length; at++) {
    if (line[at] === '\\') at++
    else if (line[at] === line[open]) return at
  }
  throw new UsageError('a quote is not closed')
}

function unescaped(text: string): Buffer {
  const parts: Buffer[] = []
  let from = 0
  for (let at = text.indexOf('\\'); at >= 0; at = text.indexOf('\\', from)) {
    parts.push(Buffer.from(text.slice(from, at)))
    const letter = text[at + 1]!
    const digits = text.slice(at + 2, at + 4)
    if (letter === 'x' && HEXADECIMAL.test(digits)) {
      parts.push(Buffer.from(digits, 'hex'))
      from = at + 4
    } else {
      // A character may be two halves.
      const character = String.fromCodePoint(text.codePointAt(at + 1)!)
      const code = ESCAPES[letter]
      parts.push(code === undefined ? Buffer.from(character) : Buffer.from([code]))
      from = at + 1 + character.length
    }
  }
  parts.push(Buffer.from(text.slice(from)))
  return Buffer.concat(parts)
}

function isSpace(character: string): boolean {
  return /\s/.test(character)
}
