/** Patterns of Lua 5.1, matched so that a clock can stop one that goes back and forth for ever. */

/** A pattern is malformed, or too deep. */
export class PatternError extends Error {
  override name = 'PatternError'
}

/** Where a capture begins; how long it is, or that it is a position, or that it has not ended. */
interface Capture {
  start: number
  length: number
}
const POSITION = -2
const OPEN = -1
const MAX_CAPTURES = 32
const MAX_DEPTH = 200
const ESCAPE = 37 // %

export class Matcher {
  captures: Capture[] = []
  private readonly text: string
  private readonly pattern: string
  private readonly step: () => void
  private depth = 0

  /** @param step Called again and again; it throws what is to end the match. */
  constructor(text: string, pattern: string, step: () => void) {
    this.text = text
    this.pattern = pattern
    this.step = step
  }

  /** Matches at one place, with the pattern from `p` on: where the match ends, or -1. */
  matchAt(at: number, p: number): number {
    this.captures = []
    this.depth = 0
    return this.match(at, p)
  }

  /** The text of a capture, or the position (from 1 on) that it is; the whole match if there are none. */
  capture(index: number, start: number, end: number): string | number {
    const { captures, text } = this
    const found = captures[index]
    if (found === undefined) {
      if (index !== 0) throw new PatternError('invalid capture index')
      return text.slice(start, end)
    }
    if (found.length === OPEN) throw new PatternError('unfinished capture')
    return found.length === POSITION ? found.start + 1 : text.slice(found.start, found.start + found.length)
  }

  private match(s: number, p: number): number {
    if (++this.depth > MAX_DEPTH) throw new PatternError('pattern too complex')
    try {
      return this.matchHere(s, p)
    } finally {
      this.depth--
    }
  }

  private matchHere(from: number, first: number): number {
    const { pattern, text } = this
    let s = from
    let p = first
    for (;;) {
      this.step()
      if (p >= pattern.length) return s
      const char = pattern.charCodeAt(p)
      if (char === 40) return pattern[p + 1] === ')' ? this.open(s, p + 2, POSITION) : this.open(s, p + 1, OPEN)
      if (char === 41) return this.close(s, p + 1)
      if (char === 36 && p + 1 === pattern.length) return s === text.length ? s : -1
      if (char === ESCAPE) {
        const next = pattern[p + 1]
        if (next === 'b') {
          s = this.balance(s, p + 2)
          if (s < 0) return -1
          p += 4
          continue
        }
        if (next === 'f') {
          p += 2
          if (pattern[p] !== '[') throw new PatternError("missing '[' after '%f' in pattern")
          const end = this.classEnd(p)
          const before = s === 0 ? 0 : text.charCodeAt(s - 1)
          const here = s < text.length ? text.charCodeAt(s) : 0
          if (this.inSet(before, p, end - 1) || !this.inSet(here, p, end - 1)) return -1
          p = end
          continue
        }
        if (next !== undefined && next >= '0' && next <= '9') {
          s = this.again(s, next)
          if (s < 0) return -1
          p += 2
          continue
        }
      }
      const end = this.classEnd(p)
      const matches = s < text.length && this.single(text.charCodeAt(s), p, end)
      const mark = pattern[end]
      if (mark === '?') {
        if (matches) {
          const found = this.match(s + 1, end + 1)
          if (found >= 0) return found
        }
        p = end + 1
      } else if (mark === '*') return this.most(s, p, end)
      else if (mark === '+') return matches ? this.most(s + 1, p, end) : -1
      else if (mark === '-') return this.least(s, p, end)
      else {
        if (!matches) return -1
        s++
        p = end
      }
    }
  }

  private most(s: number, p: number, end: number): number {
    const { text } = this
    let count = 0
    while (s + count < text.length && this.single(text.charCodeAt(s + count), p, end)) {
      count++
      this.step()
    }
    for (; count >= 0; count--) {
      const found = this.match(s + count, end + 1)
      if (found >= 0) return found
    }
    return -1
  }

  private least(from: number, p: number, end: number): number {
    const { text } = this
    for (let s = from; ; s++) {
      const found = this.match(s, end + 1)
      if (found >= 0) return found
      if (s >= text.length || !this.single(text.charCodeAt(s), p, end)) return -1
    }
  }

  private open(s: number, p: number, length: number): number {
    if (this.captures.length >= MAX_CAPTURES) throw new PatternError('too many captures')
    this.captures.push({ start: s, length })
    const found = this.match(s, p)
    if (found < 0) this.captures.pop()
    return found
  }

  private close(s: number, p: number): number {
    const capture = this.captures.findLast(({ length }) => length === OPEN)
    if (capture === undefined) throw new PatternError('invalid pattern capture')
    capture.length = s - capture.start
    const found = this.match(s, p)
    if (found < 0) capture.length = OPEN
    return found
  }

  private balance(s: number, p: number): number {
    const { pattern, text } = this
    if (p + 1 >= pattern.length) throw new PatternError('unbalanced pattern')
    if (text[s] !== pattern[p]) return -1
    let nested = 1
    for (let at = s + 1; at < text.length; at++) {
      this.step()
      if (text[at] === pattern[p + 1]) {
        if (--nested === 0) return at + 1
      } else if (text[at] === pattern[p]) nested++
    }
    return -1
  }

  /** `%1`: what a capture has matched, again. */
  private again(s: number, digit: string): number {
    const capture = this.captures[Number(digit) - 1]
    if (capture === undefined || capture.length === OPEN) throw new PatternError('invalid capture index')
    const found = this.text.slice(capture.start, capture.start + capture.length)
    return this.text.startsWith(found, s) ? s + found.length : -1
  }

  /** Where the class of characters that begins at `p` ends. */
  private classEnd(p: number): number {
    const { pattern } = this
    if (pattern.charCodeAt(p) === ESCAPE) {
      if (p + 1 >= pattern.length) throw new PatternError("malformed pattern (ends with '%')")
      return p + 2
    }
    if (pattern[p] !== '[') return p + 1
    let at = p + 1
    if (pattern[at] === '^') at++
    do {
      if (at >= pattern.length) throw new PatternError("malformed pattern (missing ']')")
      if (pattern.charCodeAt(at++) === ESCAPE) at++
    } while (pattern[at] !== ']')
    return at + 1
  }

  private single(char: number, p: number, end: number): boolean {
    const first = this.pattern.charCodeAt(p)
    if (first === 46) return true
    if (first === ESCAPE) return inClass(char, this.pattern.charCodeAt(p + 1))
    return first === 91 ? this.inSet(char, p, end - 1) : first === char
  }

  /** `last`: where the `]` stands. */
  private inSet(char: number, p: number, last: number): boolean {
    const { pattern } = this
    let at = p + 1
    const isIn = pattern[at] !== '^'
    if (!isIn) at++
    for (; at < last; at++) {
      const first = pattern.charCodeAt(at)
      if (first === ESCAPE) {
        at++
        if (inClass(char, pattern.charCodeAt(at))) return isIn
      } else if (pattern[at + 1] === '-' && at + 2 < last) {
        if (first <= char && char <= pattern.charCodeAt(at + 2)) return isIn
        at += 2
      } else if (first === char) return isIn
    }
    return !isIn
  }
}

const isLetter = (char: number): boolean => (char >= 65 && char <= 90) || (char >= 97 && char <= 122)
const isDigit = (char: number): boolean => char >= 48 && char <= 57
const isPunctuation = (char: number): boolean => char > 32 && char < 127 && !isLetter(char) && !isDigit(char)

/** Whether a character is of a class, which is named by a letter; a capital names all others. */
const inClass = (char: number, name: number): boolean => {
  const result = inLowerClass(char, name | 32)
  if (result === undefined || !isLetter(name)) return name === char
  return name < 97 ? !result : result
}

const inLowerClass = (char: number, name: number): boolean | undefined => {
  switch (name) {
    case 97: // a
      return isLetter(char)
    case 99: // c
      return char < 32 || char === 127
    case 100: // d
      return isDigit(char)
    case 108: // l
      return char >= 97 && char <= 122
    case 112: // p
      return isPunctuation(char)
    case 115: // s
      return char === 32 || (char >= 9 && char <= 13)
    case 117: // u
      return char >= 65 && char <= 90
    case 119: // w
      return isLetter(char) || isDigit(char)
    case 120: // x
      return isDigit(char) || ((char | 32) >= 97 && (char | 32) <= 102)
    case 122: // z
      return char === 0
    default:
      return undefined
  }
}
