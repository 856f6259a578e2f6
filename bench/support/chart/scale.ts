/** From values to pixels, with round ticks. */
export interface Scale {
  ticks: number[]
  /** The pixel of a value. */
  at(value: number): number
}

/** From 0 (or the least value, when it is below) to a round number above the greatest. */
export function linearScale(values: readonly number[], from: number, to: number): Scale {
  const least = Math.min(0, ...values)
  const step = roundStep((Math.max(...values, least + 1e-9) - least) / 5)
  const bottom = Math.floor(least / step) * step
  const top = Math.ceil(Math.max(...values, bottom + step) / step - 1e-9) * step
  const ticks: number[] = []
  for (let tick = bottom; tick <= top + step / 2; tick += step) ticks.push(Number(tick.toPrecision(12)))
  return { ticks, at: value => from + ((value - bottom) / (top - bottom)) * (to - from) }
}

/** Whole powers of ten around the values. */
export function logScale(values: readonly number[], from: number, to: number): Scale {
  const positive = values.filter(value => value > 0)
  const bottom = Math.floor(Math.log10(Math.min(...positive, 1e300)) + 1e-9)
  const top = Math.max(bottom + 1, Math.ceil(Math.log10(Math.max(...positive, 1e-300)) - 1e-9))
  const ticks = Array.from({ length: top - bottom + 1 }, (_, index) => 10 ** (bottom + index))
  const share = (value: number) => (Math.log10(Math.max(value, 10 ** bottom)) - bottom) / (top - bottom)
  return { ticks, at: value => from + share(value) * (to - from) }
}

/** 1, 2 or 5 times a power of ten, not below `width`. */
function roundStep(width: number): number {
  const power = 10 ** Math.floor(Math.log10(width))
  const factor = [1, 2, 5, 10].find(candidate => candidate * power >= width * (1 - 1e-9))
  return (factor ?? 10) * power
}
