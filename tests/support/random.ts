/** Seeds of random tests, and the printing of a seed when a test fails. */
import { Random } from '../../src/testing/random.ts'

export { Random }

/** How much longer than usual the random tests run: `XENON_RUNS=10 npx vitest run tests/model`. */
export const runs: number = Math.max(1, Number(process.env.XENON_RUNS ?? 1))

/** Milliseconds that a random test may take. */
export const runTimeout: number = 120_000 * runs

/** The seed to start from: `XENON_SEED` when it is set, a fresh one otherwise. */
export function firstSeed(): number {
  const given = process.env.XENON_SEED
  return given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)
}

/** Runs `body` with a random generator; a failure names the seed that replays it. */
export async function seeded(body: (random: Random) => unknown, seed: number = firstSeed()): Promise<void> {
  try {
    await body(new Random(seed))
  } catch (error) {
    if (error instanceof Error) error.message = `[replay with XENON_SEED=${seed}] ${error.message}`
    throw error
  }
}
