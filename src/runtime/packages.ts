/**
 * Modules of Node and packages that are loaded only when somebody asks for what they do, and at once. Nothing here is
 * needed to start, so that it runs where there is no Node, too.
 */
import { reasonOf, XenonError } from '../errors.ts'

interface Process {
  argv?: readonly string[]
  getBuiltinModule?(name: string): unknown
}

interface NodeModule {
  createRequire(from: string): Require
}

interface Require {
  (name: string): unknown
  resolve(name: string): string
}

/** A module of Node; undefined where there is none. */
export const builtinModule = <T>(name: string): T | undefined =>
  (globalThis as unknown as { process?: Process }).process?.getBuiltinModule?.(name) as T | undefined

/**
 * Where packages are looked for: from this file, and from the program's, since this code may lie in a bundle elsewhere,
 * which does not know where it lies if it is CommonJS.
 */
const places = (): string[] =>
  [import.meta.url, (globalThis as unknown as { process?: Process }).process?.argv?.[1]].filter(isPlace)

const isPlace = (place: unknown): place is string =>
  typeof place === 'string' && /^(file:|[/\\]|[a-zA-Z]:[/\\])/.test(place)

/**
 * A package that Node finds from here, or from the program.
 * @throws XenonError `XENON_NOT_SUPPORTED`, which says what needs it and how to get it.
 */
export const loadPackage = <T>(name: string, what: string): T => find(name, what, require => require(name) as T)

/**
 * The path of a file of a package (its name, `/`, and the path in it) that Node finds as `loadPackage` does.
 * @throws XenonError `XENON_NOT_SUPPORTED`, which says what needs it and how to get it.
 */
export const fileOfPackage = (file: string, what: string): string =>
  find(file.slice(0, file.indexOf('/')), what, require => require.resolve(file))

const find = <T>(name: string, what: string, look: (require: Require) => T): T => {
  const node = builtinModule<NodeModule>('node:module')
  if (node === undefined)
    throw new XenonError('XENON_NOT_SUPPORTED', `${what} needs the package '${name}', which cannot be loaded here`)
  let problem: unknown
  for (const place of places()) {
    try {
      return look(node.createRequire(place))
    } catch (error) {
      // The first one that says more than that it is not there.
      if (problem === undefined || isMissing(problem)) problem = error
    }
  }
  throw new XenonError(
    'XENON_NOT_SUPPORTED',
    isMissing(problem)
      ? `${what} needs the package '${name}', which is not installed: npm install ${name} (a bundle does not carry it along: docs/frameworks.md, "Bundlers")`
      : `${what} needs the package '${name}', which cannot be loaded: ${reasonOf(problem)}`,
    { cause: problem },
  )
}

const isMissing = (error: unknown): boolean => (error as { code?: unknown }).code === 'MODULE_NOT_FOUND'
