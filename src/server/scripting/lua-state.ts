/**
 * A state of Lua, and what functions for it are written with: arguments by their place on the stack, from 1 on. Texts
 * have one character per byte.
 */
import { type Address, LONGJMP, type LuaExports, LuaWasm } from './wasm.ts'

/** Called by Lua with the thread that calls; returns how many results it has pushed. */
export type LuaFunction = (L: Address) => number

export const LUA_TNIL = 0
export const LUA_TBOOLEAN = 1
export const LUA_TNUMBER = 3
export const LUA_TSTRING = 4
export const LUA_TTABLE = 5
export const LUA_TFUNCTION = 6
/** The table of what only we can reach. */
export const REGISTRY = -1001000
export const MULTIPLE = -1

const SCRATCH_BYTES = 65536
const SHORT_BYTES = 1024
/** Steps between two looks at the clock. */
const STEPS = 10_000
/** Bytes that are copied, or looked through, in about the time of a step. */
const STEP_BYTES = 1024
/** `lua_Debug`, and where its fields lie. */
const RECORD_BYTES = 128
const WHAT_AT = 12
const SOURCE_AT = 16
const LINE_AT = 24
const SHORT_NAME_AT = 44

/** Where in a text of Lua something is. */
export interface Place {
  /** As it was given when it was loaded, and as errors show it. */
  readonly source: string
  readonly name: string
  readonly line: number
}

export class LuaState {
  readonly wasm: LuaWasm
  readonly x: LuaExports
  readonly main: Address
  /** Text on its way to Lua. */
  private readonly scratch: Address
  /** Where Lua writes a length. */
  private readonly lengthAt: number
  private readonly lengthPointer: Address
  private readonly record: Address
  private readonly names: Map<string, Address> = new Map()
  private readonly memoryBytes: number
  private readonly tick: () => void
  private stepsLeft = STEPS

  /** @param tick Looks at the clock; it throws what is to end the script. */
  constructor(memoryBytes: number, tick: () => void) {
    this.memoryBytes = memoryBytes
    this.tick = tick
    this.wasm = new LuaWasm(memoryBytes)
    this.x = this.wasm.exports
    this.main = this.x.luaL_newstate()
    this.scratch = this.x.malloc(SCRATCH_BYTES)
    this.lengthPointer = this.x.malloc(8)
    this.lengthAt = this.lengthPointer >> 2
    this.record = this.x.malloc(RECORD_BYTES)
    this.x.luaL_openlibs(this.main)
  }

  /** A text that stays in Lua's memory, with a NUL behind it. */
  name(text: string): Address {
    let address = this.names.get(text)
    if (address === undefined) {
      address = this.x.malloc(text.length + 1)
      this.wasm.memory.write(`${text}\0`, address, 'latin1')
      this.names.set(text, address)
    }
    return address
  }

  /** A short text with a NUL behind it, until the next one. */
  private passing(text: string): Address {
    const { memory } = this.wasm
    const end = memory.write(text, this.scratch, SHORT_BYTES, 'latin1')
    memory[this.scratch + end] = 0
    return this.scratch
  }

  /** Called again and again by what may go on for long. */
  step(): void {
    if (--this.stepsLeft > 0) return
    this.stepsLeft = STEPS
    this.tick()
  }

  /** The same for what takes time by bytes, once: `bytes` of them. */
  spend(bytes: number): void {
    if (bytes < STEP_BYTES) return
    this.stepsLeft -= bytes / STEP_BYTES
    this.step()
  }

  /** A text of so many bytes is being made outside of Lua: it may be no longer than what Lua could hold. */
  requireRoom(L: Address, bytes: number): void {
    if (bytes > this.memoryBytes) this.fail(L, 'not enough memory')
  }

  push(L: Address, text: string): void {
    const { length } = text
    this.spend(length)
    const address = this.room(L, length)
    this.wasm.memory.write(text, address, length, 'latin1')
    this.x.lua_pushlstring(L, address, length)
    this.giveBack(address)
  }

  pushBytes(L: Address, bytes: Uint8Array, start: number, end: number): void {
    const length = end - start
    this.spend(length)
    const address = this.room(L, length)
    const { memory } = this.wasm
    if (length <= 32) for (let i = 0; i < length; i++) memory[address + i] = bytes[start + i]!
    else memory.set(bytes.subarray(start, end), address)
    this.x.lua_pushlstring(L, address, length)
    this.giveBack(address)
  }

  private room(L: Address, bytes: number): Address {
    if (bytes <= SCRATCH_BYTES) return this.scratch
    const address = this.x.malloc(bytes)
    if (address === 0) this.fail(L, 'not enough memory')
    return address
  }

  private giveBack(address: Address): void {
    if (address !== this.scratch) this.x.free(address)
  }

  /** The address of a string or a number, or 0; its length is `lastLength` then. A number there becomes a string. */
  addressOf(L: Address, index: number): Address {
    return this.x.lua_tolstring(L, index, this.lengthPointer)
  }

  /** Where the length goes of what is asked for by `x` itself. */
  get lengthAddress(): Address {
    return this.lengthPointer
  }

  get lastLength(): number {
    return this.wasm.words[this.lengthAt]!
  }

  /** The text of a string or number; undefined for what is neither. */
  text(L: Address, index: number): string | undefined {
    const address = this.addressOf(L, index)
    if (address === 0) return undefined
    this.spend(this.lastLength)
    return this.wasm.memory.toString('latin1', address, address + this.lastLength)
  }

  /** The same of an argument; what is neither is an error. */
  checkText(L: Address, index: number): string {
    const address = this.x.luaL_checklstring(L, index, this.lengthPointer)
    this.spend(this.lastLength)
    return this.wasm.memory.toString('latin1', address, address + this.lastLength)
  }

  checkNumber(L: Address, index: number): number {
    return this.x.luaL_checknumber(L, index)
  }

  number(L: Address, index: number): number {
    return this.x.lua_tonumberx(L, index, 0)
  }

  /** The number that an argument is or stands for; undefined if it is none. */
  asNumber(L: Address, index: number): number | undefined {
    const value = this.x.lua_tonumberx(L, index, this.lengthPointer)
    return this.lastLength === 0 ? undefined : value
  }

  /** Raises an error, with the place of the caller in front. */
  fail(L: Address, message: string): never {
    this.x.luaL_where(L, 1)
    this.push(L, message)
    this.x.lua_concat(L, 2)
    return this.x.lua_error(L)
  }

  failArgument(L: Address, index: number, message: string): never {
    this.x.luaL_argerror(L, index, this.passing(message))
    throw LONGJMP
  }

  /** Pushes a function. */
  pushFunction(L: Address, work: LuaFunction): void {
    this.x.lua_pushcclosure(L, this.wasm.addFunction(work, true), 0)
  }

  /** Makes functions fields of the table on top of the main thread's stack. */
  define(functions: Readonly<Record<string, LuaFunction>>): void {
    for (const [name, work] of Object.entries(functions)) {
      this.pushFunction(this.main, work)
      this.x.lua_setfield(this.main, -2, this.name(name))
    }
  }

  /** Takes the value on top of the main thread's stack, for `pushKept`. */
  keep(): number {
    return this.x.luaL_ref(this.main, REGISTRY)
  }

  pushKept(L: Address, kept: number): void {
    this.x.lua_rawgeti(L, REGISTRY, BigInt(kept))
  }

  letGo(kept: number): void {
    this.x.luaL_unref(this.main, REGISTRY, kept)
  }

  /** Pushes a function made of a text, or what is wrong with the text; false then. */
  load(L: Address, text: string, name: string): boolean {
    const address = this.x.malloc(text.length + 1)
    if (address === 0) {
      this.push(L, 'not enough memory')
      return false
    }
    this.wasm.memory.write(text, address, text.length, 'latin1')
    const status = this.x.luaL_loadbufferx(L, address, text.length, this.passing(name), this.name('t'))
    this.x.free(address)
    return status === 0
  }

  /** Where the function on a level of the stack is at work, 0 being the one that asks; undefined above the last one. */
  place(L: Address, level: number): Place | 'C' | undefined {
    const { x, record, wasm } = this
    if (x.lua_getstack(L, level, record) === 0) return undefined
    x.lua_getinfo(L, this.name('Sl'), record)
    const word = (at: number): number => wasm.words[(record + at) >> 2]!
    if (wasm.memory[word(WHAT_AT)] === 67) return 'C'
    const text = (from: Address): string => wasm.memory.toString('latin1', from, wasm.memory.indexOf(0, from))
    return { source: text(word(SOURCE_AT)), name: text(record + SHORT_NAME_AT), line: word(LINE_AT) | 0 }
  }
}
