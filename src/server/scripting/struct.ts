/** The library `struct` (lua-struct 0.3): numbers and texts in bytes, as C lays them out. */
import { LUA_TNUMBER, type LuaFunction, type LuaState } from './lua-state.ts'
import { toInteger } from './numbers.ts'
import type { Address } from './wasm.ts'

const MAX_INTEGER_BYTES = 32
const NATIVE_ALIGNMENT = 8
const SIZES: Readonly<Record<string, number>> = { b: 1, B: 1, h: 2, H: 2, l: 8, L: 8, T: 8, f: 4, d: 8, x: 1 }

/** One part of a format: an option, the bytes that it takes, and the byte order there. */
interface Part {
  readonly option: string
  readonly size: number
  readonly little: boolean
  /** Bytes that are left free before it, at this place. */
  gap(at: number): number
}

/** The parts of a format; what is no format is an error of the script. */
function* partsOf(lua: LuaState, L: Address, format: string): Generator<Part> {
  let little = true
  let alignment = 1
  let at = 0
  const number = (missing: number): number => {
    const from = at
    while (format[at]! >= '0' && format[at]! <= '9') at++
    if (at === from) return missing
    const value = Number(format.slice(from, at))
    if (value > 2147483647) lua.fail(L, 'integral size overflow')
    return value
  }
  while (at < format.length) {
    const option = format[at++]!
    if (option === '<' || option === '>') little = option === '<'
    else if (option === ' ') continue
    else if (option === '!') {
      alignment = number(NATIVE_ALIGNMENT)
      if (alignment === 0 || (alignment & (alignment - 1)) !== 0) lua.fail(L, 'alignment is not a power of 2')
    } else {
      let size = SIZES[option]
      if (option === 's') size = 0
      else if (option === 'c') size = number(1)
      else if (option === 'i' || option === 'I') {
        size = number(4)
        if (size > MAX_INTEGER_BYTES) lua.fail(L, `integral size ${size} is larger than limit of ${MAX_INTEGER_BYTES}`)
      }
      if (size === undefined) lua.failArgument(L, 1, `invalid format option '${option}'`)
      const most = alignment
      const bytes = size!
      yield {
        option,
        size: bytes,
        little,
        gap(place) {
          if (bytes === 0 || 'cxs'.includes(option)) return 0
          const align = Math.min(bytes, most)
          return align <= 1 ? 0 : (align - (place & (align - 1))) & (align - 1)
        },
      }
    }
  }
}

export const structFunctions = (lua: LuaState): Record<string, LuaFunction> => {
  const { x } = lua

  const pack: LuaFunction = L => {
    const format = lua.checkText(L, 1)
    // An argument that is missing is nil to the messages of errors.
    x.lua_pushnil(L)
    let result = ''
    let argument = 1
    for (const part of partsOf(lua, L, format)) {
      const { option, little } = part
      result += '\0'.repeat(part.gap(result.length))
      if (option === 'x') result += '\0'
      else if (option === 's') result += `${lua.checkText(L, ++argument)}\0`
      else if (option === 'c') {
        const text = lua.checkText(L, ++argument)
        const size = part.size === 0 ? text.length : part.size
        if (text.length < size) lua.failArgument(L, argument + 1, 'string too short')
        result += text.slice(0, size)
      } else {
        const value = lua.checkNumber(L, ++argument)
        result += option === 'f' || option === 'd' ? float(value, option, little) : integer(value, part.size, little)
      }
    }
    lua.push(L, result)
    return 1
  }

  const unpack: LuaFunction = L => {
    const format = lua.checkText(L, 1)
    const text = lua.checkText(L, 2)
    let at = x.lua_gettop(L) < 3 ? 0 : Math.trunc(lua.checkNumber(L, 3)) - 1
    if (at < 0) lua.failArgument(L, 3, 'offset must be 1 or greater')
    x.lua_settop(L, 2)
    const bytes = Buffer.from(text, 'latin1')
    let count = 0
    for (const part of partsOf(lua, L, format)) {
      const { option, little } = part
      at += part.gap(at)
      let { size } = part
      x.luaL_checkstack(L, 2, lua.name('too many results'))
      if (option === 'c' && size === 0) {
        if (count === 0 || x.lua_type(L, -1) !== LUA_TNUMBER) lua.fail(L, "format 'c0' needs a previous size")
        size = lua.number(L, -1)
        x.lua_settop(L, -2)
        count--
        if (!(size >= 0)) lua.fail(L, 'data string too short')
      }
      if (option === 's') {
        const end = bytes.indexOf(0, at)
        if (end < 0) lua.fail(L, 'unfinished string in data')
        lua.pushBytes(L, bytes, at, end)
        size = end + 1 - at
      } else {
        if (at + size > bytes.length) lua.failArgument(L, 2, 'data string too short')
        if (option === 'c') lua.pushBytes(L, bytes, at, at + size)
        else if (option === 'f') x.lua_pushnumber(L, little ? bytes.readFloatLE(at) : bytes.readFloatBE(at))
        else if (option === 'd') x.lua_pushnumber(L, little ? bytes.readDoubleLE(at) : bytes.readDoubleBE(at))
        else if (option !== 'x') x.lua_pushnumber(L, readInteger(bytes, at, size, little, option))
      }
      if (option !== 'x') count++
      at += size
    }
    x.lua_pushnumber(L, at + 1)
    return count + 1
  }

  const size: LuaFunction = L => {
    let total = 0
    for (const part of partsOf(lua, L, lua.checkText(L, 1))) {
      total += part.gap(total)
      if (part.option === 's') lua.failArgument(L, 1, "option 's' has no fixed size")
      if (part.option === 'c' && part.size === 0) lua.failArgument(L, 1, "option 'c0' has no fixed size")
      total += part.size
    }
    x.lua_pushnumber(L, total)
    return 1
  }

  return { pack, unpack, size }
}

const integer = (value: number, size: number, little: boolean): string => {
  let rest = BigInt.asUintN(64, BigInt(toInteger(value)))
  const bytes: number[] = []
  for (let i = 0; i < size; i++) {
    bytes.push(Number(rest & 0xffn))
    rest >>= 8n
  }
  return String.fromCharCode(...(little ? bytes : bytes.reverse()))
}

const float = (value: number, option: string, little: boolean): string => {
  const bytes = Buffer.alloc(option === 'f' ? 4 : 8)
  if (option === 'f') bytes.writeFloatLE(value)
  else bytes.writeDoubleLE(value)
  return (little ? bytes : bytes.reverse()).toString('latin1')
}

/** Of more than 8 bytes the low ones. */
const readInteger = (bytes: Buffer, at: number, size: number, little: boolean, option: string): number => {
  let value = 0n
  for (let i = 0; i < size; i++) value = (value << 8n) | BigInt(bytes[little ? at + size - 1 - i : at + i]!)
  const isSigned = option >= 'a'
  const bits = Math.min(64, 8 * size)
  return Number(isSigned ? BigInt.asIntN(bits, value) : BigInt.asUintN(64, value))
}
