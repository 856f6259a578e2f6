/** Time, timers and random bytes that follow from a seed, so that what runs in the background can be replayed. */
import { vi } from 'vitest'
import { memoryStorage, type Storage } from '../../src/index.ts'
import type { Random } from './random.ts'

/** Runs `body` while time passes only when somebody looks at the clock, and timers end with the turn. */
export async function withSteadyTime(random: Random, body: () => unknown): Promise<void> {
  const clock = new (random.constructor as new (seed: number) => Random)(random.next())
  let now = 0
  const performanceNow = vi.spyOn(performance, 'now').mockImplementation(() => (now += clock.below(3)))
  const timeout = vi
    .spyOn(globalThis, 'setTimeout')
    .mockImplementation(((run: () => void) => setImmediate(run)) as unknown as typeof setTimeout)
  const clear = vi
    .spyOn(globalThis, 'clearTimeout')
    .mockImplementation(timer => clearImmediate(timer as unknown as NodeJS.Immediate))
  try {
    await body()
  } finally {
    for (const spy of [performanceNow, timeout, clear]) spy.mockRestore()
  }
}

/** A memory storage whose random bytes, such as the key of the hash, follow from the seed. */
export function steadyStorage(random: Random): Storage {
  const bytes = new (random.constructor as new (seed: number) => Random)(random.next())
  return {
    ...memoryStorage(),
    randomBytes: length => Uint8Array.from({ length }, () => bytes.below(256)),
  }
}
