/** Numbers as C writes them. */

/** `%.<precision>g`: without zeros at the end of the fraction. */
export const formatG = (value: number, precision: number): string => {
  if (Number.isNaN(value)) return '-nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  if (Number.isSafeInteger(value) && Math.abs(value) < 10 ** Math.min(precision, 15)) return String(value)
  const [digits, power] = value.toExponential(precision - 1).split('e') as [string, string]
  const exponent = Number(power)
  if (exponent >= -4 && exponent < precision) return trimmed(value.toFixed(precision - 1 - exponent))
  const size = Math.abs(exponent)
  return `${trimmed(digits)}e${exponent < 0 ? '-' : '+'}${size < 10 ? '0' : ''}${size}`
}

const trimmed = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text)

/** As a cast of C makes a 64-bit integer of a floating-point number: what does not fit is the least one. */
export const toInteger = (value: number): number | bigint => {
  const whole = Math.trunc(value)
  if (Math.abs(whole) <= Number.MAX_SAFE_INTEGER) return whole + 0
  return whole >= -(2 ** 63) && whole < 2 ** 63 ? BigInt(whole) : -(2n ** 63n)
}
