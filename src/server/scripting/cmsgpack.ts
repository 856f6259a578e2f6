/** The library `cmsgpack` (lua-cmsgpack 0.4): MessagePack. */
import { LUA_TBOOLEAN, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, type LuaFunction, type LuaState } from './lua-state.ts'
import { Pieces } from './pieces.ts'
import type { Address } from './wasm.ts'

/** A table so many tables deep is packed as nil. */
const MAX_NESTING = 16

export const msgpackFunctions = (lua: LuaState): Record<string, LuaFunction> => {
  const { x } = lua

  const unpack = (L: Address, limit: number, offset: number, tellsOffset: boolean): number => {
    const text = lua.checkText(L, 1)
    if (offset < 0 || limit < 0)
      lua.fail(L, `Invalid request to unpack with offset of ${offset} and limit of ${text.length}.`)
    if (offset > text.length) lua.fail(L, `Start offset ${offset} greater than input length ${text.length}.`)
    const reader = new Unpacker(lua, L, Buffer.from(text, 'latin1'), offset)
    let count = 0
    if (tellsOffset) x.lua_pushnil(L)
    const from = x.lua_gettop(L)
    while (reader.at < text.length && (limit === 0 || count < limit)) {
      if (x.lua_checkstack(L, 2) === 0) lua.fail(L, 'Too many values to unpack')
      reader.value()
      count++
    }
    if (!tellsOffset) return count
    x.lua_pushnumber(L, reader.at < text.length ? reader.at : -1)
    x.lua_copy(L, -1, from)
    x.lua_settop(L, -2)
    return count + 1
  }

  return {
    pack: L => {
      const count = x.lua_gettop(L)
      if (count === 0) lua.failArgument(L, 0, 'MessagePack pack needs input.')
      const packer = new Packer(lua, L)
      for (let i = 1; i <= count; i++) {
        x.luaL_checkstack(L, 1, lua.name('too many arguments'))
        x.lua_pushvalue(L, i)
        packer.value(0)
        x.lua_settop(L, -2)
      }
      lua.push(L, packer.text())
      return 1
    },
    unpack: L => unpack(L, 0, 0, false),
    unpack_one: L => unpack(L, 1, x.lua_gettop(L) < 2 ? 0 : Math.trunc(lua.checkNumber(L, 2)), true),
    unpack_limit: L =>
      unpack(L, Math.trunc(lua.checkNumber(L, 2)), x.lua_gettop(L) < 3 ? 0 : Math.trunc(lua.checkNumber(L, 3)), true),
  }
}

class Packer {
  private readonly lua: LuaState
  private readonly L: Address
  private readonly pieces: Pieces = new Pieces()

  constructor(lua: LuaState, L: Address) {
    this.lua = lua
    this.L = L
  }

  text(): string {
    return this.pieces.join()
  }

  /** Packs the value on top of the stack. */
  value(level: number): void {
    const { lua, L } = this
    const { x } = lua
    const type = x.lua_type(L, -1)
    if (type === LUA_TSTRING) this.string(lua.text(L, -1)!)
    else if (type === LUA_TBOOLEAN) this.byte(x.lua_toboolean(L, -1) === 0 ? 0xc2 : 0xc3)
    else if (type === LUA_TNUMBER) this.number(lua.number(L, -1))
    else if (type === LUA_TTABLE && level < MAX_NESTING) this.table(level)
    else this.byte(0xc0)
  }

  private write(text: string): void {
    this.pieces.add(text)
    this.lua.requireRoom(this.L, this.pieces.length)
  }

  private byte(value: number): void {
    this.lua.step()
    this.write(String.fromCharCode(value))
  }

  /** A mark and a whole number of so many bytes. */
  private sized(mark: number, bytes: number, value: number | bigint): void {
    let text = ''
    let rest = BigInt.asUintN(8 * bytes, BigInt(value))
    for (let i = 0; i < bytes; i++) {
      text = String.fromCharCode(Number(rest & 0xffn)) + text
      rest >>= 8n
    }
    this.byte(mark)
    this.write(text)
  }

  private string(text: string): void {
    const { length } = text
    if (length < 32) this.byte(0xa0 | length)
    else if (length <= 0xff) this.sized(0xd9, 1, length)
    else if (length <= 0xffff) this.sized(0xda, 2, length)
    else this.sized(0xdb, 4, length)
    this.write(text)
  }

  private number(value: number): void {
    if (Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63) this.integer(value)
    else {
      const bytes = Buffer.alloc(8)
      if (Math.fround(value) === value) {
        this.byte(0xca)
        bytes.writeFloatBE(value)
        this.write(bytes.toString('latin1', 0, 4))
      } else {
        this.byte(0xcb)
        bytes.writeDoubleBE(value)
        this.write(bytes.toString('latin1'))
      }
    }
  }

  private integer(value: number): void {
    if (value >= 0) {
      if (value <= 127) this.byte(value)
      else if (value <= 0xff) this.sized(0xcc, 1, value)
      else if (value <= 0xffff) this.sized(0xcd, 2, value)
      else if (value <= 0xffffffff) this.sized(0xce, 4, value)
      else this.sized(0xcf, 8, value)
    } else if (value >= -32) this.byte(value & 0xff)
    else if (value >= -128) this.sized(0xd0, 1, value)
    else if (value >= -32768) this.sized(0xd1, 2, value)
    else if (value >= -(2 ** 31)) this.sized(0xd2, 4, value)
    else this.sized(0xd3, 8, value)
  }

  private table(level: number): void {
    const { lua, L } = this
    const { x } = lua
    x.luaL_checkstack(L, 4, lua.name('in a table'))
    const [isArray, count] = this.shape()
    if (isArray) {
      this.length(count, 0x90, 0xdc)
      for (let i = 1; i <= count; i++) {
        x.lua_rawgeti(L, -1, BigInt(i))
        this.value(level + 1)
        x.lua_settop(L, -2)
      }
      return
    }
    this.length(count, 0x80, 0xde)
    x.lua_pushnil(L)
    while (x.lua_next(L, -2) !== 0) {
      x.lua_pushvalue(L, -2)
      this.value(level + 1)
      x.lua_settop(L, -2)
      this.value(level + 1)
      x.lua_settop(L, -2)
    }
  }

  private length(count: number, short: number, long: number): void {
    if (count <= 15) this.byte(short | count)
    else if (count <= 0xffff) this.sized(long, 2, count)
    else this.sized(long + 1, 4, count)
  }

  /** Whether its keys are 1, 2, … without a gap, and how many it has. */
  private shape(): [boolean, number] {
    const { lua, L } = this
    const { x } = lua
    let count = 0
    let most = 0
    let isArray = true
    x.lua_pushnil(L)
    while (x.lua_next(L, -2) !== 0) {
      lua.step()
      const key = x.lua_type(L, -2) === LUA_TNUMBER ? lua.number(L, -2) : 0
      if (!(key >= 1) || !Number.isInteger(key)) isArray = false
      if (key > most) most = key
      count++
      x.lua_settop(L, -2)
    }
    return [isArray && most === count, count]
  }
}

class Unpacker {
  at: number
  private readonly lua: LuaState
  private readonly L: Address
  private readonly bytes: Buffer

  constructor(lua: LuaState, L: Address, bytes: Buffer, at: number) {
    this.lua = lua
    this.L = L
    this.bytes = bytes
    this.at = at
  }

  /** Where the next bytes lie, so many. */
  private take(count: number): number {
    const { at } = this
    if (at + count > this.bytes.length) this.lua.fail(this.L, 'Missing bytes in input.')
    this.at = at + count
    return at
  }

  private unsigned(bytes: number): number {
    return this.bytes.readUIntBE(this.take(bytes), bytes)
  }

  /** Pushes the next value. */
  value(): void {
    const { lua, L, bytes } = this
    const { x } = lua
    lua.step()
    const mark = bytes[this.take(1)]!
    if (mark < 0x80) x.lua_pushnumber(L, mark)
    else if (mark < 0x90) this.map(mark & 15)
    else if (mark < 0xa0) this.array(mark & 15)
    else if (mark < 0xc0) this.string(mark & 31)
    else if (mark >= 0xe0) x.lua_pushnumber(L, mark - 256)
    else this.long(mark)
  }

  private long(mark: number): void {
    const { lua, L, bytes } = this
    const { x } = lua
    const number = (value: number | bigint): void => x.lua_pushnumber(L, Number(value))
    switch (mark) {
      case 0xc0:
        x.lua_pushnil(L)
        break
      case 0xc2:
      case 0xc3:
        x.lua_pushboolean(L, mark & 1)
        break
      case 0xca:
        number(bytes.readFloatBE(this.take(4)))
        break
      case 0xcb:
        number(bytes.readDoubleBE(this.take(8)))
        break
      case 0xcc:
      case 0xcd:
      case 0xce:
        number(this.unsigned(1 << (mark - 0xcc)))
        break
      case 0xcf:
        number(bytes.readBigUInt64BE(this.take(8)))
        break
      case 0xd0:
        number(bytes.readInt8(this.take(1)))
        break
      case 0xd1:
        number(bytes.readInt16BE(this.take(2)))
        break
      case 0xd2:
        number(bytes.readInt32BE(this.take(4)))
        break
      case 0xd3:
        number(bytes.readBigInt64BE(this.take(8)))
        break
      case 0xc4:
      case 0xc5:
      case 0xc6:
        this.string(this.unsigned(1 << (mark - 0xc4)))
        break
      case 0xd9:
      case 0xda:
      case 0xdb:
        this.string(this.unsigned(1 << (mark - 0xd9)))
        break
      case 0xdc:
      case 0xdd:
        this.array(this.unsigned(mark === 0xdc ? 2 : 4))
        break
      case 0xde:
      case 0xdf:
        this.map(this.unsigned(mark === 0xde ? 2 : 4))
        break
      default:
        lua.fail(L, 'Bad data format in input.')
    }
  }

  private string(length: number): void {
    const from = this.take(length)
    this.lua.pushBytes(this.L, this.bytes, from, from + length)
  }

  private begin(): void {
    if (this.lua.x.lua_checkstack(this.L, 4) === 0) this.lua.fail(this.L, 'Too many nested tables')
    this.lua.x.lua_createtable(this.L, 0, 0)
  }

  private array(length: number): void {
    this.begin()
    for (let i = 1; i <= length; i++) {
      this.value()
      this.lua.x.lua_rawseti(this.L, -2, BigInt(i))
    }
  }

  private map(length: number): void {
    this.begin()
    for (let i = 0; i < length; i++) {
      this.value()
      this.value()
      this.lua.x.lua_rawset(this.L, -3)
    }
  }
}
