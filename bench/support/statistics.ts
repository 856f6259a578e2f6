/** Middle of the samples; of an even number, the mean of the two in the middle. NaN when there is none. */
export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** How far the samples lie apart, as a share of their median: 0.1 is 10 %. */
export function spread(samples: readonly number[]): number {
  return samples.length < 2 ? 0 : (Math.max(...samples) - Math.min(...samples)) / median(samples)
}
