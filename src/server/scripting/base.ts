/** Functions of Lua 5.1 that need more than Lua: errors, texts made functions, numbers. */
import { LUA_TNIL, LUA_TSTRING, LUA_TTABLE, type LuaFunction, type LuaState } from './lua-state.ts'
import { toInteger } from './numbers.ts'
import { LuaSyntaxError, translate } from './translate.ts'
import type { Address } from './wasm.ts'

/** Lua 5.4's wording of an error as that of 5.1. */
export const reworded = (message: string): string => (message.length > LONGEST_OF_LUA ? message : inWordsOf51(message))

/** What is longer is a script's own text, which it would take the square of its length to look through. */
const LONGEST_OF_LUA = 1024

const inWordsOf51 = (message: string): string =>
  message
    .replace(/^prelude:\d+: /, '')
    .replace(/attempt to (.*?) (a \w+ value) \(constant '.*?'\)/, 'attempt to $1 $2')
    .replace(/attempt to (.*?) (a \w+ value) \((\w+) '(.*?)'\)/, "attempt to $1 $3 '$4' ($2)")
    .replace(/(?<!')<(eof|name|string|number|integer)>(?!')/g, "'<$1>'")
    .replace(/'<\\(\d+)>'/g, (_, code: string) => {
      const isControl = Number(code) < 32 || code === '127'
      return isControl ? `'char(${code})'` : `'${String.fromCharCode(Number(code))}'`
    })
    .replace(/: syntax error near /, ": '=' expected near ")

/** Pushes the function that a text of Lua 5.1 is, or what is wrong with it; false then. */
export const loadText = (lua: LuaState, L: Address, text: string, name: string): boolean => {
  let translated: string
  try {
    translated = translate(text, () => lua.step())
  } catch (error) {
    if (!(error instanceof LuaSyntaxError)) throw error
    lua.push(L, `${shortName(name)}:${error.line}: ${error.message}`)
    return false
  }
  if (lua.load(L, translated, name)) return true
  const problem = lua.text(L, -1) ?? ''
  lua.x.lua_settop(L, -2)
  lua.push(L, reworded(problem))
  return false
}

/** As Lua shows the name of a chunk. */
const shortName = (name: string): string =>
  /^[@=]/.test(name)
    ? name.slice(1)
    : `[string "${name.split('\n')[0]!.slice(0, 60)}${name.includes('\n') ? '...' : ''}"]`

export interface BaseHost {
  /** Pushes the table of globals. */
  pushGlobals(L: Address): void
}

/** Functions for scripts. */
export const baseFunctions = (lua: LuaState, host: BaseHost): Record<string, LuaFunction> => {
  const { x } = lua

  /** As Redis's: of an error of Redis the text alone is returned. */
  const pcall: LuaFunction = L => {
    const count = x.lua_gettop(L)
    if (count === 0) lua.failArgument(L, 1, 'value expected')
    const status = x.lua_pcallk(L, count - 1, -1, 0, 0, 0)
    if (status !== 0) {
      if (x.lua_type(L, -1) === LUA_TTABLE) {
        lua.push(L, 'err')
        x.lua_rawget(L, -2)
        if (x.lua_isstring(L, -1) === 0) x.lua_settop(L, -2)
      } else if (x.lua_type(L, -1) === LUA_TSTRING) lua.push(L, reworded(lua.text(L, -1)!))
    }
    if (status !== 0) {
      x.lua_pushboolean(L, 0)
      x.lua_rotate(L, -2, 1)
      return 2
    }
    x.luaL_checkstack(L, 1, lua.name('results of pcall'))
    x.lua_pushboolean(L, 1)
    x.lua_rotate(L, 1, 1)
    return x.lua_gettop(L)
  }

  const loadstring: LuaFunction = L => {
    const text = lua.checkText(L, 1)
    const name = x.lua_gettop(L) > 1 ? lua.checkText(L, 2) : text
    if (!loadText(lua, L, text, name.length > 200 ? name.slice(0, 200) : name)) {
      x.lua_pushnil(L)
      x.lua_rotate(L, -2, 1)
      return 2
    }
    host.pushGlobals(L)
    x.lua_setupvalue(L, -2, 1)
    return 1
  }

  /** A number is a text here, too, which the place of the error goes in front of. */
  const error: LuaFunction = L => {
    const level = x.lua_gettop(L) < 2 || x.lua_type(L, 2) === LUA_TNIL ? 1 : Math.trunc(lua.checkNumber(L, 2))
    x.lua_settop(L, 1)
    if (level > 0 && x.lua_isstring(L, 1) !== 0) {
      x.luaL_where(L, level)
      x.lua_rotate(L, 1, 1)
      x.lua_concat(L, 2)
    }
    return x.lua_error(L)
  }

  const assert: LuaFunction = L => {
    const count = x.lua_gettop(L)
    if (count === 0) lua.failArgument(L, 1, 'value expected')
    if (x.lua_toboolean(L, 1) !== 0) return count
    return lua.fail(L, count < 2 || x.lua_type(L, 2) === LUA_TNIL ? 'assertion failed!' : lua.checkText(L, 2))
  }

  const select: LuaFunction = L => {
    const count = x.lua_gettop(L)
    if (x.lua_type(L, 1) === LUA_TSTRING && lua.text(L, 1)![0] === '#') {
      x.lua_pushnumber(L, count - 1)
      return 1
    }
    const asked = Math.trunc(lua.checkNumber(L, 1))
    const from = asked < 0 ? count + asked : Math.min(asked, count)
    if (!(from >= 1)) lua.failArgument(L, 1, 'index out of range')
    return count - from
  }

  const tonumber: LuaFunction = L => {
    if (x.lua_gettop(L) > 1 && x.lua_type(L, 2) !== 0) {
      const base = lua.checkNumber(L, 2)
      if (base !== 10) return withBase(L, base)
    }
    if (x.lua_gettop(L) === 0) lua.failArgument(L, 1, 'value expected')
    const value = lua.asNumber(L, 1)
    if (value !== undefined) x.lua_pushnumber(L, value)
    else if (x.lua_type(L, 1) === LUA_TSTRING && lua.text(L, 1)!.includes('\0')) {
      // To C a text ends there.
      lua.push(L, lua.text(L, 1)!.split('\0')[0]!)
      x.lua_copy(L, -1, 1)
      x.lua_settop(L, 1)
      return tonumber(L)
    } else {
      const word = x.lua_type(L, 1) === LUA_TSTRING ? /^\s*([-+]?)(inf(?:inity)?|nan)\s*$/i.exec(lua.text(L, 1)!) : null
      if (word === null) x.lua_pushnil(L)
      else if (/^n/i.test(word[2]!)) x.lua_pushnumber(L, Number.NaN)
      else x.lua_pushnumber(L, word[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY)
    }
    return 1
  }

  const withBase = (L: Address, base: number): number => {
    const match = /^\s*([-+]?)(0[xX])?([0-9a-zA-Z]+)\s*$/.exec(lua.checkText(L, 1))
    if (!(base >= 2 && base <= 36)) lua.failArgument(L, 2, 'base out of range')
    const digits = match?.[2] !== undefined && base !== 16 ? `0${match[2][1]}${match[3]}` : match?.[3]
    let value = 0
    for (const digit of digits ?? '_') {
      const place = '0123456789abcdefghijklmnopqrstuvwxyz'.indexOf(digit.toLowerCase())
      if (place < 0 || place >= base) {
        x.lua_pushnil(L)
        return 1
      }
      value = value * base + place
    }
    // strtoul's: a negative number is one from the end.
    x.lua_pushnumber(L, match![1] === '-' ? 2 ** 64 - value : value)
    return 1
  }

  return { pcall, loadstring, error, assert, select, tonumber }
}

/** A type of Lua by its number. */
const typeName = (type: number): string =>
  ['nil', 'boolean', 'userdata', 'number', 'string', 'table', 'function', 'userdata', 'thread'][type] ?? 'no value'

/** The bits of a `double` that C's `int` would take. */
const truncate = (value: number): number => Number(BigInt.asIntN(64, BigInt(toInteger(value))))

/** Functions for the prelude. */
export const nativeFunctions = (lua: LuaState): Record<string, LuaFunction> => {
  const { x } = lua
  return {
    truncate: L => {
      x.lua_pushnumber(L, truncate(lua.number(L, 1)))
      return 1
    },
    fail: L => {
      const message = lua.text(L, 1) ?? ''
      for (let level = 1; ; level++) {
        const place = lua.place(L, level)
        if (place === 'C' || place?.source === '=prelude') continue
        lua.push(L, place === undefined ? message : `${place.name}:${place.line}: ${message}`)
        return x.lua_error(L)
      }
    },
    refuse: L => lua.fail(L, 'Attempt to modify a readonly table'),
    missing: L => {
      const name = x.lua_isstring(L, 2) === 0 ? undefined : lua.text(L, 2)
      if (name === undefined) lua.fail(L, 'Second argument to luaProtectedTableError must be a string or number')
      return lua.fail(L, `Script attempted to access nonexistent global variable '${name}'`)
    },
  }
}

/** Functions of `table` that go over a list for long. */
export const tableFunctions = (lua: LuaState): Record<string, LuaFunction> => {
  const { x } = lua
  return {
    concat: L => {
      x.luaL_checktype(L, 1, LUA_TTABLE)
      const given = (index: number): boolean => x.lua_gettop(L) >= index && x.lua_type(L, index) !== LUA_TNIL
      const separator = given(2) ? lua.checkText(L, 2) : ''
      const from = given(3) ? Math.trunc(lua.checkNumber(L, 3)) : 1
      const to = given(4) ? Math.trunc(lua.checkNumber(L, 4)) : x.lua_rawlen(L, 1)
      const parts: string[] = []
      let bytes = 0
      for (let i = from; i <= to; i++) {
        lua.step()
        const type = x.lua_rawgeti(L, 1, BigInt(i))
        const text = lua.text(L, -1)
        if (text === undefined) lua.fail(L, `invalid value (${typeName(type)}) at index ${i} in table for 'concat'`)
        x.lua_settop(L, -2)
        bytes += text!.length + separator.length
        lua.requireRoom(L, bytes)
        parts.push(text!)
      }
      lua.push(L, parts.join(separator))
      return 1
    },
  }
}

/** Redis's `redisLrand48`, so that scripts get the same numbers as there. */
class Random {
  private state = 0x1234abcd330en

  seed(value: number): void {
    this.state = ((BigInt(value) & 0xffffffffn) << 16n) + 0x330en
  }

  /** From 0 up to, but not, 1. */
  next(): number {
    this.state = (this.state * 0x5deece66dn + 0xbn) & 0xffffffffffffn
    return (Number(this.state >> 17n) % 2147483647) / 2147483647
  }
}

/** Functions of `math` that give floats, as all numbers are in 5.1, or random ones. */
export const mathFunctions = (lua: LuaState): Record<string, LuaFunction> => {
  const { x } = lua
  const random = new Random()
  const one =
    (work: (value: number) => number): LuaFunction =>
    L => {
      x.lua_pushnumber(L, work(lua.checkNumber(L, 1)))
      return 1
    }
  /** Two arguments, of which the second is looked at first, as in C. */
  const both = (L: Address): [number, number] => {
    const second = lua.checkNumber(L, 2)
    return [lua.checkNumber(L, 1), second]
  }
  /** Of all arguments the one that no later one `beats`. */
  const extreme =
    (beats: (a: number, b: number) => boolean): LuaFunction =>
    L => {
      const count = x.lua_gettop(L)
      let found = lua.checkNumber(L, 1)
      for (let i = 2; i <= count; i++) {
        const value = lua.checkNumber(L, i)
        if (beats(found, value)) found = value
      }
      x.lua_pushnumber(L, found)
      return 1
    }
  const integer = (L: Address, index: number): number => Math.trunc(lua.checkNumber(L, index))
  return {
    floor: one(Math.floor),
    ceil: one(Math.ceil),
    sinh: one(Math.sinh),
    cosh: one(Math.cosh),
    tanh: one(Math.tanh),
    log10: one(Math.log10),
    max: extreme((a, b) => b > a),
    min: extreme((a, b) => b < a),
    fmod: L => {
      const [a, b] = both(L)
      x.lua_pushnumber(L, a % b)
      return 1
    },
    atan2: L => {
      const [a, b] = both(L)
      x.lua_pushnumber(L, Math.atan2(a, b))
      return 1
    },
    pow: L => {
      const [a, b] = both(L)
      x.lua_pushnumber(L, a ** b)
      return 1
    },
    ldexp: L => {
      x.lua_pushnumber(L, lua.checkNumber(L, 1) * 2 ** integer(L, 2))
      return 1
    },
    frexp: L => {
      const value = lua.checkNumber(L, 1)
      let exponent =
        value === 0 || !Number.isFinite(value) ? 0 : Math.max(-1023, Math.floor(Math.log2(Math.abs(value)))) + 1
      let fraction = exponent === 0 && (value === 0 || !Number.isFinite(value)) ? value : value * 2 ** -exponent
      while (Math.abs(fraction) < 0.5 && fraction !== 0) {
        fraction *= 2
        exponent--
      }
      while (Math.abs(fraction) >= 1 && Number.isFinite(fraction)) {
        fraction /= 2
        exponent++
      }
      x.lua_pushnumber(L, fraction)
      x.lua_pushnumber(L, exponent)
      return 2
    },
    random: L => {
      const r = random.next()
      switch (x.lua_gettop(L)) {
        case 0:
          x.lua_pushnumber(L, r)
          break
        case 1: {
          const most = integer(L, 1)
          if (most < 1) lua.failArgument(L, 1, 'interval is empty')
          x.lua_pushnumber(L, Math.floor(r * most) + 1)
          break
        }
        case 2: {
          const [least, most] = [integer(L, 1), integer(L, 2)]
          if (least > most) lua.failArgument(L, 2, 'interval is empty')
          x.lua_pushnumber(L, Math.floor(r * (most - least + 1)) + least)
          break
        }
        default:
          lua.fail(L, 'wrong number of arguments')
      }
      return 1
    },
    randomseed: L => {
      random.seed(integer(L, 1))
      return 0
    },
  }
}
