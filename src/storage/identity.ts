/** What a file is, apart from its name: device and inode. And paths that go on leading to the same place. */
import { fstatSync, lstatSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, resolve, sep } from 'node:path'
import { codeOf, storageError } from './regular-file.ts'

/** Of an open file. A number of the inode may have more bits than a double. */
export function identityOfOpen(fd: number, path: string): string {
  try {
    return text(fstatSync(fd, { bigint: true }))
  } catch (cause) {
    throw storageError('look up', path, cause)
  }
}

/** Of the file that a name leads to, links not followed. */
export function identityOfEntry(path: string): string | undefined {
  return lookUp(path, () => lstatSync(path, { bigint: true, throwIfNoEntry: false }))
}

/** Of what a path leads to, links followed. */
export function identityOf(path: string): string | undefined {
  return lookUp(path, () => statSync(path, { bigint: true, throwIfNoEntry: false }))
}

function lookUp(path: string, find: () => { dev: bigint; ino: bigint } | undefined): string | undefined {
  try {
    const found = find()
    return found === undefined ? undefined : text(found)
  } catch (cause) {
    if (codeOf(cause) === 'ENOTDIR') return undefined
    throw storageError('look up', path, cause)
  }
}

function text({ dev, ino }: { dev: bigint; ino: bigint }): string {
  return `${dev}:${ino}`
}

/**
 * The absolute path without symbolic links: `mv` of a link, or `chdir`, changes nothing about where it leads. What is
 * missing at its end stays as it is written.
 */
export function realPath(path: string): string {
  const absolute = absolutePath(path)
  const missing: string[] = []
  for (let at = absolute; ; at = dirname(at)) {
    try {
      return resolve(real(at), ...missing)
    } catch (cause) {
      // Whoever uses the path will meet the same error, and report it better.
      if (codeOf(cause) !== 'ENOENT' || isThere(at) || dirname(at) === at) return resolve(absolute)
    }
    missing.unshift(basename(at))
  }
}

/** Not normalized: behind a symbolic link, `..` leads to the parent of where the link leads. */
function absolutePath(path: string): string {
  if (isAbsolute(path)) return path
  try {
    return `${process.cwd()}${sep}${path}`
  } catch (cause) {
    throw storageError('resolve', path, cause, '; the working directory was removed: give an absolute path')
  }
}

function real(path: string): string {
  // The native one of Windows gives network paths for mapped drives.
  return process.platform === 'win32' ? realpathSync(path) : realpathSync.native(path)
}

/** A link that leads nowhere is not a missing name. */
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined
  } catch {
    return true
  }
}
