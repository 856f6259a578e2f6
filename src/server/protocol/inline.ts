/** Splits an inline command into its words, as Redis does: quotes, and escapes inside double ones. */

const isSpace = (code: number): boolean => code === 32 || (code >= 9 && code <= 13) || code === 0
const DOUBLE = 34
const SINGLE = 39
const BACKSLASH = 92
const ESCAPES: Readonly<Record<number, number>> = { 110: 10, 114: 13, 116: 9, 98: 8, 97: 7 }

/** The words of a line, or undefined if its quotes are unbalanced. */
export const splitInline = (line: Uint8Array): Buffer[] | undefined => {
  const words: Buffer[] = []
  let at = 0
  for (;;) {
    while (at < line.length && isSpace(line[at]!)) at++
    if (at >= line.length) return words
    const word: number[] = []
    let quote = 0
    for (; ; at++) {
      if (at >= line.length) {
        if (quote !== 0) return undefined
        break
      }
      const code = line[at]!
      if (quote === 0) {
        if (isSpace(code)) break
        if (code === DOUBLE || code === SINGLE) quote = code
        else word.push(code)
      } else if (code === quote) {
        // A closing quote must be followed by a space, or by nothing at all.
        if (at + 1 < line.length && !isSpace(line[at + 1]!)) return undefined
        at++
        break
      } else if (code === BACKSLASH && quote === SINGLE && line[at + 1] === SINGLE) {
        word.push(SINGLE)
        at++
      } else if (code === BACKSLASH && quote === DOUBLE && at + 1 < line.length) {
        const hex = line[at + 1] === 120 ? hexPair(line, at + 2) : undefined
        if (hex !== undefined) {
          word.push(hex)
          at += 3
        } else {
          const next = line[at + 1]!
          word.push(ESCAPES[next] ?? next)
          at++
        }
      } else word.push(code)
    }
    words.push(Buffer.from(word))
  }
}

const hexPair = (line: Uint8Array, at: number): number | undefined => {
  if (at + 2 > line.length) return undefined
  const text = String.fromCharCode(line[at]!, line[at + 1]!)
  return /^[0-9a-fA-F]{2}$/.test(text) ? Number.parseInt(text, 16) : undefined
}
