/** Options of a command line come as text or numbers; these turn them into what a benchmark works with. */
import { quickResultsDirectory, resultsDirectory } from './paths.ts'

/** As the command line gave them; each benchmark checks its own. */
export type Options = Readonly<Record<string, unknown>>

/** A wrong option: printed as one line, exit status 2. */
export class UsageError extends Error {}

export function positiveInteger(name: string, given: unknown, preset: number): number {
  if (given === undefined) return preset
  const number = Number(given)
  if (!Number.isSafeInteger(number) || number < 1) {
    throw new UsageError(`--${name} takes a whole number above 0, not '${given}'`)
  }
  return number
}

export function positiveIntegers(name: string, given: unknown, preset: readonly number[]): number[] {
  if (given === undefined) return [...preset]
  return words(given).map(word => positiveInteger(name, word, 1))
}

/** A comma-separated selection of `known` words, in the order of `known`; the `usual` ones when nothing is given. */
export function selection<T extends string>(
  name: string,
  given: unknown,
  known: readonly T[],
  usual: readonly T[] = known,
): T[] {
  if (given === undefined) return [...usual]
  const wanted = words(given)
  const stranger = wanted.find(word => !(known as readonly string[]).includes(word))
  if (stranger !== undefined) {
    throw new UsageError(`--${name}: '${stranger}' is not one of ${known.join(', ')}`)
  }
  return known.filter(word => wanted.includes(word))
}

/** Where the results go: a quick run never overwrites the official ones. */
export function outputDirectory(options: { out?: unknown; quick?: unknown }): string {
  if (options.out !== undefined) return String(options.out)
  return options.quick ? quickResultsDirectory : resultsDirectory
}

function words(given: unknown): string[] {
  return String(given)
    .split(',')
    .map(word => word.trim())
    .filter(word => word !== '')
}
