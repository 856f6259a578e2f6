/**
 * The database that `inspect` looks into, as of one moment, also beside a process that has it open. Nothing of it is
 * changed, and no lock is taken. What is too damaged to be opened is shown as it lies in the files.
 */
import { ViewLostError } from '../errors.ts'
import { BlockSource } from '../explorer/source.ts'
import { CorruptionError, type Database, nodeStorage, open } from '../index.ts'
import { oneLine } from './errors.ts'
import { opening } from './opening.ts'

/** `asOnDisk`: the files as they are, in any case. */
export async function withExplored<R>(
  directory: string,
  asOnDisk: boolean,
  work: (source: BlockSource) => R | Promise<R>,
): Promise<R> {
  const found = asOnDisk ? undefined : openQuietly(directory)
  if (typeof found === 'string') process.stderr.write(`xenondb: ${found}; this is what lies in its files\n`)
  if (found === undefined || typeof found === 'string') {
    const source = BlockSource.ofFiles(directory, nodeStorage)
    try {
      return await work(source)
    } finally {
      source.close()
    }
  }
  try {
    return await work(BlockSource.ofEngine(directory, found.layers))
  } finally {
    found.close()
  }
}

/** The database, or why its files have to do. */
function openQuietly(directory: string): Database<Uint8Array> | string {
  try {
    return openToRead(directory)
  } catch (error) {
    if (error instanceof CorruptionError || error instanceof ViewLostError)
      return `it cannot be opened (${oneLine(error)})`
    throw error
  }
}

const openToRead = (directory: string): Database<Uint8Array> =>
  open<Uint8Array>(directory, {
    valueEncoding: 'binary',
    storedEncoding: 'ignore',
    createIfMissing: false,
    readOnly: true,
    takeover: opening().takeover,
  })
