/** Time, timers and random bytes that follow from a seed, so that what runs in the background can be replayed. */
import { vi } from 'vitest'
import { memoryStorage, type Storage } from '../../src/index.ts'
import * as timers from '../../src/runtime/timers.ts'
import type { Random } from './random.ts'

/** Runs `body` while time passes only when somebody looks at the clock, and timers end with the turn. */
export async function withSteadyTime(random: Random, body: () => unknown): Promise<void> {
  const clock = new (random.constructor as new (seed: number) => Random)(random.next())
  let now = 0
  // The package's own, and the global ones that the sweep of what has expired keeps to.
  const spies = [
    vi.spyOn(timers.performance, 'now').mockImplementation(() => (now += clock.below(3))),
    ...[globalThis, timers.timers].flatMap(owner => [
      vi
        .spyOn(owner, 'setTimeout')
        .mockImplementation(((run: () => void) => setImmediate(run)) as unknown as typeof setTimeout),
      vi.spyOn(owner, 'clearTimeout').mockImplementation(timer => clearImmediate(timer as unknown as NodeJS.Immediate)),
    ]),
  ]
  try {
    await body()
  } finally {
    for (const spy of spies) spy.mockRestore()
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
