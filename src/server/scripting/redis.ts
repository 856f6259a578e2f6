/** The table `redis` of scripts. */
import { createHash } from 'node:crypto'
import type { Arguments } from '../protocol/request.ts'
import { LUA_TNUMBER, LUA_TSTRING, type LuaFunction, type LuaState } from './lua-state.ts'
import { formatG } from './numbers.ts'
import { pushError, pushReply } from './replies.ts'
import type { Address } from './wasm.ts'

/** Who runs the commands of a script. */
export interface CommandHost {
  /** Replies to the script are in RESP3. */
  readonly resp3: boolean
  /** Runs a command and returns its reply, which stays until the next call. */
  call(request: Arguments): Buffer
  /** The error reply that an exception of `call` is for the script; undefined if it ends the script. */
  errorOf(error: unknown): string | undefined
  setResp3(resp3: boolean): void
  /** `level` from 0 (debug) to 3 (warning). */
  log(level: number, message: string): void
}

/** Room for the texts of numbers among the arguments of one call. */
const NUMBER_BYTES = 32
const MAX_NUMBERS = 1024

const CONSTANTS: Readonly<Record<string, number>> = {
  LOG_DEBUG: 0,
  LOG_VERBOSE: 1,
  LOG_NOTICE: 2,
  LOG_WARNING: 3,
  REPL_NONE: 0,
  REPL_AOF: 1,
  REPL_SLAVE: 2,
  REPL_REPLICA: 2,
  REPL_ALL: 3,
}

/** The arguments of a call: they lie in Lua's memory, each where it happens to be. */
class CallArguments implements Arguments {
  source: Buffer = Buffer.alloc(0)
  starts: number[] = []
  ends: number[] = []
  count = 0
}

/** Pushes the table. */
export const openRedis = (lua: LuaState, version: string, host: Omit<CommandHost, 'resp3'>): void => {
  const { x, main } = lua
  const request = new CallArguments()
  const numbers = x.malloc(NUMBER_BYTES * MAX_NUMBERS)

  const raise = (L: Address, message: string): never => {
    pushError(lua, L, `ERR ${message}`)
    return x.lua_error(L)
  }

  /** What is wrong with the arguments, if anything is. */
  const take = (L: Address): string | undefined => {
    const count = x.lua_gettop(L)
    if (count === 0) return 'Please specify at least one argument for this redis lib call'
    const { starts, ends } = request
    let numberCount = 0
    for (let i = 0; i < count; i++) {
      const type = x.lua_type(L, i + 1)
      let address: Address
      let length: number
      if (type === LUA_TSTRING || (type === LUA_TNUMBER && numberCount >= MAX_NUMBERS)) {
        address = lua.addressOf(L, i + 1)
        length = lua.lastLength
      } else if (type === LUA_TNUMBER) {
        const text = formatG(lua.number(L, i + 1), 17)
        address = numbers + NUMBER_BYTES * numberCount++
        length = lua.wasm.memory.write(text, address, NUMBER_BYTES, 'latin1')
      } else return 'Lua redis lib command arguments must be strings or integers'
      starts[i] = address
      ends[i] = address + length
    }
    request.count = count
    request.source = lua.wasm.memory
    return undefined
  }

  const command =
    (raises: boolean): LuaFunction =>
    L => {
      const problem = take(L)
      if (problem !== undefined) {
        pushError(lua, L, `ERR ${problem}`)
        return raises ? x.lua_error(L) : 1
      }
      let reply: Buffer | undefined
      let message: string | undefined
      try {
        reply = host.call(request)
      } catch (error) {
        message = host.errorOf(error)
        if (message === undefined) throw error
      }
      x.lua_settop(L, 0)
      const failed = pushReply(lua, L, reply ?? Buffer.from(`-${message}\r\n`, 'latin1'))
      return failed && raises ? x.lua_error(L) : 1
    }

  const single =
    (field: 'err' | 'ok'): LuaFunction =>
    L => {
      if (x.lua_gettop(L) !== 1 || x.lua_type(L, 1) !== LUA_TSTRING) {
        pushError(lua, L, 'ERR wrong number or type of arguments')
        return 1
      }
      const text = lua.text(L, 1)!
      if (field === 'err') pushError(lua, L, errorReply(text))
      else {
        x.lua_createtable(L, 0, 1)
        x.lua_pushvalue(L, 1)
        x.lua_setfield(L, -2, lua.name('ok'))
      }
      return 1
    }

  x.lua_createtable(main, 0, 24)
  lua.define({
    call: command(true),
    pcall: command(false),
    error_reply: single('err'),
    status_reply: single('ok'),
    sha1hex: L => {
      if (x.lua_gettop(L) !== 1) raise(L, 'wrong number of arguments')
      lua.push(
        L,
        createHash('sha1')
          .update(lua.text(L, 1) ?? '', 'latin1')
          .digest('hex'),
      )
      return 1
    },
    log: L => {
      const count = x.lua_gettop(L)
      if (count < 2) raise(L, 'redis.log() requires two arguments or more.')
      const level = lua.asNumber(L, 1)
      if (level === undefined) raise(L, 'First argument must be a number (log level).')
      const whole = Math.trunc(level!)
      if (!(whole >= 0 && whole <= 3)) raise(L, 'Invalid debug level.')
      const words: string[] = []
      for (let i = 2; i <= count; i++) {
        const text = lua.text(L, i)
        if (text !== undefined) words.push(text)
      }
      host.log(whole, words.join(' '))
      return 0
    },
    setresp: L => {
      if (x.lua_gettop(L) !== 1) raise(L, 'redis.setresp() requires one argument.')
      const version = Math.trunc(lua.number(L, 1))
      if (version !== 2 && version !== 3) raise(L, 'RESP version must be 2 or 3.')
      host.setResp3(version === 3)
      return 0
    },
    set_repl: L => {
      if (x.lua_gettop(L) !== 1) raise(L, 'redis.set_repl() requires two arguments.')
      if ((Math.trunc(lua.number(L, 1)) & ~3) !== 0)
        raise(L, 'Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.')
      return 0
    },
    replicate_commands: L => {
      x.lua_pushboolean(L, 1)
      return 1
    },
    breakpoint: L => {
      x.lua_pushboolean(L, 0)
      return 1
    },
    debug: () => 0,
    acl_check_cmd: L => {
      if (take(L) !== undefined) raise(L, take(L)!)
      x.lua_pushboolean(L, 1)
      return 1
    },
  })
  for (const [name, value] of Object.entries(CONSTANTS)) {
    x.lua_pushnumber(main, value)
    x.lua_setfield(main, -2, lua.name(name))
  }
  lua.push(main, version)
  x.lua_setfield(main, -2, lua.name('REDIS_VERSION'))
  const [major, minor, patch] = version.split('.').map(Number)
  x.lua_pushnumber(main, (major! << 16) | (minor! << 8) | patch!)
  x.lua_setfield(main, -2, lua.name('REDIS_VERSION_NUM'))
}

/** Without line breaks at either end: an expression for those at the end takes the square of their number. */
const withoutBreaks = (text: string): string => {
  const isBreak = (at: number): boolean => text[at] === '\r' || text[at] === '\n'
  let [from, to] = [0, text.length]
  while (from < to && isBreak(from)) from++
  while (to > from && isBreak(to - 1)) to--
  return text.slice(from, to)
}

/** As Redis makes an error of a text: its first word is the code if a `-` stands before it. */
const errorReply = (text: string): string => {
  const message = withoutBreaks(text.startsWith('-') ? text.slice(1) : text)
  return message.includes(' ') ? message : `ERR ${message}`
}
