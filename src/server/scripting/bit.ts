/** The library `bit` (Bit Operations of LuaJIT): numbers of 32 bits with a sign. */
import type { LuaFunction, LuaState } from './lua-state.ts'
import type { Address } from './wasm.ts'

export const bitFunctions = (lua: LuaState): Record<string, LuaFunction> => {
  const { x } = lua
  const bits = (L: Address, index: number): number => toBits(lua.checkNumber(L, index))

  const one =
    (work: (value: number) => number): LuaFunction =>
    L => {
      x.lua_pushnumber(L, work(bits(L, 1)) | 0)
      return 1
    }
  const all =
    (work: (a: number, b: number) => number): LuaFunction =>
    L => {
      let value = bits(L, 1)
      // From the last one on, as there: the first that is no number is named.
      for (let i = x.lua_gettop(L); i > 1; i--) value = work(value, bits(L, i))
      x.lua_pushnumber(L, value | 0)
      return 1
    }
  const shift =
    (work: (value: number, by: number) => number): LuaFunction =>
    L => {
      const value = bits(L, 1)
      x.lua_pushnumber(L, work(value, bits(L, 2) & 31) | 0)
      return 1
    }

  return {
    tobit: one(value => value),
    bnot: one(value => ~value),
    bswap: one(value => (value >>> 24) | ((value >>> 8) & 0xff00) | ((value & 0xff00) << 8) | (value << 24)),
    band: all((a, b) => a & b),
    bor: all((a, b) => a | b),
    bxor: all((a, b) => a ^ b),
    lshift: shift((value, by) => value << by),
    rshift: shift((value, by) => value >>> by),
    arshift: shift((value, by) => value >> by),
    rol: shift((value, by) => (value << by) | (value >>> (32 - by))),
    ror: shift((value, by) => (value >>> by) | (value << (32 - by))),
    tohex: L => {
      const value = bits(L, 1)
      const asked = x.lua_gettop(L) < 2 ? 8 : bits(L, 2)
      const count = Math.min(8, Math.abs(asked))
      const text = (value >>> 0)
        .toString(16)
        .padStart(8, '0')
        .slice(8 - count)
      lua.push(L, asked < 0 ? text.toUpperCase() : text)
      return 1
    },
  }
}

const float: Float64Array = new Float64Array(1)
const words: Int32Array = new Int32Array(float.buffer)
/** 1.5 × 2^52: a number that this is added to has its whole part in the low bits. */
const MAGIC = 6755399441055744

/** As the library does it in C, so that what is too large, or no whole number, gives the same bits. */
const toBits = (value: number): number => {
  float[0] = value + MAGIC
  return words[0]!
}
