/** The library `cjson` (lua-cjson 2.1): JSON. */
import {
  LUA_TBOOLEAN,
  LUA_TNIL,
  LUA_TNUMBER,
  LUA_TSTRING,
  LUA_TTABLE,
  type LuaFunction,
  type LuaState,
} from './lua-state.ts'
import { formatG } from './numbers.ts'
import { Pieces } from './pieces.ts'
import type { Address } from './wasm.ts'

const MAX_DEPTH = 1000
const LIGHT_USERDATA = 2

/** What scripts may set; it holds for all of them, as in Redis. */
class Settings {
  encodeDepth = MAX_DEPTH
  decodeDepth = MAX_DEPTH
  precision = 14
  sparse = { convert: false, ratio: 2, safe: 10 }
  encodeInvalid: boolean | 'null' = false
  decodeInvalid = true
  keepBuffer = true
}

/** Pushes the table. */
export const openCjson = (lua: LuaState): void => {
  const { x, main } = lua
  const settings = new Settings()

  const number =
    (field: 'encodeDepth' | 'decodeDepth' | 'precision', most: number): LuaFunction =>
    L => {
      if (x.lua_gettop(L) > 0) {
        const value = Math.trunc(lua.checkNumber(L, 1))
        if (!(value >= 1 && value <= most)) lua.failArgument(L, 1, `expected integer between 1 and ${most}`)
        settings[field] = value
      }
      x.lua_pushnumber(L, settings[field])
      return 1
    }
  const flag =
    (field: 'keepBuffer' | 'decodeInvalid' | 'encodeInvalid'): LuaFunction =>
    L => {
      if (x.lua_gettop(L) > 0) {
        const word =
          x.lua_type(L, 1) === LUA_TBOOLEAN ? (x.lua_toboolean(L, 1) === 0 ? 'off' : 'on') : lua.checkText(L, 1)
        if (field === 'encodeInvalid' && word === 'null') settings.encodeInvalid = 'null'
        else if (word !== 'on' && word !== 'off') lua.failArgument(L, 1, `invalid option '${word}'`)
        else settings[field] = word === 'on'
      }
      if (settings[field] === 'null') lua.push(L, 'null')
      else x.lua_pushboolean(L, settings[field] === true ? 1 : 0)
      return 1
    }

  x.lua_createtable(main, 0, 16)
  lua.define({
    encode: L => {
      if (x.lua_gettop(L) !== 1) lua.failArgument(L, 1, 'expected 1 argument')
      lua.push(L, new Encoder(lua, L, settings).encode())
      return 1
    },
    decode: L => {
      if (x.lua_gettop(L) !== 1) lua.failArgument(L, 1, 'expected 1 argument')
      const text = lua.checkText(L, 1)
      if (text.length >= 2 && (text[0] === '\0' || text[1] === '\0'))
        lua.fail(L, 'JSON parser does not support UTF-16 or UTF-32')
      new Decoder(lua, L, text, settings).decode()
      return 1
    },
    encode_max_depth: number('encodeDepth', 2 ** 31 - 1),
    decode_max_depth: number('decodeDepth', 2 ** 31 - 1),
    encode_number_precision: number('precision', 14),
    encode_keep_buffer: flag('keepBuffer'),
    encode_invalid_numbers: flag('encodeInvalid'),
    decode_invalid_numbers: flag('decodeInvalid'),
    encode_sparse_array: L => {
      const { sparse } = settings
      const count = x.lua_gettop(L)
      if (count > 0) sparse.convert = x.lua_toboolean(L, 1) !== 0
      if (count > 1) sparse.ratio = Math.trunc(lua.checkNumber(L, 2))
      if (count > 2) sparse.safe = Math.trunc(lua.checkNumber(L, 3))
      x.lua_pushboolean(L, sparse.convert ? 1 : 0)
      x.lua_pushnumber(L, sparse.ratio)
      x.lua_pushnumber(L, sparse.safe)
      return 3
    },
  })
  x.lua_pushlightuserdata(main, 0)
  x.lua_setfield(main, -2, lua.name('null'))
  lua.push(main, 'cjson')
  x.lua_setfield(main, -2, lua.name('_NAME'))
  lua.push(main, '2.1.0')
  x.lua_setfield(main, -2, lua.name('_VERSION'))
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON escapes them
const SPECIAL = /["\\/\x00-\x1f\x7f]/g
const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '/': '\\/',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\f': '\\f',
  '\r': '\\r',
}
const escaped = (char: string): string => SHORT[char] ?? `\\u00${char.charCodeAt(0).toString(16).padStart(2, '0')}`
const quoted = (text: string): string => `"${text.replace(SPECIAL, escaped)}"`

class Encoder {
  private readonly lua: LuaState
  private readonly L: Address
  private readonly settings: Settings
  private readonly pieces: Pieces = new Pieces()

  constructor(lua: LuaState, L: Address, settings: Settings) {
    this.lua = lua
    this.L = L
    this.settings = settings
  }

  /** The JSON of the value on top of the stack. */
  encode(): string {
    this.value(0)
    return this.pieces.join()
  }

  private write(text: string): void {
    this.lua.step()
    this.pieces.add(text)
    this.lua.requireRoom(this.L, this.pieces.length)
  }

  private value(depth: number): void {
    const { lua, L } = this
    const { x } = lua
    const type = x.lua_type(L, -1)
    if (type === LUA_TSTRING) this.write(quoted(lua.text(L, -1)!))
    else if (type === LUA_TNUMBER) this.write(this.number(lua.number(L, -1)))
    else if (type === LUA_TBOOLEAN) this.write(x.lua_toboolean(L, -1) === 0 ? 'false' : 'true')
    else if (type === LUA_TTABLE) this.table(depth + 1)
    else if (type === LUA_TNIL || (type === LIGHT_USERDATA && x.lua_topointer(L, -1) === 0)) this.write('null')
    else this.refuse(type, 'type not supported')
  }

  private refuse(type: number, reason: string): never {
    return this.lua.fail(this.L, `Cannot serialise ${TYPES[type] ?? 'userdata'}: ${reason}`)
  }

  private number(value: number): string {
    const { encodeInvalid, precision } = this.settings
    if (Number.isFinite(value)) return formatG(value, precision)
    if (encodeInvalid === 'null') return 'null'
    if (!encodeInvalid) this.refuse(LUA_TNUMBER, 'must not be NaN or Inf')
    return formatG(value, precision)
  }

  private table(depth: number): void {
    const { lua, L } = this
    if (depth > this.settings.encodeDepth || lua.x.lua_checkstack(L, 8) === 0)
      lua.fail(L, `Cannot serialise, excessive depth (${depth})`)
    const length = this.arrayLength()
    if (length > 0) this.array(length, depth)
    else this.object(depth)
  }

  /** Above 0 if all keys are whole numbers from 1 on. */
  private arrayLength(): number {
    const { lua, L, settings } = this
    const { x } = lua
    let most = 0
    let count = 0
    x.lua_pushnil(L)
    while (x.lua_next(L, -2) !== 0) {
      lua.step()
      const key = x.lua_type(L, -2) === LUA_TNUMBER ? lua.number(L, -2) : 0
      if (!(key >= 1) || !Number.isInteger(key)) {
        x.lua_settop(L, -3)
        return -1
      }
      if (key > most) most = key
      count++
      x.lua_settop(L, -2)
    }
    const { ratio, safe, convert } = settings.sparse
    if (ratio > 0 && most > count * ratio && most > safe) {
      if (!convert) this.refuse(LUA_TTABLE, 'excessively sparse array')
      return -1
    }
    return most
  }

  private array(length: number, depth: number): void {
    const { lua, L } = this
    this.write('[')
    for (let i = 1; i <= length; i++) {
      if (i > 1) this.write(',')
      lua.x.lua_rawgeti(L, -1, BigInt(i))
      this.value(depth)
      lua.x.lua_settop(L, -2)
    }
    this.write(']')
  }

  private object(depth: number): void {
    const { lua, L } = this
    const { x } = lua
    this.write('{')
    let separator = ''
    x.lua_pushnil(L)
    while (x.lua_next(L, -2) !== 0) {
      const type = x.lua_type(L, -2)
      let key: string
      if (type === LUA_TSTRING) key = quoted(lua.text(L, -2)!)
      else if (type === LUA_TNUMBER) key = `"${this.number(lua.number(L, -2))}"`
      else key = this.refuse(LUA_TTABLE, 'table key must be a number or string')
      this.write(`${separator}${key}:`)
      separator = ','
      this.value(depth)
      x.lua_settop(L, -2)
    }
    this.write('}')
  }
}

const TYPES: Readonly<Record<number, string>> = {
  2: 'userdata',
  3: 'number',
  5: 'table',
  6: 'function',
  7: 'userdata',
  8: 'thread',
}

const MARKS: Readonly<Record<string, string>> = {
  '{': 'T_OBJ_BEGIN',
  '}': 'T_OBJ_END',
  '[': 'T_ARR_BEGIN',
  ']': 'T_ARR_END',
  ':': 'T_COLON',
  ',': 'T_COMMA',
}

interface Token {
  readonly type: string
  /** What a string, number or boolean is; what is wrong if the type is T_ERROR. */
  readonly value?: string | number | boolean
  readonly at: number
}

const SPACE = /[ \t\n\r]*/y
const NUMBER = /-?(?:0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)/y
const INVALID_NUMBER = /-?(?:inf(?:inity)?|nan)/iy
const PLAIN = /[^"\\]*/y

class Decoder {
  private readonly lua: LuaState
  private readonly L: Address
  private readonly text: string
  private readonly settings: Settings
  private at = 0
  private depth = 0

  constructor(lua: LuaState, L: Address, text: string, settings: Settings) {
    this.lua = lua
    this.L = L
    this.text = text
    this.settings = settings
  }

  /** Pushes the value that the text stands for. */
  decode(): void {
    this.value(this.next())
    const token = this.next()
    if (token.type !== 'T_END') this.refuse('the end', token)
  }

  private refuse(expected: string, { type, value, at }: Token): never {
    const found = type === 'T_ERROR' ? value : type
    return this.lua.fail(this.L, `Expected ${expected} but found ${found} at character ${at + 1}`)
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.text)?.[0]
    if (found !== undefined) this.at += found.length
    return found
  }

  private next(): Token {
    this.lua.step()
    this.match(SPACE)
    const { text, at } = this
    if (at >= text.length) return { type: 'T_END', at }
    const char = text[at]!
    const mark = MARKS[char]
    if (mark !== undefined) {
      this.at++
      return { type: mark, at }
    }
    if (char === '"') return this.string()
    const word = (name: string, token: Omit<Token, 'at'>): Token | undefined => {
      if (!text.startsWith(name, at)) return undefined
      this.at += name.length
      return { ...token, at }
    }
    const known =
      word('true', { type: 'T_BOOLEAN', value: true }) ??
      word('false', { type: 'T_BOOLEAN', value: false }) ??
      word('null', { type: 'T_NULL' })
    if (known !== undefined) return known
    const number = this.match(NUMBER)
    if (number !== undefined) {
      const value = number.startsWith('-0x') || number.startsWith('-0X') ? -Number(number.slice(1)) : Number(number)
      if (!this.settings.decodeInvalid && /^-?0[0-9x]/i.test(number))
        return { type: 'T_ERROR', value: 'invalid number', at }
      return { type: 'T_NUMBER', value, at }
    }
    const other = this.settings.decodeInvalid ? this.match(INVALID_NUMBER) : undefined
    if (other !== undefined)
      return {
        type: 'T_NUMBER',
        value: /nan/i.test(other) ? Number.NaN : other[0] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY,
        at,
      }
    return { type: 'T_ERROR', value: char === '-' ? 'invalid number' : 'invalid token', at }
  }

  private string(): Token {
    const start = this.at
    const value = new Pieces()
    this.at++
    for (;;) {
      this.lua.step()
      value.add(this.match(PLAIN) ?? '')
      const char = this.text[this.at]
      if (char === undefined) return { type: 'T_ERROR', value: 'unexpected end of string', at: this.at }
      this.at++
      if (char === '"') return { type: 'T_STRING', value: value.join(), at: start }
      const letter = this.text[this.at] ?? ''
      const simple = UNESCAPED[letter]
      if (simple !== undefined) {
        value.add(simple)
        this.at++
      } else if (letter === 'u') {
        const bytes = this.unicode()
        if (bytes === undefined) return { type: 'T_ERROR', value: 'invalid unicode escape code', at: this.at - 1 }
        value.add(bytes)
      } else return { type: 'T_ERROR', value: 'invalid escape code', at: this.at - 1 }
    }
  }

  /** The UTF-8 of `u` and four digits, or of a pair of surrogates. */
  private unicode(): string | undefined {
    const { text, at } = this
    const unit = (from: number): number => {
      const digits = text.slice(from, from + 4)
      return /^[0-9a-fA-F]{4}$/.test(digits) ? Number.parseInt(digits, 16) : -1
    }
    const first = unit(at + 1)
    if (first < 0) return undefined
    let code = first
    let length = 5
    if ((first & 0xfc00) === 0xd800) {
      const second = text.startsWith('\\u', at + 5) ? unit(at + 7) : -1
      if ((second & 0xfc00) !== 0xdc00 || second < 0) return undefined
      code = 0x10000 + ((first & 0x3ff) << 10) + (second & 0x3ff)
      length = 11
    }
    this.at += length
    return utf8(code)
  }

  private value(token: Token): void {
    const { lua, L } = this
    const { x } = lua
    switch (token.type) {
      case 'T_STRING':
        lua.push(L, token.value as string)
        break
      case 'T_NUMBER':
        x.lua_pushnumber(L, token.value as number)
        break
      case 'T_BOOLEAN':
        x.lua_pushboolean(L, token.value === true ? 1 : 0)
        break
      case 'T_OBJ_BEGIN':
        this.object()
        break
      case 'T_ARR_BEGIN':
        this.array()
        break
      case 'T_NULL':
        x.lua_pushlightuserdata(L, 0)
        break
      default:
        this.refuse('value', token)
    }
  }

  private descend(): void {
    const { lua, L } = this
    if (++this.depth > this.settings.decodeDepth || lua.x.lua_checkstack(L, 4) === 0)
      lua.fail(L, `Found too many nested data structures (${this.depth})`)
    lua.x.lua_createtable(L, 0, 0)
  }

  private object(): void {
    this.descend()
    let token = this.next()
    if (token.type !== 'T_OBJ_END')
      for (;;) {
        if (token.type !== 'T_STRING') this.refuse('object key string', token)
        this.lua.push(this.L, token.value as string)
        const colon = this.next()
        if (colon.type !== 'T_COLON') this.refuse('colon', colon)
        this.value(this.next())
        this.lua.x.lua_rawset(this.L, -3)
        token = this.next()
        if (token.type === 'T_OBJ_END') break
        if (token.type !== 'T_COMMA') this.refuse('comma or object end', token)
        token = this.next()
      }
    this.depth--
  }

  private array(): void {
    this.descend()
    let token = this.next()
    if (token.type !== 'T_ARR_END')
      for (let i = 1n; ; i++) {
        this.value(token)
        this.lua.x.lua_rawseti(this.L, -2, i)
        token = this.next()
        if (token.type === 'T_ARR_END') break
        if (token.type !== 'T_COMMA') this.refuse('comma or array end', token)
        token = this.next()
      }
    this.depth--
  }
}

const UNESCAPED: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

/** One character per byte. */
const utf8 = (code: number): string => {
  if (code < 0x80) return String.fromCharCode(code)
  const rest = (shift: number): number => 0x80 | ((code >> shift) & 0x3f)
  if (code < 0x800) return String.fromCharCode(0xc0 | (code >> 6), rest(0))
  if (code < 0x10000) return String.fromCharCode(0xe0 | (code >> 12), rest(6), rest(0))
  return String.fromCharCode(0xf0 | (code >> 18), rest(12), rest(6), rest(0))
}
