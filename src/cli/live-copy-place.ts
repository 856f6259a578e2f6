/** Where the copy of a live database lies: a temporary directory with room for it, which goes away with the work. */
import { mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeStorage, type Storage } from '../index.ts'
import { CommandError } from './errors.ts'
import { isGone } from './live-copy-log.ts'
import { size } from './render.ts'

/** The log goes on growing during the copy, and recovery adds to it. */
const LOG_GROWTH = 3

/** Runs `work` with an empty directory inside `temporary`, and removes it whatever happens. */
export async function withPlace<T>(
  directory: string,
  temporary: string = tmpdir(),
  work: (place: string) => Promise<T>,
): Promise<T> {
  requireSpace(directory, temporary)
  const place = makePlace(temporary)
  try {
    return await work(place)
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

function makePlace(temporary: string): string {
  try {
    return mkdtempSync(join(temporary, 'xenondb-verify-'))
  } catch (error) {
    throw new CommandError(`no copy can be made in ${temporary}: ${(error as Error).message}`)
  }
}

function requireSpace(directory: string, temporary: string): void {
  const needed = bytesNeeded(nodeStorage, directory)
  let free: number
  try {
    const { bavail, bsize } = statfsSync(temporary)
    free = bavail * bsize
  } catch (error) {
    throw new CommandError(`no copy can be made in ${temporary}: ${(error as Error).message}`)
  }
  if (free < needed)
    throw new CommandError(
      `${directory} is in use, and checking a copy of it needs ${size(needed)}, but ${temporary} has ${size(free)} free; name another place with --temporary`,
    )
}

/** Bytes that a copy of the database and its recovery take. */
export function bytesNeeded(storage: Storage, directory: string): number {
  const log = storage.join(directory, 'log')
  const sizeOf = (path: string): number => {
    if (storage.kind(path) !== 'file') return 0
    try {
      const file = storage.open(path, { readOnly: true })
      try {
        return file.size()
      } finally {
        file.close()
      }
    } catch (error) {
      // The owner has given up a segment of its log meanwhile.
      if (isGone(error)) return 0
      throw error
    }
  }
  const names = storage.kind(log) === 'directory' ? storage.list(log) : []
  const logBytes = names.reduce((sum, name) => sum + sizeOf(storage.join(log, name)), 0)
  return sizeOf(storage.join(directory, 'data')) + LOG_GROWTH * logBytes
}
