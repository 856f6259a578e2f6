/**
 * Lua itself: the WebAssembly of the package `wasmoon` (Lua 5.4), instantiated by us so that it gets nothing of the
 * system: no files, no environment, no clock but for the time, and no more memory than it is allowed.
 *
 * Errors of Lua run through it as the JavaScript exception `LONGJMP`, which its `pcall`s catch. Any other exception
 * passes through every `pcall` up to whoever has called Lua; the Lua thread that it has passed through is not to be used
 * again.
 */
import { readFileSync } from 'node:fs'
import { fileOfPackage } from '../../runtime/packages.ts'

/** A `lua_State *`, and other addresses in its memory. */
export type Address = number

type Raw = (...values: readonly never[]) => unknown

/** What Lua's C interface offers, as far as it is used here. Integers of 64 bits are BigInts. */
export interface LuaExports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number }
  readonly __indirect_function_table: {
    get(index: number): (a: number, b: number) => void
    set(index: number, value: unknown): void
    grow(count: number): number
  }
  __wasm_call_ctors(): void
  setThrew(threw: number, value: number): void
  stackSave(): Address
  stackRestore(pointer: Address): void
  malloc(bytes: number): Address
  free(pointer: Address): void
  luaL_newstate(): Address
  luaL_openlibs(L: Address): void
  luaL_loadbufferx(L: Address, text: Address, bytes: number, name: Address, mode: Address): number
  luaL_ref(L: Address, table: number): number
  luaL_unref(L: Address, table: number, ref: number): void
  luaL_where(L: Address, level: number): void
  luaL_argerror(L: Address, index: number, message: Address): number
  luaL_checknumber(L: Address, index: number): number
  luaL_checklstring(L: Address, index: number, bytes: Address): Address
  luaL_checktype(L: Address, index: number, type: number): void
  luaL_checkstack(L: Address, count: number, message: Address): void
  lua_newthread(L: Address): Address
  lua_checkstack(L: Address, count: number): number
  lua_gettop(L: Address): number
  lua_settop(L: Address, index: number): void
  lua_pushvalue(L: Address, index: number): void
  lua_rotate(L: Address, index: number, count: number): void
  lua_type(L: Address, index: number): number
  lua_isstring(L: Address, index: number): number
  lua_tonumberx(L: Address, index: number, isNumber: Address): number
  lua_toboolean(L: Address, index: number): number
  lua_tolstring(L: Address, index: number, bytes: Address): Address
  lua_rawlen(L: Address, index: number): number
  lua_topointer(L: Address, index: number): Address
  lua_pushnil(L: Address): void
  lua_pushnumber(L: Address, value: number): void
  lua_pushlstring(L: Address, text: Address, bytes: number): Address
  lua_pushcclosure(L: Address, pointer: number, upvalues: number): void
  lua_pushboolean(L: Address, value: number): void
  lua_pushlightuserdata(L: Address, pointer: Address): void
  lua_getfield(L: Address, index: number, name: Address): number
  lua_setfield(L: Address, index: number, name: Address): void
  lua_setglobal(L: Address, name: Address): void
  lua_getglobal(L: Address, name: Address): number
  lua_copy(L: Address, from: number, to: number): void
  lua_gettable(L: Address, index: number): number
  lua_rawget(L: Address, index: number): number
  lua_rawset(L: Address, index: number): void
  lua_rawgeti(L: Address, index: number, key: bigint): number
  lua_rawseti(L: Address, index: number, key: bigint): void
  lua_createtable(L: Address, array: number, fields: number): void
  lua_next(L: Address, index: number): number
  lua_concat(L: Address, count: number): void
  lua_error(L: Address): never
  lua_pcallk(L: Address, args: number, results: number, handler: number, context: number, k: number): number
  lua_callk(L: Address, args: number, results: number, context: number, k: number): void
  lua_sethook(L: Address, hook: number, mask: number, count: number): void
  lua_getstack(L: Address, level: number, record: Address): number
  lua_getinfo(L: Address, what: Address, record: Address): number
  lua_setupvalue(L: Address, index: number, n: number): Address
}

interface WasmModule {
  readonly brand: 'module'
}
interface Wasm {
  Module: {
    new (bytes: Uint8Array): WasmModule
    imports(module: WasmModule): { module: string; name: string }[]
  }
  Instance: new (module: WasmModule, imports: Record<string, Record<string, Raw>>) => { exports: unknown }
}
const { Module, Instance } = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly

/** The exception that an error of Lua is, on its way to the `pcall` that catches it. */
export const LONGJMP: number = Number.POSITIVE_INFINITY
const PAGE_BYTES = 65536

let compiled: WasmModule | undefined

/**
 * Compiles it, unless it is; that takes about 10 ms.
 * @throws XenonError `XENON_NOT_SUPPORTED` if the package is not installed
 */
const compile = (): WasmModule => {
  compiled ??= new Module(readFileSync(fileOfPackage('wasmoon/dist/glue.wasm', 'EVAL')))
  return compiled
}

export class LuaWasm {
  readonly exports: LuaExports
  /** All of its memory; another one after it has grown. */
  memory: Buffer = Buffer.alloc(0)
  words: Uint32Array = new Uint32Array(0)

  /** @param memoryBytes It gets no more: what needs more gets Lua's error "not enough memory". */
  constructor(memoryBytes: number) {
    const module = compile()
    const imports: Record<string, Record<string, Raw>> = {}
    for (const { module: from, name } of Module.imports(module)) {
      imports[from] ??= {}
      imports[from][name] = refused
    }
    const { env } = imports
    if (env === undefined) throw new Error('the WebAssembly of wasmoon is not as expected')
    env.invoke_vii = (f: number, a: number, b: number): void => {
      const { exports } = this
      const stack = exports.stackSave()
      try {
        exports.__indirect_function_table.get(f)(a, b)
      } catch (error) {
        exports.stackRestore(stack)
        if (error !== LONGJMP) throw error
        exports.setThrew(1, 0)
      }
    }
    env._emscripten_throw_longjmp = () => {
      throw LONGJMP
    }
    env.emscripten_date_now = () => Date.now()
    env.emscripten_resize_heap = (bytes: number) => this.grow(bytes >>> 0, memoryBytes)
    this.exports = new Instance(module, imports).exports as LuaExports
    this.view()
    this.exports.__wasm_call_ctors()
  }

  /** Adds a function to those that Lua can call, of one argument if it has a result (a `lua_CFunction`), or of two. */
  addFunction(work: (a: number, b: number) => number | undefined, hasResult: boolean): number {
    const type = hasResult ? [1, 0x7f, 1, 0x7f] : [2, 0x7f, 0x7f, 0]
    // A module that exports what it imports: only a function of WebAssembly may stand in the table.
    const bytes = Uint8Array.from([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...[1, type.length + 2, 1, 0x60, ...type],
      ...[2, 7, 1, 1, 0x65, 1, 0x66, 0, 0],
      ...[7, 5, 1, 1, 0x66, 0, 0],
    ])
    const { f } = new Instance(new Module(bytes), { e: { f: work as Raw } }).exports as { f: unknown }
    const table = this.exports.__indirect_function_table
    const index = table.grow(1)
    table.set(index, f)
    return index
  }

  private grow(bytes: number, most: number): number {
    const { memory } = this.exports
    const missing = Math.ceil((bytes - memory.buffer.byteLength) / PAGE_BYTES)
    // Somewhat more than is asked for, so that it is not asked for again at once.
    const wished = Math.max(missing, Math.min(64, Math.floor((most - memory.buffer.byteLength) / PAGE_BYTES)))
    if (bytes > most) return 0
    try {
      memory.grow(wished)
    } catch {
      return 0
    }
    this.view()
    return 1
  }

  private view(): void {
    const { buffer } = this.exports.memory
    this.memory = Buffer.from(buffer)
    this.words = new Uint32Array(buffer)
  }
}

/** Everything of the system that Lua could ask for fails: it has none of it. */
const refused = (): number => -1
