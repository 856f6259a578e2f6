/**
 * A file that a command writes. It is written under a name of its own beside the place and takes its name when it is
 * whole, so that the name never stands for half of it. No symbolic link is followed, and no file that is not ours is
 * touched: in a directory that others can write to, either may have been put there.
 */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  createWriteStream,
  fstatSync,
  linkSync,
  lstatSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { CommandError, EXIT_INTERRUPTED } from './errors.ts'
import { Output } from './output.ts'

/** Runs `write` with an output that becomes `file`. A pipe or a device is written to as it stands. */
export async function writeTarget<T>(file: string, force: boolean, write: (output: Output) => Promise<T>): Promise<T> {
  const existing = lstatSync(file, { throwIfNoEntry: false })
  if (existing !== undefined && !existing.isFile()) return writeTo(openSpecial(file, existing), write)
  if (existing !== undefined && !force) throw exists(file)
  const partial = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.partial`
  let isOurs = false
  const remove = (): void => {
    if (isOurs) rmSync(partial, { force: true })
  }
  const interrupt = (): void => {
    remove()
    process.exit(EXIT_INTERRUPTED)
  }
  // Before there is a file: nobody interrupts in between.
  process.once('SIGINT', interrupt)
  try {
    // Exclusively: whatever stands there, a link too, is an error.
    const descriptor = openSync(partial, 'wx')
    isOurs = true
    const result = await writeTo(descriptor, write)
    place(partial, file, force)
    return result
  } catch (error) {
    remove()
    throw error
  } finally {
    process.off('SIGINT', interrupt)
  }
}

async function writeTo<T>(descriptor: number, write: (output: Output) => Promise<T>): Promise<T> {
  const output = new Output(createWriteStream('', { fd: descriptor }))
  try {
    const result = await write(output)
    await output.end()
    return result
  } catch (error) {
    await output.abandon()
    throw error
  }
}

/** Neither follows a link that has been put there meanwhile; without `force` it takes no place that is taken. */
function place(partial: string, file: string, force: boolean): void {
  if (!force) {
    try {
      linkSync(partial, file)
      rmSync(partial)
      return
    } catch (error) {
      if (codeOf(error) === 'EEXIST') throw exists(file)
      // A file system without hard links.
      if (lstatSync(file, { throwIfNoEntry: false }) !== undefined) throw exists(file)
    }
  }
  renameSync(partial, file)
}

/** A pipe or a device, which is neither created nor cut. */
function openSpecial(file: string, existing: Stats): number {
  if (existing.isDirectory()) throw new CommandError(`${file} is a directory`)
  const isLink = existing.isSymbolicLink()
  // `/dev/stdout`, `/dev/fd/63`: links that the system makes.
  if (isLink && !/^\/(dev|proc)(\/|$)/.test(realpathSync(dirname(file))))
    throw new CommandError(
      `${file} is a symbolic link, which is not written through; name the file that it leads to, or remove the link`,
    )
  const descriptor = openSync(file, constants.O_WRONLY | (isLink ? 0 : NOFOLLOW))
  if (isLink || !fstatSync(descriptor).isFile()) return descriptor
  closeSync(descriptor)
  throw exists(file)
}

/** Windows has no such links in the way. */
const NOFOLLOW: number = constants.O_NOFOLLOW ?? 0

const exists = (file: string): CommandError => new CommandError(`${file} exists; --force replaces it`)

const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code

/** Appends a line to a file of our own (mode 0600 when created); a link, a pipe or a device is left alone. */
export function appendOwnLine(file: string, line: string): void {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | NOFOLLOW | (constants.O_NONBLOCK ?? 0)
  const descriptor = openSync(file, flags, 0o600)
  try {
    if (fstatSync(descriptor).isFile()) writeSync(descriptor, `${line}\n`)
  } finally {
    closeSync(descriptor)
  }
}
