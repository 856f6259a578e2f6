/** FNV-1a of the eight bytes of a number below 2^53, as YCSB spreads record numbers (`Utils.fnvhash64`). */
const PRIME_LOW = 0x1b3

export interface Hash64 {
  high: number
  low: number
}

/** The prime is 2^40 + 0x1b3, so a product takes a shift and a small multiplication of 32-bit halves. */
export function fnv64(number: number): Hash64 {
  const halves = [number >>> 0, Math.floor(number / 2 ** 32) >>> 0] as const
  let high = 0xcbf29ce4
  let low = 0x84222325
  for (let byte = 0; byte < 8; byte += 1) {
    low = (low ^ ((halves[byte >> 2]! >>> ((byte & 3) * 8)) & 255)) >>> 0
    const product = low * PRIME_LOW
    high = (high * PRIME_LOW + Math.floor(product / 2 ** 32) + ((low << 8) >>> 0)) % 2 ** 32
    low = product % 2 ** 32
  }
  return { high, low }
}

/** The same as Java's `Math.abs` of a signed 64-bit number. */
export function absolute({ high, low }: Hash64): bigint {
  const signed = BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low))
  return signed < 0n ? -signed : signed
}
