/**
 * Lua 5.1, which scripts for Redis are written in, as text for Lua 5.4 (one character per byte): lines stay where they
 * are.
 *  - Numerals become floats, since 5.1 has no integers: `7` is `7.0`.
 *  - A backslash before a letter that 5.1 knows no escape for is left out, as 5.1 does.
 *  - What 5.1 has no operator or mark for is a syntax error: `//`, `&`, `|`, `~`, `<<`, `>>`, `::`, attributes of locals.
 */

/** The text cannot be Lua 5.1. */
export class LuaSyntaxError extends Error {
  override name = 'LuaSyntaxError'
  readonly line: number

  constructor(message: string, line: number) {
    super(message)
    this.line = line
  }
}

const SPACE = /[ \t\r\n\v\f]+/y
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y
const NUMERAL = /(?:[0-9]|\.[0-9])(?:[eE][+-]|[A-Za-z0-9_.])*/y
const LONG_OPEN = /\[(=*)\[/y
const SHORT_COMMENT = /--[^\r\n]*/y
/** Everything up to what ends it or has to be looked at. */
const QUOTED = { '"': /[^"\\\r\n]*/y, "'": /[^'\\\r\n]*/y }
const OPERATORS = ['...', '..', '==', '~=', '<=', '>=']
const SINGLE = '+-*/%^#<>=(){}[];:,.'
const ESCAPES = 'abfnrtv\\"\'0123456789\r\n'

/** @param step Called for each word of the text. */
export const translate = (text: string, step: () => void = () => {}): string => new Translation(text, step).run()

class Translation {
  private readonly text: string
  private readonly tick: () => void
  private at = 0
  private out = ''
  /** What stands before: names after `local`, so that an attribute is noticed. */
  private locals: 'none' | 'name' | 'after' = 'none'

  constructor(text: string, tick: () => void) {
    this.text = text
    this.tick = tick
  }

  run(): string {
    const { text } = this
    while (this.at < text.length) {
      this.tick()
      this.step()
    }
    return this.out
  }

  private step(): void {
    const { text, at } = this
    const char = text[at]!
    if (this.copy(SPACE)) return
    if (char === '-' && text[at + 1] === '-') {
      this.comment()
      return
    }
    const name = this.match(NAME)
    if (name !== undefined) {
      this.out += name
      this.locals = name === 'local' ? 'name' : this.locals === 'name' && name !== 'function' ? 'after' : 'none'
      return
    }
    const numeral = this.match(NUMERAL)
    if (numeral !== undefined) this.out += float(numeral)
    else if (char === '"' || char === "'") this.quoted(char)
    else if (char === '[' && this.long()) return
    else this.operator(char)
    this.locals = char === ',' && this.locals === 'after' ? 'name' : 'none'
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.text)?.[0]
    if (found !== undefined) this.at += found.length
    return found
  }

  private copy(pattern: RegExp): boolean {
    const found = this.match(pattern)
    if (found === undefined || found === '') return false
    this.out += found
    return true
  }

  private comment(): void {
    this.at += 2
    if (this.text[this.at] === '[' && this.long('--')) return
    this.at -= 2
    this.copy(SHORT_COMMENT)
  }

  /** A string in long brackets, or a comment if `before` says so; false if this is none. */
  private long(before: string = ''): boolean {
    const { text, at } = this
    LONG_OPEN.lastIndex = at
    const open = LONG_OPEN.exec(text)
    if (open === null) return false
    const close = text.indexOf(`]${open[1]}]`, at)
    // Lua says what is wrong with one that does not end.
    const end = close < 0 ? text.length : close + open[0].length
    this.out += before + text.slice(at, end)
    this.at = end
    return true
  }

  private quoted(quote: '"' | "'"): void {
    const { text } = this
    this.out += quote
    this.at++
    while (this.at < text.length) {
      this.copy(QUOTED[quote])
      const char = text[this.at]
      if (char === undefined) return
      this.at++
      if (char !== '\\') {
        // The closing quote, or a line break, which Lua complains about.
        this.out += char
        return
      }
      const escaped = text[this.at] ?? ''
      this.at++
      this.out += escaped !== '' && ESCAPES.includes(escaped) ? `\\${escaped}` : escaped
    }
  }

  private operator(char: string): void {
    const { text, at } = this
    const two = text.slice(at, at + 2)
    if (two === '//' || two === '<<' || two === '>>' || two === '::') this.refuse(char, at)
    if (char === '<' && this.locals === 'after') this.refuse(char, at)
    const operator = OPERATORS.find(each => text.startsWith(each, at)) ?? char
    // What no Lua knows is left to it to complain of.
    if (operator === char && !SINGLE.includes(char) && '&|~'.includes(char)) this.refuse(char, at)
    this.out += operator
    this.at += operator.length
  }

  private refuse(char: string, at: number): never {
    const line = this.text.slice(0, at).split('\n').length
    throw new LuaSyntaxError(`unexpected symbol near '${char}'`, line)
  }
}

/** A numeral as Lua 5.4 reads a float of it. */
const float = (numeral: string): string => {
  if (/^0[xX][0-9a-fA-F]+$/.test(numeral)) return decimal(Number(BigInt(numeral)))
  return /^[0-9]+$/.test(numeral) ? `${numeral}.0` : numeral
}

const decimal = (value: number): string => {
  const text = String(value)
  return /^[0-9]+$/.test(text) ? `${text}.0` : text
}
