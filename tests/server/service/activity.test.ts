import { expect, test } from 'vitest'
import { type CommandStats, percentileOf } from '../../../src/server/service/activity.ts'

const statsOf = (counts: readonly number[]): CommandStats => {
  const buckets = Uint32Array.from(counts)
  return { name: 'get', calls: buckets.reduce((a, b) => a + b), milliseconds: 1, rejected: 0, failed: 0, buckets }
}

test('a percentile is the longest time of the bucket in which so many calls were done', () => {
  const stats = statsOf([0, 98, 1, 0, 1])
  expect([0.1, 50, 98, 98.1, 99, 99.9, 100].map(percent => percentileOf(stats, percent))).toEqual([
    2.063, 2.063, 2.063, 4.127, 4.127, 16.511, 16.511,
  ])
  expect(percentileOf(statsOf([1]), 50)).toBe(1.031)
})
