/** What commands answer as values of Lua, and values of Lua as replies: as Redis does both. */
import type { ReplyWriter } from '../protocol/reply.ts'
import { LUA_TBOOLEAN, LUA_TNIL, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, type LuaState } from './lua-state.ts'
import { formatG, toInteger } from './numbers.ts'
import type { Address } from './wasm.ts'

/** Tables in tables that a reply may have. */
const MAX_DEPTH = 1000
/** In a list that is no longer, names are looked for by going over it. */
const FEW = 16
const TRUE = Buffer.from('#t\r\n')
const FALSE = Buffer.from('#f\r\n')

/** Pushes an error of Redis: a table with `err`. */
export const pushError = (lua: LuaState, L: Address, message: string): void => {
  lua.x.lua_createtable(L, 0, 2)
  lua.push(L, message)
  lua.x.lua_setfield(L, -2, lua.name('err'))
}

/** An error of a command: it has been counted. */
const pushCommandError = (lua: LuaState, L: Address, message: string): void => {
  const trimmed = message.replace(/[\r\n]+$/, '')
  pushError(lua, L, trimmed.includes(' ') ? trimmed : `ERR ${trimmed}`)
  lua.x.lua_pushboolean(L, 1)
  lua.x.lua_setfield(L, -2, lua.name('ignore_error_stats_update'))
}

/** Pushes what a reply says. True if it is an error. */
export const pushReply = (lua: LuaState, L: Address, bytes: Buffer): boolean => {
  const { x } = lua
  if (bytes[0] === 58 && bytes.length < 18) {
    x.lua_pushnumber(L, shortInteger(bytes))
    return false
  }
  new ReplyReader(lua, L, bytes).value()
  return bytes[0] === 45
}

/** `:<digits>\r\n` with at most 15 digits. */
const shortInteger = (bytes: Buffer): number => {
  const negative = bytes[1] === 45
  let value = 0
  for (let at = negative ? 2 : 1; bytes[at] !== 13; at++) value = value * 10 + bytes[at]! - 48
  return negative ? -value : value
}

class ReplyReader {
  private readonly lua: LuaState
  private readonly L: Address
  private readonly bytes: Buffer
  private at = 0

  constructor(lua: LuaState, L: Address, bytes: Buffer) {
    this.lua = lua
    this.L = L
    this.bytes = bytes
  }

  value(): void {
    const { lua, L, bytes } = this
    const { x } = lua
    x.luaL_checkstack(L, 6, lua.name('a reply'))
    const mark = bytes[this.at++]
    const end = bytes.indexOf(13, this.at)
    const from = this.at
    this.at = end + 2
    const line = (): string => bytes.toString('latin1', from, end)
    switch (mark) {
      case 36: // $
        this.bulk(Number(line()))
        break
      case 58: // :
        x.lua_pushnumber(L, Number(line()))
        break
      case 43: // +
        x.lua_createtable(L, 0, 1)
        lua.pushBytes(L, bytes, from, end)
        x.lua_setfield(L, -2, lua.name('ok'))
        break
      case 45: // -
        pushCommandError(lua, L, line())
        break
      case 42: // *
      case 62: // >
        this.array(Number(line()))
        break
      case 37: // %
        this.inside('map', () => this.pairs(Number(line())))
        break
      case 126: // ~
        this.inside('set', () => this.members(Number(line())))
        break
      case 95: // _
        x.lua_pushnil(L)
        break
      case 35: // #
        x.lua_pushboolean(L, bytes[from] === 116 ? 1 : 0)
        break
      case 44: // ,
        this.field('double', () => x.lua_pushnumber(L, asDouble(line())))
        break
      case 40: // (
        this.field('big_number', () => lua.pushBytes(L, bytes, from, end))
        break
      case 61: // =
        this.verbatim(Number(line()))
        break
      default:
        throw new Error(`no reply begins with the byte ${mark}`)
    }
  }

  private bulk(length: number): void {
    const { lua, L, bytes, at } = this
    if (length < 0) lua.x.lua_pushboolean(L, 0)
    else {
      lua.pushBytes(L, bytes, at, at + length)
      this.at = at + length + 2
    }
  }

  private array(length: number): void {
    const { x } = this.lua
    if (length < 0) {
      x.lua_pushboolean(this.L, 0)
      return
    }
    x.lua_createtable(this.L, length, 0)
    for (let i = 1; i <= length; i++) {
      this.value()
      x.lua_rawseti(this.L, -2, BigInt(i))
    }
  }

  private pairs(count: number): void {
    for (let i = 0; i < count; i++) {
      this.value()
      this.value()
      this.lua.x.lua_rawset(this.L, -3)
    }
  }

  private members(count: number): void {
    for (let i = 0; i < count; i++) {
      this.value()
      this.lua.x.lua_pushboolean(this.L, 1)
      this.lua.x.lua_rawset(this.L, -3)
    }
  }

  private verbatim(length: number): void {
    const { lua, L, bytes, at } = this
    this.inside('verbatim_string', () => {
      lua.pushBytes(L, bytes, at + 4, at + length)
      lua.x.lua_setfield(L, -2, lua.name('string'))
      lua.pushBytes(L, bytes, at, at + 3)
      lua.x.lua_setfield(L, -2, lua.name('format'))
    })
    this.at = at + length + 2
  }

  /** A table with one field, which is a table. */
  private inside(name: string, fill: () => void): void {
    this.field(name, () => {
      this.lua.x.lua_createtable(this.L, 0, 0)
      fill()
    })
  }

  private field(name: string, push: () => void): void {
    this.lua.x.lua_createtable(this.L, 0, 1)
    push()
    this.lua.x.lua_setfield(this.L, -2, this.lua.name(name))
  }
}

const asDouble = (text: string): number =>
  text === 'inf' ? Number.POSITIVE_INFINITY : text === '-inf' ? Number.NEGATIVE_INFINITY : Number(text)

/** Answers with the value on top of the stack, which stays there. `resp3`: what the script has said with `setresp`. */
export const writeReply = (lua: LuaState, L: Address, out: ReplyWriter, resp3: boolean): void => {
  new ReplyMaker(lua, L, out, resp3).value(0)
}

class ReplyMaker {
  private readonly lua: LuaState
  private readonly L: Address
  private readonly out: ReplyWriter
  private readonly resp3: boolean

  constructor(lua: LuaState, L: Address, out: ReplyWriter, resp3: boolean) {
    this.lua = lua
    this.L = L
    this.out = out
    this.resp3 = resp3
  }

  value(depth: number): void {
    const { lua, L, out } = this
    const { x } = lua
    switch (x.lua_type(L, -1)) {
      case LUA_TSTRING:
        this.bulk()
        break
      case LUA_TNUMBER:
        out.integer(toInteger(lua.number(L, -1)))
        break
      case LUA_TBOOLEAN:
        this.boolean(x.lua_toboolean(L, -1) !== 0)
        break
      case LUA_TTABLE:
        if (depth > MAX_DEPTH) out.error('ERR reached lua stack limit')
        else {
          x.luaL_checkstack(L, 8, lua.name('a reply'))
          this.table(depth)
        }
        break
      default:
        out.null()
    }
  }

  private bulk(): void {
    const { lua, L } = this
    const address = lua.addressOf(L, -1)
    this.out.bulkPart(lua.wasm.memory, address, lua.lastLength)
  }

  private boolean(value: boolean): void {
    const { out } = this
    if (!this.resp3) {
      if (value) out.integer(1)
      else out.null()
    } else if (out.resp3) out.raw(value ? TRUE : FALSE)
    else out.integer(value ? 1 : 0)
  }

  private table(depth: number): void {
    this.lua.step()
    if (!this.isNamed() || !this.special(depth)) this.array(depth)
  }

  /** It may have a field with a name: few have. */
  private isNamed(): boolean {
    const { lua, L } = this
    const { x } = lua
    if (x.lua_rawlen(L, -1) > FEW) return true
    x.lua_pushnil(L)
    while (x.lua_next(L, -2) !== 0) {
      const isName = x.lua_type(L, -2) === LUA_TSTRING
      x.lua_settop(L, isName ? -3 : -2)
      if (isName) return true
    }
    return false
  }

  /** A table that stands for something else than a list: `err`, `ok`, `double`, … True if it is one. */
  private special(depth: number): boolean {
    const { out, lua } = this
    const { x } = lua
    const line = (text: string): string => text.replace(/[\r\n]/g, ' ')
    return (
      this.with('err', LUA_TSTRING, text => out.error(text())) ||
      this.with('ok', LUA_TSTRING, text => out.simple(line(text()))) ||
      this.with('double', LUA_TNUMBER, () => this.double(lua.number(this.L, -1))) ||
      this.with('big_number', LUA_TSTRING, text => {
        if (out.resp3) out.raw(Buffer.from(`(${line(text())}\r\n`, 'latin1'))
        else out.bulk(Buffer.from(line(text()), 'latin1'))
      }) ||
      this.verbatim() ||
      this.with('map', LUA_TTABLE, () => {
        out.map(this.count())
        this.each(() => {
          x.lua_pushvalue(this.L, -2)
          this.value(depth + 1)
          x.lua_settop(this.L, -2)
          this.value(depth + 1)
        })
      }) ||
      this.with('set', LUA_TTABLE, () => {
        out.set(this.count())
        this.each(() => {
          x.lua_pushvalue(this.L, -2)
          this.value(depth + 1)
          x.lua_settop(this.L, -2)
        })
      })
    )
  }

  private double(value: number): void {
    const text = Number.isNaN(value) ? 'nan' : formatG(value, 17)
    if (this.out.resp3) this.out.raw(Buffer.from(`,${text}\r\n`))
    else this.out.text(text)
  }

  /** Runs `work` with the field of a name on top of the stack, if it is of the type. */
  private with(name: string, type: number, work: (text: () => string) => void): boolean {
    const { lua, L } = this
    const { x } = lua
    lua.push(L, name)
    x.lua_rawget(L, -2)
    const found = x.lua_type(L, -1) === type
    if (found) work(() => lua.text(L, -1)!)
    x.lua_settop(L, -2)
    return found
  }

  private verbatim(): boolean {
    let done = false
    this.with('verbatim_string', LUA_TTABLE, () =>
      this.with('format', LUA_TSTRING, format => {
        const kind = format()
        this.lua.x.lua_settop(this.L, -2)
        done = this.with('string', LUA_TSTRING, text => this.writeVerbatim(text(), kind))
        this.lua.x.lua_pushnil(this.L)
      }),
    )
    return done
  }

  private writeVerbatim(text: string, kind: string): void {
    const { out } = this
    if (!out.resp3) out.bulk(Buffer.from(text, 'latin1'))
    else out.raw(Buffer.from(`=${text.length + 4}\r\n${kind.slice(0, 3).padEnd(3)}:${text}\r\n`, 'latin1'))
  }

  private count(): number {
    let count = 0
    this.each(() => count++)
    return count
  }

  /** Runs `work` with each key and value of the table on top of the stack. */
  private each(work: () => void): void {
    const { x } = this.lua
    x.lua_pushnil(this.L)
    while (x.lua_next(this.L, -2) !== 0) {
      work()
      x.lua_settop(this.L, -2)
    }
  }

  /** Up to the first `nil`. */
  private array(depth: number): void {
    const { lua, L, out } = this
    const { x } = lua
    let count = 0
    while (x.lua_rawgeti(L, -1, BigInt(count + 1)) !== LUA_TNIL) {
      x.lua_settop(L, -2)
      count++
    }
    x.lua_settop(L, -2)
    out.array(count)
    for (let i = 1; i <= count; i++) {
      x.lua_rawgeti(L, -1, BigInt(i))
      this.value(depth + 1)
      x.lua_settop(L, -2)
    }
  }
}
