/** Numbers as Redis reads and writes them: 64-bit integers, and the 80-bit floats of INCRBYFLOAT. */

const MAX = 9223372036854775807n
const MIN = -9223372036854775808n
const INTEGER = /^(?:0|-?[1-9][0-9]{0,18})$/

/** A 64-bit integer in its one canonical form, or undefined. */
export const parseInteger = (text: string): bigint | undefined => {
  if (!INTEGER.test(text)) return undefined
  const value = BigInt(text)
  return inRange(value) ? value : undefined
}

export const inRange = (value: bigint): boolean => value >= MIN && value <= MAX

/** A short integer without a detour over text; NaN if it is anything else. */
export const smallInteger = (bytes: Uint8Array, start: number, end: number): number => {
  const negative = bytes[start] === 45
  const from = negative ? start + 1 : start
  const length = end - from
  if (length < 1 || length > 15 || (bytes[from] === 48 && (length > 1 || negative))) return Number.NaN
  let value = 0
  for (let at = from; at < end; at++) {
    const digit = bytes[at]! - 48
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  return negative ? -value : value
}

/** mantissa × 2^exponent, with a mantissa of at most 64 bits: what x87's extended precision can hold. */
export interface LongDouble {
  readonly mantissa: bigint
  readonly exponent: number
}

const DECIMAL = /^([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]+))?$/
const HEXADECIMAL = /^([+-]?)0[xX]([0-9a-fA-F]+)$/
/** Larger exponents are as good as infinite. */
const MAX_EXPONENT = 4932
const MAX_CHARACTERS = 5120

/** 'infinite' for what is one, undefined for what is no number (or NaN). */
export const parseLongDouble = (text: string): LongDouble | 'infinite' | undefined => {
  if (/^[+-]?inf(inity)?$/i.test(text)) return 'infinite'
  const hex = HEXADECIMAL.exec(text)
  if (hex !== null) return rounded(hex[1] === '-', BigInt(`0x${hex[2]}`), 1n)
  const match = DECIMAL.exec(text)
  if (match === null || text.length > MAX_CHARACTERS) return undefined
  const [, sign, whole = '', fraction = '', onlyFraction = '', power = '0'] = match
  const places = onlyFraction === '' ? fraction : onlyFraction
  const exponent = Number(power)
  const digits = BigInt(whole + places)
  if (digits === 0n) return { mantissa: 0n, exponent: 0 }
  if (exponent > MAX_EXPONENT) return undefined
  if (exponent < -MAX_EXPONENT) return undefined
  const scale = exponent - places.length
  return scale >= 0
    ? rounded(sign === '-', digits * 10n ** BigInt(scale), 1n)
    : rounded(sign === '-', digits, 10n ** BigInt(-scale))
}

export const addLongDoubles = (a: LongDouble, b: LongDouble): LongDouble => {
  const exponent = Math.min(a.exponent, b.exponent)
  const sum = (a.mantissa << BigInt(a.exponent - exponent)) + (b.mantissa << BigInt(b.exponent - exponent))
  const magnitude = sum < 0n ? -sum : sum
  return exponent >= 0
    ? rounded(sum < 0n, magnitude << BigInt(exponent), 1n)
    : rounded(sum < 0n, magnitude, 1n << BigInt(-exponent))
}

/** With 17 places, without zeros at the end. */
export const formatLongDouble = ({ mantissa, exponent }: LongDouble): string => {
  const negative = mantissa < 0n
  const magnitude = (negative ? -mantissa : mantissa) * 10n ** 17n
  const scaled = exponent >= 0 ? magnitude << BigInt(exponent) : halfEven(magnitude, 1n << BigInt(-exponent))
  const text = scaled.toString().padStart(18, '0')
  const places = text.slice(-17).replace(/0+$/, '')
  const number = `${text.slice(0, -17)}${places === '' ? '' : `.${places}`}`
  return negative && number !== '0' ? `-${number}` : number
}

/** The 64-bit mantissa next to numerator / denominator. */
const rounded = (negative: boolean, numerator: bigint, denominator: bigint): LongDouble => {
  if (numerator === 0n) return { mantissa: 0n, exponent: 0 }
  let exponent = bits(numerator) - bits(denominator) - 64
  let mantissa = divide(numerator, denominator, exponent)
  if (bits(mantissa) > 64) {
    exponent++
    mantissa = divide(numerator, denominator, exponent)
  } else if (bits(mantissa) < 64) {
    exponent--
    mantissa = divide(numerator, denominator, exponent)
  }
  return { mantissa: negative ? -mantissa : mantissa, exponent }
}

const divide = (numerator: bigint, denominator: bigint, exponent: number): bigint =>
  exponent >= 0
    ? halfEven(numerator, denominator << BigInt(exponent))
    : halfEven(numerator << BigInt(-exponent), denominator)

const halfEven = (numerator: bigint, denominator: bigint): bigint => {
  const quotient = numerator / denominator
  const twice = 2n * (numerator % denominator)
  const up = twice > denominator || (twice === denominator && (quotient & 1n) === 1n)
  return up ? quotient + 1n : quotient
}

const bits = (value: bigint): number => value.toString(2).length
