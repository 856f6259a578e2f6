/** Functions that callers hand over: those that could not do what they were given for are refused before they run. */
import { InvalidArgumentError } from '../errors.ts'

/** Asks the object itself, so that functions of other realms, bound ones too, are known for what they are. */
const tagOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1)

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as { then?: unknown } | null | undefined)?.then === 'function'

/**
 * For a result that is refused: if it is a promise, nobody else hears of its failure, which must not end the process.
 */
export const letGo = (result: unknown): void => {
  if (!isPromise(result)) return
  result.then(
    () => {},
    () => {},
  )
}

/** `name` takes a function that is run to its end by calling it, synchronous or not. */
export const requireFunction = (name: string, given: unknown): void => {
  if (typeof given !== 'function') throw new InvalidArgumentError(`${name} takes a function`)
  if (tagOf(given).endsWith('GeneratorFunction'))
    throw new InvalidArgumentError(
      `${name} takes a plain function, but this one is a generator, whose body nobody would run`,
    )
}

/** The same, and it must be done when it returns. */
export const requireSyncFunction = (name: string, given: unknown): void => {
  requireFunction(name, given)
  if (tagOf(given) === 'AsyncFunction')
    throw new InvalidArgumentError(`${name} takes a synchronous function, but this one is async`)
}

/** For what a function of `requireFunction` gave: perhaps it has but called a generator function. */
export const requireRun = (name: string, result: unknown): void => {
  const tag = tagOf(result)
  if (tag === 'Generator' || tag === 'AsyncGenerator')
    throw new InvalidArgumentError(
      `${name} takes a function that does its work when it is called, but this one returned a generator, whose body has not run`,
    )
}

/** The same for `requireSyncFunction`. */
export const requireDone = (name: string, result: unknown): void => {
  requireRun(name, result)
  if (!isPromise(result)) return
  letGo(result)
  throw new InvalidArgumentError(`${name} takes a synchronous function, but this one returned a promise`)
}

/** The functions of a codec answer at once. */
export const requireCodec = (name: string, codec: object, ...functions: string[]): void => {
  for (const key of functions) requireSyncFunction(`${key}() of ${name}`, (codec as Record<string, unknown>)[key])
}

/** A callback for progress, which may be missing. */
export const requireProgress = (given: unknown): void => {
  if (given !== undefined) requireFunction('onProgress', given)
}
