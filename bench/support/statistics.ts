/** Middle of the samples; of an even number, the mean of the two in the middle. NaN when there is none. */
export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The least value that a `share` (0 to 1) of the samples do not exceed. `sorted` ascends. NaN when there is none. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  // Rounded first: 0.999 * 1000 is a little more than 999.
  const rank = Math.ceil(Number((share * sorted.length).toFixed(6)))
  return sorted[Math.max(0, rank - 1)] ?? Number.NaN
}

/** How far the samples lie apart, as a share of their median: 0.1 is 10 %. */
export function spread(samples: readonly number[]): number {
  return samples.length < 2 ? 0 : (Math.max(...samples) - Math.min(...samples)) / median(samples)
}
