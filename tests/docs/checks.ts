/** What the comments of an example are turned into. */
import { inspect, isDeepStrictEqual } from 'node:util'

export const equal = (actual: unknown, expected: unknown, line: number): void => {
  if (isDeepStrictEqual(actual, expected)) return
  throw new Error(`line ${line}: expected ${inspect(expected)}, but it is ${inspect(actual)}`)
}

export const throws = async (run: () => unknown, code: string, line: number): Promise<void> => {
  try {
    await run()
  } catch (error) {
    const actual = (error as { code?: unknown }).code
    if (actual === code) return
    throw new Error(`line ${line}: expected ${code}, but it threw ${inspect(error)}`)
  }
  throw new Error(`line ${line}: expected ${code}, but nothing was thrown`)
}
