/** A file that says who holds a lock, or is about to: one line of JSON, and which file that is. */
import { closeSync, constants, fstatSync, openSync, readSync, statSync, writeSync } from 'node:fs'
import { isError } from '../errors.ts'
import { closeQuietly, codeOf, openRegularFile, storageError } from './regular-file.ts'

export interface Owner {
  pid: number
  /** Clock tick the process started at. Null where the system does not tell. */
  start: string | null
  boot: string | null
  /** The pid namespace (container): a pid means nothing outside it. */
  namespace: string | null
  /** The thread of the process. */
  thread: number | null
  /** Its descriptor of this very file, open for as long as it holds the lock. Null for releases that kept none. */
  descriptor: number | null
  nonce: string
}

export interface Claim {
  /** Undefined if the file names nobody; its nonce is made from its name then. */
  owner: Owner | undefined
  nonce: string
  file: FileId
  /** The system shows an open descriptor of this file as this file, so that one that it does not show is not there. */
  isShown: boolean
}

export interface FileId {
  dev: bigint
  ino: bigint
}

/** A claim takes some 250 bytes, whatever more there is makes it unreadable. */
const CLAIM_BYTES = 1024

/** Writes a claim to a new file, and returns the descriptor that it names. */
export function createClaim(path: string, me: Omit<Owner, 'descriptor'>): number {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600)
  try {
    writeWhole(fd, Buffer.from(`${JSON.stringify({ ...me, descriptor: fd })}\n`))
    return fd
  } catch (error) {
    closeQuietly(fd)
    throw error
  }
}

function writeWhole(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    const written = writeSync(fd, bytes, done, bytes.length - done, done)
    if (written === 0) throw new Error('the system wrote nothing and gave no reason')
    done += written
  }
}

/** Undefined if there is no such file. */
export function readClaim(path: string, name: string): Claim | undefined {
  let fd: number
  try {
    fd = openRegularFile(path, constants.O_RDONLY)
  } catch (error) {
    if (isError(error) && codeOf(error.cause) === 'ENOENT') return undefined
    throw error
  }
  let claim: Claim
  try {
    const owner = readOwner(fd)
    const { dev, ino } = fstatSync(fd, { bigint: true })
    const nonce = owner?.nonce ?? `unreadable-${name}`
    claim = { owner, nonce, file: { dev, ino }, isShown: shows(fd, { dev, ino }) }
  } catch (cause) {
    closeQuietly(fd)
    throw storageError('read', path, cause)
  }
  try {
    closeSync(fd)
  } catch (cause) {
    throw storageError('close', path, cause)
  }
  return claim
}

/** What an open file says; undefined if it says nothing that makes sense. */
export function readOwner(fd: number): Owner | undefined {
  const bytes = Buffer.alloc(CLAIM_BYTES)
  return parse(bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, 0)))
}

function parse(text: string): Owner | undefined {
  let value: Partial<Owner> | null
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { pid, nonce } = value
  if (typeof pid !== 'number' || !Number.isInteger(pid) || pid <= 0 || pid > 0x7fffffff) return undefined
  if (typeof nonce !== 'string' || !/^[0-9a-f]{1,64}$/.test(nonce)) return undefined
  const string = (field: unknown): string | null => (typeof field === 'string' ? field : null)
  const count = (field: unknown): number | null =>
    Number.isSafeInteger(field) && (field as number) >= 0 ? (field as number) : null
  const { start, boot, namespace, thread, descriptor } = value
  return {
    pid,
    start: string(start),
    boot: string(boot),
    namespace: string(namespace),
    thread: count(thread),
    descriptor: count(descriptor),
    nonce,
  }
}

function shows(fd: number, { dev, ino }: FileId): boolean {
  if (process.platform !== 'linux') return false
  try {
    const shown = statSync(`/proc/self/fd/${fd}`, { bigint: true })
    return shown.dev === dev && shown.ino === ino
  } catch {
    return false
  }
}
