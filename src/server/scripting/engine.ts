/**
 * Runs scripts in one Lua, made when the first script comes. A script is bounded in time and memory; one that uses up
 * its time ends by an exception that no `pcall` catches.
 */
import { performance } from '../../runtime/timers.ts'
import type { ReplyWriter } from '../protocol/reply.ts'
import type { Arguments } from '../protocol/request.ts'
import {
  type BaseHost,
  baseFunctions,
  loadText,
  mathFunctions,
  nativeFunctions,
  reworded,
  tableFunctions,
} from './base.ts'
import { bitFunctions } from './bit.ts'
import { openCjson } from './cjson.ts'
import { msgpackFunctions } from './cmsgpack.ts'
import { LUA_TSTRING, LUA_TTABLE, type LuaFunction, LuaState, type Place } from './lua-state.ts'
import { PRELUDE } from './prelude.ts'
import { type CommandHost, openRedis } from './redis.ts'
import { writeReply } from './replies.ts'
import { stringFunctions } from './strings.ts'
import { structFunctions } from './struct.ts'
import type { Address } from './wasm.ts'

/** A script was ended for what it has used up; nothing of what it has done is to stay. */
export class ScriptStopped extends Error {
  override name = 'ScriptStopped'
}

/** A text is no script; the message is Lua's. */
export class ScriptProblem extends Error {
  override name = 'ScriptProblem'
}

export interface Limits {
  /** Milliseconds that a script may take. */
  readonly scriptTimeLimit: number
  /** Bytes of memory for all of Lua. */
  readonly scriptMemoryBytes: number
}

/** What a run is about. `firstKey`: where its keys begin in the request; what comes behind them is for ARGV. */
export interface Job {
  readonly sha: string
  readonly body: string
  readonly request: Arguments
  readonly firstKey: number
  readonly keys: number
  readonly host: CommandHost
  readonly out: ReplyWriter
}

/** Instructions of Lua between two looks at the time. */
const HOOK_INSTRUCTIONS = 1000
const MASK_COUNT = 8
/** Calls of commands between two looks at the time. */
const CALLS = 100
const MEMORY_STATUS = 4
/** Lua's words for the same. */
const NO_MEMORY = 'not enough memory'
/** The name of a script's text, as errors show it. */
const SCRIPT_NAME = '@user_script'
/** Scripts that stay compiled. */
const MAX_COMPILED = 500

export class ScriptEngine implements BaseHost {
  private readonly limits: Limits
  private readonly lua: LuaState
  /** Scripts run here; another one takes its place after an exception has passed through it. */
  private thread: Address
  private threadKept: number
  private readonly hook: number
  private readonly globals: number
  /** The table behind the globals, where KEYS and ARGV are put. */
  private readonly real: number
  private readonly handler: number
  private readonly entry: number
  /** Functions of scripts by their SHA1, the one used last at the end. */
  private readonly compiled: Map<string, number> = new Map()
  private job: Job | undefined
  private deadline = Number.POSITIVE_INFINITY
  private callsLeft = CALLS
  private place: Place | undefined

  /** @param version The version of Redis that scripts are told. */
  constructor(limits: Limits, version: string) {
    this.limits = limits
    const lua = new LuaState(limits.scriptMemoryBytes, () => this.requireTime())
    this.lua = lua
    const { x, main } = lua
    // Lua 5.1 writes a whole number without ".0", which 5.4 puts behind one of only these characters.
    const digits = lua.wasm.memory.indexOf('-0123456789\0')
    if (digits < 0) throw new Error('the WebAssembly of wasmoon is not as expected')
    lua.wasm.memory[digits] = 0
    this.hook = lua.wasm.addFunction(() => {
      this.requireTime()
      return undefined
    }, false)
    ;[this.globals, this.real] = this.open(version)
    lua.pushFunction(main, L => this.handle(L))
    this.handler = lua.keep()
    lua.pushFunction(main, L => this.work(L))
    this.entry = lua.keep()
    this.thread = x.lua_newthread(main)
    this.threadKept = lua.keep()
    x.lua_sethook(this.thread, this.hook, MASK_COUNT, HOOK_INSTRUCTIONS)
  }

  pushGlobals(L: Address): void {
    this.lua.pushKept(L, this.globals)
  }

  /** Runs the prelude with what we add. */
  private open(version: string): [number, number] {
    const { lua } = this
    const { x, main } = lua
    if (!lua.load(main, PRELUDE, '=prelude')) throw new Error(lua.text(main, -1))
    const library = (functions: Readonly<Record<string, LuaFunction>>): void => {
      x.lua_createtable(main, 0, 0)
      lua.define(functions)
    }
    const inside = (name: string): void => x.lua_setfield(main, -2, lua.name(name))
    const base = baseFunctions(lua, this)
    const math = mathFunctions(lua)
    const { library: strings, gmatchStep, keepGmatch } = stringFunctions(lua)
    library({
      ...nativeFunctions(lua),
      gmatchStep,
      keepGmatch,
      tonumber: base.tonumber!,
      loadstring: base.loadstring!,
      floor: math.floor!,
    })
    x.lua_getglobal(main, lua.name('coroutine'))
    inside('coroutine')
    library(base)
    library(math)
    inside('math')
    library(strings)
    inside('string')
    library(tableFunctions(lua))
    inside('table')
    library(bitFunctions(lua))
    inside('bit')
    openCjson(lua)
    inside('cjson')
    library(msgpackFunctions(lua))
    inside('cmsgpack')
    library(structFunctions(lua))
    inside('struct')
    openRedis(lua, version, {
      call: request => this.call(request),
      errorOf: error => this.host.errorOf(error),
      setResp3: resp3 => this.host.setResp3(resp3),
      log: (level, message) => this.host.log(level, message),
    })
    inside('redis')
    if (x.lua_pcallk(main, 2, 2, 0, 0, 0) !== 0) throw new Error(lua.text(main, -1))
    const real = lua.keep()
    return [lua.keep(), real]
  }

  get memoryBytes(): number {
    return this.lua.wasm.memory.length
  }

  private get host(): CommandHost {
    return this.job!.host
  }

  private call(request: Arguments): Buffer {
    if (--this.callsLeft <= 0) {
      this.callsLeft = CALLS
      this.requireTime()
    }
    return this.host.call(request)
  }

  private requireTime(): void {
    if (performance.now() > this.deadline)
      throw new ScriptStopped(
        `the script took longer than ${this.limits.scriptTimeLimit} ms, the server's scriptTimeLimit`,
      )
  }

  /** @throws ScriptProblem, or ScriptStopped if there is no memory left for it */
  compile(sha: string, body: string): void {
    const { lua, compiled } = this
    const { x, main } = lua
    const name = /^#!.*/.exec(body)?.[0] ?? ''
    if (!loadText(lua, main, body.slice(name.length), SCRIPT_NAME)) {
      const problem = lua.text(main, -1) ?? ''
      x.lua_settop(main, 0)
      if (problem === NO_MEMORY) throw this.outOfMemory()
      throw new ScriptProblem(problem)
    }
    lua.pushKept(main, this.globals)
    x.lua_setupvalue(main, -2, 1)
    compiled.set(sha, lua.keep())
    if (compiled.size > MAX_COMPILED) this.forget(compiled.keys().next().value!)
  }

  forget(sha: string): void {
    const kept = this.compiled.get(sha)
    if (kept === undefined) return
    this.compiled.delete(sha)
    this.lua.letGo(kept)
  }

  /**
   * Runs a script and answers with what it returns, or with its error.
   * @throws ScriptStopped, and what the host throws that is not for scripts: then Lua is as before the script
   */
  run(job: Job): void {
    const { lua, compiled, thread } = this
    const { x } = lua
    const { sha, out } = job
    const kept = compiled.get(sha)
    if (kept === undefined) this.compile(sha, job.body)
    else if (compiled.size > MAX_COMPILED / 2) {
      compiled.delete(sha)
      compiled.set(sha, kept)
    }
    const start = out.length
    const stack = x.stackSave()
    this.job = job
    this.deadline = performance.now() + this.limits.scriptTimeLimit
    this.callsLeft = CALLS
    this.place = undefined
    let status = -1
    try {
      lua.pushKept(thread, this.handler)
      lua.pushKept(thread, this.entry)
      status = x.lua_pcallk(thread, 0, 0, 1, 0, 0)
      if (status !== 0) this.answerProblem(job, start, status)
      x.lua_settop(thread, 0)
    } finally {
      this.job = undefined
      this.deadline = Number.POSITIVE_INFINITY
      if (status < 0) {
        x.stackRestore(stack)
        this.renewThread()
      }
    }
  }

  private renewThread(): void {
    const { lua } = this
    const { x, main } = lua
    lua.letGo(this.threadKept)
    this.thread = x.lua_newthread(main)
    this.threadKept = lua.keep()
    x.lua_sethook(this.thread, this.hook, MASK_COUNT, HOOK_INSTRUCTIONS)
  }

  /** What the thread runs for a script. */
  private work(L: Address): number {
    const { lua } = this
    const { x } = lua
    const { request, firstKey, keys, sha, out, host } = this.job!
    const start = out.length
    lua.pushKept(L, this.real)
    this.pushList(L, request, firstKey, firstKey + keys)
    x.lua_setfield(L, -2, lua.name('KEYS'))
    this.pushList(L, request, firstKey + keys, request.count)
    x.lua_setfield(L, -2, lua.name('ARGV'))
    lua.pushKept(L, this.compiled.get(sha)!)
    x.lua_callk(L, 0, 1, 0, 0)
    out.truncate(start)
    writeReply(lua, L, out, host.resp3)
    return 0
  }

  private pushList(L: Address, request: Arguments, from: number, to: number): void {
    const { lua } = this
    lua.x.lua_createtable(L, to - from, 0)
    for (let i = from; i < to; i++) {
      lua.pushBytes(L, request.source, request.starts[i]!, request.ends[i]!)
      lua.x.lua_rawseti(L, -2, BigInt(i - from + 1))
    }
  }

  /** Notes where the error on the stack was raised. */
  private handle(L: Address): number {
    const { lua } = this
    for (let level = 1; this.place === undefined; level++) {
      const place = lua.place(L, level)
      if (place === undefined) break
      if (place !== 'C' && place.source !== '=prelude') this.place = place
    }
    return 1
  }

  private answerProblem({ out, sha }: Job, start: number, status: number): void {
    const { lua, thread, place } = this
    const { x } = lua
    out.truncate(start)
    if (status === MEMORY_STATUS) throw this.outOfMemory()
    let message = 'ERR unknown error'
    if (x.lua_type(thread, -1) === LUA_TTABLE) {
      lua.push(thread, 'err')
      x.lua_rawget(thread, -2)
      if (x.lua_type(thread, -1) === LUA_TSTRING) message = lua.text(thread, -1)!
    } else message = `ERR ${reworded(lua.text(thread, -1) ?? this.shown(thread))}`
    const where = place === undefined ? '' : `, on ${place.source}:${place.line}`
    out.error(`${message} script: ${sha}${where}.`)
  }

  private outOfMemory(): ScriptStopped {
    return new ScriptStopped(
      `the script needs more memory than there is for scripts, ${this.limits.scriptMemoryBytes} bytes (scriptMemoryBytes)`,
    )
  }

  /** What `tostring` says of an error that is no text. */
  private shown(L: Address): string {
    const type = this.lua.x.lua_type(L, -1)
    if (type === 1) return this.lua.x.lua_toboolean(L, -1) === 0 ? 'false' : 'true'
    return type === 0 ? 'nil' : 'an error that is no text'
  }
}
