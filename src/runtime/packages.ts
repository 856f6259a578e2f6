/**
 * Modules of Node and packages that are loaded only when somebody asks for what they do, and at once. Nothing here is
 * needed to start, so that it runs where there is no Node, too.
 */
import { reasonOf, XenonError } from '../errors.ts'

interface Process {
  getBuiltinModule?(name: string): unknown
}

interface NodeModule {
  createRequire(from: string): (name: string) => unknown
}

/** A module of Node; undefined where there is none. */
export const builtinModule = <T>(name: string): T | undefined =>
  (globalThis as unknown as { process?: Process }).process?.getBuiltinModule?.(name) as T | undefined

/**
 * A package that lies where Node finds it from here.
 * @throws XenonError `XENON_NOT_SUPPORTED`, which says what needs it and how to get it.
 */
export const loadPackage = <T>(name: string, what: string): T => {
  const node = builtinModule<NodeModule>('node:module')
  if (node === undefined)
    throw new XenonError('XENON_NOT_SUPPORTED', `${what} needs the package '${name}', which cannot be loaded here`)
  try {
    return node.createRequire(import.meta.url)(name) as T
  } catch (error) {
    const isMissing = (error as { code?: unknown }).code === 'MODULE_NOT_FOUND'
    throw new XenonError(
      'XENON_NOT_SUPPORTED',
      isMissing
        ? `${what} needs the package '${name}', which is not installed: npm install ${name}`
        : `${what} needs the package '${name}', which cannot be loaded: ${reasonOf(error)}`,
      { cause: error },
    )
  }
}
