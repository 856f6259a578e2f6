/** Functions of `string` that go over a text for long, or that 5.1 has otherwise. */
import {
  LUA_TFUNCTION,
  LUA_TNIL,
  LUA_TNUMBER,
  LUA_TSTRING,
  LUA_TTABLE,
  type LuaFunction,
  type LuaState,
} from './lua-state.ts'
import { toInteger } from './numbers.ts'
import { Matcher, PatternError } from './patterns.ts'
import { Pieces } from './pieces.ts'
import type { Address } from './wasm.ts'

/** Byte by byte it takes so much longer than copying. */
const TIMED_FACTOR = 4
const SPECIALS = /[\^$*+?.([%-]/
const SPECIFICATION = /%([-+ #0]*)(\d*)(?:\.(\d*))?([a-zA-Z%]?)/g

/** Functions for scripts, and two for the prelude. */
interface StringFunctions {
  readonly library: Record<string, LuaFunction>
  /** For `gmatch`: text, pattern, where to go on; returns where to go on then, and the captures. */
  readonly gmatchStep: LuaFunction
  /** Takes the function that makes an iterator of a text and a pattern. */
  readonly keepGmatch: LuaFunction
}

export const stringFunctions = (lua: LuaState): StringFunctions => {
  const { x, main } = lua
  let gmatchKept = 0
  const step = (): void => lua.step()
  x.lua_getglobal(main, lua.name('string'))
  x.lua_getfield(main, -1, lua.name('format'))
  const nativeFormat = lua.keep()
  x.lua_getfield(main, -1, lua.name('rep'))
  const nativeRep = lua.keep()
  /** Lua's own, which no clock can interrupt: it takes time by bytes. */
  const timed = (name: string): LuaFunction => {
    x.lua_getfield(main, -1, lua.name(name))
    const native = lua.keep()
    return L => {
      x.luaL_checklstring(L, 1, lua.lengthAddress)
      lua.spend(TIMED_FACTOR * lua.lastLength)
      x.lua_settop(L, 1)
      lua.pushKept(L, native)
      x.lua_rotate(L, 1, 1)
      x.lua_callk(L, 1, 1, 0, 0)
      return 1
    }
  }
  const [lower, upper, reverse] = [timed('lower'), timed('upper'), timed('reverse')]
  x.lua_settop(main, -2)

  /** Runs `work`, whose complaints about a pattern are errors of the script. */
  const guarded = <T>(L: Address, work: () => T): T => {
    try {
      return work()
    } catch (error) {
      if (error instanceof PatternError) return lua.fail(L, error.message)
      throw error
    }
  }

  const pushCapture = (L: Address, value: string | number): void => {
    if (typeof value === 'number') x.lua_pushnumber(L, value)
    else lua.push(L, value)
  }

  /** Pushes all captures; the whole match if there are none and `whole`. */
  const pushCaptures = (L: Address, matcher: Matcher, start: number, end: number, whole: boolean): number => {
    const count = matcher.captures.length === 0 && whole ? 1 : matcher.captures.length
    x.luaL_checkstack(L, count, lua.name('too many captures'))
    for (let i = 0; i < count; i++)
      pushCapture(
        L,
        guarded(L, () => matcher.capture(i, start, end)),
      )
    return count
  }

  /** The first match from `from` on; where it begins and ends. */
  const search = (matcher: Matcher, text: string, pattern: string, from: number): [number, number] | undefined => {
    const anchored = pattern[0] === '^'
    for (let at = from; at <= text.length; at++) {
      const end = matcher.matchAt(at, anchored ? 1 : 0)
      if (end >= 0) return [at, end]
      if (anchored) break
    }
    return undefined
  }

  const find =
    (positions: boolean): LuaFunction =>
    L => {
      const text = lua.checkText(L, 1)
      const pattern = lua.checkText(L, 2)
      const asked = x.lua_gettop(L) < 3 || x.lua_type(L, 3) === LUA_TNIL ? 1 : Math.trunc(lua.checkNumber(L, 3))
      const from = Math.min(text.length, Math.max(0, asked < 0 ? text.length + asked : asked - 1))
      if (positions && ((x.lua_gettop(L) > 3 && x.lua_toboolean(L, 4) !== 0) || !SPECIALS.test(pattern))) {
        const at = text.indexOf(pattern, from)
        if (at < 0) x.lua_pushnil(L)
        else {
          x.lua_pushnumber(L, at + 1)
          x.lua_pushnumber(L, at + pattern.length)
        }
        return at < 0 ? 1 : 2
      }
      const matcher = new Matcher(text, pattern, step)
      const found = guarded(L, () => search(matcher, text, pattern, from))
      if (found === undefined) {
        x.lua_pushnil(L)
        return 1
      }
      const [start, end] = found
      if (!positions) return pushCaptures(L, matcher, start, end, true)
      x.lua_pushnumber(L, start + 1)
      x.lua_pushnumber(L, end)
      return 2 + pushCaptures(L, matcher, start, end, false)
    }

  const keepGmatch: LuaFunction = L => {
    if (L !== main) throw new Error('only the prelude gives it')
    gmatchKept = lua.keep()
    return 0
  }

  const gmatch: LuaFunction = L => {
    lua.checkText(L, 1)
    lua.checkText(L, 2)
    x.lua_settop(L, 2)
    lua.pushKept(L, gmatchKept)
    x.lua_rotate(L, 1, 1)
    x.lua_callk(L, 2, 1, 0, 0)
    return 1
  }

  const gmatchStep: LuaFunction = L => {
    const text = lua.text(L, 1)!
    const pattern = lua.text(L, 2)!
    const from = lua.number(L, 3)
    const matcher = new Matcher(text, pattern, step)
    return guarded(L, () => {
      for (let at = from; at <= text.length; at++) {
        const end = matcher.matchAt(at, 0)
        if (end < 0) continue
        x.lua_pushnumber(L, end === at ? end + 1 : end)
        return 1 + pushCaptures(L, matcher, at, end, true)
      }
      return 0
    })
  }

  const replacement = (
    L: Address,
    matcher: Matcher,
    start: number,
    end: number,
    template: string | undefined,
    whole: string,
  ): string => {
    if (template !== undefined) {
      lua.spend(template.length)
      return template.replace(/%([\s\S])/g, (_, char: string) => {
        lua.step()
        if (char < '0' || char > '9') return char
        return String(char === '0' ? whole : matcher.capture(Number(char) - 1, start, end))
      })
    }
    if (x.lua_type(L, 3) === LUA_TTABLE) {
      x.lua_pushvalue(L, 3)
      pushCapture(L, matcher.capture(0, start, end))
      x.lua_gettable(L, -2)
    } else {
      x.lua_pushvalue(L, 3)
      const count = pushCaptures(L, matcher, start, end, true)
      x.lua_callk(L, count, 1, 0, 0)
    }
    const type = x.lua_type(L, -1)
    const value = type === LUA_TNIL || (type === 1 && x.lua_toboolean(L, -1) === 0) ? whole : lua.text(L, -1)
    x.lua_settop(L, 4)
    return value ?? lua.fail(L, `invalid replacement value (a ${TYPES[type] ?? 'userdata'})`)
  }

  const gsub: LuaFunction = L => {
    const text = lua.checkText(L, 1)
    const given = lua.checkText(L, 2)
    const type = x.lua_type(L, 3)
    if (![LUA_TSTRING, LUA_TNUMBER, LUA_TTABLE, LUA_TFUNCTION].includes(type))
      lua.failArgument(L, 3, 'string/function/table expected')
    const most = x.lua_gettop(L) < 4 || x.lua_type(L, 4) === LUA_TNIL ? text.length + 1 : lua.checkNumber(L, 4)
    x.lua_settop(L, 4)
    const template = type === LUA_TSTRING || type === LUA_TNUMBER ? lua.text(L, 3) : undefined
    const anchored = given[0] === '^'
    const pattern = anchored ? given.slice(1) : given
    const matcher = new Matcher(text, pattern, step)
    return guarded(L, () => {
      const result = new Pieces()
      let count = 0
      let at = 0
      /** What lies before was taken over. */
      let taken = 0
      while (count < most) {
        const end = matcher.matchAt(at, 0)
        if (end >= 0) {
          count++
          if (at > taken) result.add(text.slice(taken, at))
          result.add(replacement(L, matcher, at, end, template, text.slice(at, end)))
          lua.requireRoom(L, result.length)
          taken = Math.max(at, end)
        }
        if (end > at) at = end
        else if (at < text.length) at++
        else break
        if (anchored) break
      }
      result.add(text.slice(taken))
      lua.push(L, result.join())
      x.lua_pushnumber(L, count)
      return 2
    })
  }

  const rep: LuaFunction = L => {
    const length = lua.checkText(L, 1).length
    const count = Math.trunc(lua.checkNumber(L, 2))
    if (length === 0 || !(count > 0)) lua.push(L, '')
    else {
      lua.requireRoom(L, length * count)
      lua.spend(length * count)
      lua.pushKept(L, nativeRep)
      x.lua_pushvalue(L, 1)
      x.lua_pushnumber(L, count)
      x.lua_callk(L, 2, 1, 0, 0)
    }
    return 1
  }

  /** A whole number that may be left out; the end of one with a fraction is cut off, as 5.1 does. */
  const integer = (L: Address, index: number, missing: number): number =>
    x.lua_gettop(L) < index || x.lua_type(L, index) === LUA_TNIL ? missing : Math.trunc(lua.checkNumber(L, index))

  /** Where a part of a text of so many bytes begins and ends, counted from 0, if it is given as in Lua. */
  const part = (length: number, from: number, to: number): [number, number] => [
    Math.max(0, (from < 0 ? length + from + 1 : from) - 1),
    Math.min(length, to < 0 ? length + to + 1 : to),
  ]

  const sub: LuaFunction = L => {
    x.luaL_checklstring(L, 1, 0)
    if (x.lua_gettop(L) < 2) lua.checkNumber(L, 2)
    const [from, to] = [Math.trunc(lua.checkNumber(L, 2)), integer(L, 3, -1)]
    const address = lua.addressOf(L, 1)
    const [start, end] = part(lua.lastLength, from, to)
    x.lua_pushlstring(L, address + start, Math.max(0, end - start))
    return 1
  }

  const byte: LuaFunction = L => {
    x.luaL_checklstring(L, 1, 0)
    const from = integer(L, 2, 1)
    const to = integer(L, 3, from)
    const address = lua.addressOf(L, 1)
    const [start, end] = part(lua.lastLength, from, to)
    const count = Math.max(0, end - start)
    x.luaL_checkstack(L, count, lua.name('string slice too long'))
    for (let i = 0; i < count; i++) x.lua_pushnumber(L, lua.wasm.memory[address + start + i]!)
    return count
  }

  const char: LuaFunction = L => {
    const count = x.lua_gettop(L)
    let text = ''
    for (let i = 1; i <= count; i++) {
      const code = Math.trunc(lua.checkNumber(L, i))
      if (!(code >= 0 && code <= 255)) lua.failArgument(L, i, 'invalid value')
      text += String.fromCharCode(code)
    }
    lua.push(L, text)
    return 1
  }

  /** Pushes a text for `%s` or `%q`, and returns the specification for it. */
  const pushFormatted = (L: Address, index: number, [all, , , precision, option]: RegExpExecArray): string => {
    const text = lua.checkText(L, index)
    if (option === 's' && precision === undefined && text.length >= 100) {
      x.lua_pushvalue(L, index)
      return '%s'
    }
    const end = option === 's' ? text.indexOf('\0') : -1
    // To C a text ends at its first NUL.
    if (end < 0) x.lua_pushvalue(L, index)
    else lua.push(L, text.slice(0, end))
    return all
  }

  /** The same of a number. Of flags that C takes but Lua 5.4 does not, nothing is left. */
  const pushNumber = (L: Address, index: number, [, flags, width, precision, option]: RegExpExecArray): string => {
    let value = lua.checkNumber(L, index)
    const isWhole = 'diouxXc'.includes(option!)
    if (isWhole) value = Number(toInteger(value))
    if (isWhole && Math.abs(value) >= 2 ** 63) value = -(2 ** 63)
    x.lua_pushnumber(L, value)
    if (option === 'c') return `%${flags!.replace(/[^-]/g, '')}${width}c`
    const unwanted = option === 'u' ? /[+ #]/g : 'oxX'.includes(option!) ? /[+ ]/g : isWhole ? /#/g : /$^/
    const behind = precision === undefined ? '' : `.${precision}`
    return `%${flags!.replace(unwanted, '')}${width}${behind}${option === 'u' ? 'd' : option}`
  }

  /** Lua 5.4's, with arguments and options as that takes them: `%d` wants whole numbers, and there is no `%u`. */
  const format: LuaFunction = L => {
    const template = lua.checkText(L, 1)
    const count = x.lua_gettop(L)
    const replaced: string[] = []
    let changed = false
    let last = 0
    let argument = 1
    x.luaL_checkstack(L, count + 2, lua.name('string slice'))
    lua.pushKept(L, nativeFormat)
    x.lua_pushnil(L)
    for (const match of template.matchAll(SPECIFICATION)) {
      const [all, flags, width, precision, option] = match
      if (option === '%' && all === '%%') continue
      const index = ++argument
      if (!'diouxXcqsaAeEfgG'.includes(option!) || option === '') lua.fail(L, `invalid option '%${option}' to 'format'`)
      if (flags!.length > 5 || width!.length > 2 || (precision ?? '').length > 2)
        lua.fail(L, 'invalid format (width or precision too long)')
      if (index > count) lua.failArgument(L, index, 'no value')
      const now = option === 's' || option === 'q' ? pushFormatted(L, index, match) : pushNumber(L, index, match)
      if (now === all) continue
      changed = true
      replaced.push(template.slice(last, match.index), now)
      last = match.index + all.length
    }
    lua.push(L, changed ? replaced.join('') + template.slice(last) : template)
    x.lua_copy(L, -1, count + 2)
    x.lua_settop(L, -2)
    x.lua_callk(L, x.lua_gettop(L) - count - 1, 1, 0, 0)
    return 1
  }

  return {
    library: {
      find: find(true),
      match: find(false),
      gmatch,
      gsub,
      rep,
      format,
      sub,
      byte,
      char,
      lower,
      upper,
      reverse,
    },
    gmatchStep,
    keepGmatch,
  }
}

const TYPES: Readonly<Record<number, string>> = { 1: 'boolean', 5: 'table', 6: 'function', 8: 'thread' }
