/** How much of a turn one client may have, by a clock of the test's own. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { performance } from '../../../src/runtime/timers.ts'
import { Share } from '../../../src/server/connection/share.ts'

let now = 0
beforeEach(() => {
  now = 1000
  vi.spyOn(performance, 'now').mockImplementation(() => now)
})
afterEach(() => vi.restoreAllMocks())

/** Commands that it allows, each of which takes so long. */
const allowed = (share: Share, milliseconds: number, bytes = 0): number => {
  for (let count = 0; count < 10_000; count++) {
    if (share.isUsedUp(count * bytes)) return count
    now += milliseconds
  }
  return Number.POSITIVE_INFINITY
}

test('half a millisecond of quick commands, and no more in the same turn', () => {
  const share = new Share()
  share.begin(1, 0, false, false, 100, now)
  const count = allowed(share, 0.002)
  expect(count).toBeGreaterThanOrEqual(250)
  expect(count).toBeLessThanOrEqual(250 + 16)
  share.begin(1, 0, false, false, 100, now)
  expect(allowed(share, 0.002)).toBe(0)
  share.begin(2, 0, false, false, 100, now)
  expect(allowed(share, 0.002)).toBe(count)
})

test('beside others a tenth of a millisecond, if it has had more than its share before', () => {
  const share = new Share()
  share.begin(0, 0, true, false, 100, now)
  expect(allowed(share, 0.002)).toBeGreaterThanOrEqual(250)
  share.begin(1, 1, true, false, 100, now)
  const count = allowed(share, 0.002)
  expect(count).toBeGreaterThanOrEqual(50)
  expect(count).toBeLessThanOrEqual(50 + 16)
})

test('who has begun in a turn has no more of it than what is left', () => {
  const share = new Share()
  share.begin(1, 0, false, false, 100, now)
  for (let i = 0; i < 100; i++) {
    expect(share.isUsedUp(0)).toBe(false)
    now += 0.002
  }
  share.begin(1, 0, false, false, 100, now)
  expect(allowed(share, 0.002)).toBeLessThanOrEqual(150 + 16)
})

test('one command whatever it takes; after slow ones the clock is read at once, after quick ones again seldom', () => {
  const share = new Share()
  share.begin(1, 0, false, false, 100, now)
  expect(allowed(share, 5)).toBe(16)
  for (let turn = 2; turn < 5; turn++) {
    share.begin(turn, 0, false, false, 100, now)
    expect(allowed(share, 5)).toBe(1)
  }
  share.begin(5, 0, false, false, 100, now)
  vi.mocked(performance.now).mockClear()
  expect(allowed(share, 0.002)).toBeGreaterThan(240)
  expect(vi.mocked(performance.now).mock.calls.length).toBeLessThan(20)
})

test('many bytes make it look, too', () => {
  const share = new Share()
  share.begin(1, 0, false, false, 100, now)
  expect(allowed(share, 0.4, 20_000)).toBe(2)
})

test('in a turn that has taken long already slow commands wait, quick ones do not', () => {
  const share = new Share()
  share.begin(1, 0, false, true, 100, now)
  expect(allowed(share, 5)).toBe(16)
  for (let turn = 2; turn < 5; turn++) {
    share.begin(turn, 0, false, true, 100, now)
    expect(share.isSlow).toBe(true)
    expect(allowed(share, 5)).toBe(0)
  }
  share.begin(5, 0, false, false, 100, now)
  expect(allowed(share, 0.002)).toBeGreaterThan(240)
  expect(share.isSlow).toBe(false)
  share.begin(6, 0, false, true, 100, now)
  expect(allowed(share, 0.002)).toBeGreaterThan(240)
  share.begin(7, 0, false, true, 100_000, now)
  expect(allowed(share, 0.002)).toBe(0)
})

test('clients that all have too much divide the time, and each gets some', () => {
  const share = new Share()
  share.begin(1, 5, false, false, 100, now)
  const fifth = allowed(share, 0.002)
  expect(fifth).toBeGreaterThanOrEqual(50)
  expect(fifth).toBeLessThanOrEqual(50 + 16)
  share.begin(2, 10_000, false, false, 100, now)
  expect(allowed(share, 0.002)).toBeGreaterThanOrEqual(25)
})
