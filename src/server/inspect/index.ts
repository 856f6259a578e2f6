/**
 * A server beside the program that has the database open, on a socket in its directory: for the command line (`inspect`
 * of `open`), and for other processes that share the database (`openShared`).
 */
import { randomBytes } from 'node:crypto'
import { lstatSync, mkdtempSync, readdirSync, renameSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { Database } from '../../database/database.ts'
import { isError, XenonError } from '../../errors.ts'
import { Server } from '../server.ts'
import type { ServerOptions } from '../service/options.ts'
import { isTooLong, POINTER, pipeOf, readPointer, SOCKET } from './place.ts'

const MiB = 1048576
/** Values of any size: the other end is the same user's. */
const LIMITS: ServerOptions = {
  maxArgumentBytes: 256 * MiB,
  maxQueryBytes: 1024 * MiB,
  maxOutputBytes: 1024 * MiB,
  maxClientMemoryBytes: 4096 * MiB,
  maxClients: 1024,
}

/** A socket or a pointer under a name of its own, before it gets the one that others look for. */
const UNPUBLISHED = /^inspect\.[0-9a-f]{8}$/
const ELSEWHERE = /^xenondb-inspect-/

/**
 * Listens until the database closes, or the thread ends. What goes wrong is a warning of the process: nothing of the
 * program depends on it.
 */
export const inspect = async (db: Database<unknown, unknown>): Promise<void> => {
  const inspector = new SocketServer(db, { readOnly: db.inspection !== 'write' })
  try {
    await inspector.begin()
  } catch (error) {
    inspector.end()
    if (db.closed) return
    const reason = isError(error) ? error.message : String(error)
    process.emitWarning(`the database in ${db.directory} cannot be looked into: ${reason}`, { code: 'XENON_INSPECT' })
  }
}

/** Listens on the socket of a database until that closes. */
export class SocketServer {
  private readonly db: Database<unknown, unknown>
  private readonly options: ServerOptions
  private server: Server | undefined
  private ended = false
  /** What it has made, to be removed in this order. */
  private readonly made: { path: string; identity: string; isDirectory: boolean }[] = []

  constructor(db: Database<unknown, unknown>, options: ServerOptions) {
    this.db = db
    this.options = options
  }

  /** @throws XenonError, or an error of the system, if it cannot listen */
  async begin(): Promise<void> {
    const { db } = this
    db.beforeEnd(() => this.end())
    const { directory, lock } = db.identity()
    if (lock === undefined)
      throw new XenonError('XENON_NOT_SUPPORTED', 'no lock could be written into its directory, nor could a socket')
    if (process.platform === 'win32') {
      await this.listen(pipeOf(directory))
      return
    }
    sweep(directory)
    const published = join(directory, SOCKET)
    requireOurs(published, 'socket')
    if (!isTooLong(published))
      try {
        await this.listenInside(directory, published)
        return
      } catch (error) {
        // A file system that has no sockets (FAT, some of containers and networks) says so in many ways.
        if (!isError(error) || !('syscall' in error)) throw error
      }
    if (!this.ended) await this.listenElsewhere(directory)
  }

  /** Bound under a name of its own, so that no name is ever taken from somebody else by chance. */
  private async listenInside(directory: string, published: string): Promise<void> {
    const path = join(directory, ownName())
    await this.listen(path)
    this.publish(path, published)
  }

  private async listenElsewhere(directory: string): Promise<void> {
    const pointer = join(directory, POINTER)
    requireOurs(pointer, 'file')
    const place = mkdtempSync(join(tmpdir(), 'xenondb-inspect-'))
    const path = join(place, 'socket')
    this.note(place, true)
    await this.listen(path)
    const file = join(directory, ownName())
    writeFileSync(file, `${JSON.stringify({ path })}\n`, { mode: 0o600, flag: 'wx' })
    this.publish(file, pointer)
  }

  private async listen(socket: string): Promise<void> {
    const { db } = this
    this.server = new Server(db, { ...LIMITS, ...this.options, socket }, true)
    await this.server.listen()
    // The database was closed meanwhile.
    if (this.ended) this.server.stopNow()
  }

  private publish(path: string, published: string): void {
    this.note(path, false)
    if (this.ended) {
      this.removeAll()
      return
    }
    // It may be another database's directory by now.
    this.db.identity()
    renameSync(path, published)
    this.made[this.made.length - 1]!.path = published
    // What INFO says.
    if (published.endsWith(SOCKET)) this.server!.settings.socket = published
  }

  private note(path: string, isDirectory: boolean): void {
    this.made.push({ path, identity: identityOf(path) ?? '', isDirectory })
  }

  /** Resolves when it has closed for whatever reason; rejects when the storage has failed. */
  get done(): Promise<void> {
    return this.server?.done ?? Promise.resolve()
  }

  /** Answers what has arrived, then ends. */
  async finish(): Promise<void> {
    if (!this.ended) await this.server?.close()
    this.end()
  }

  end(): void {
    if (this.ended) return
    this.ended = true
    this.server?.stopNow()
    this.removeAll()
  }

  /** What lies there under its names now may be somebody else's. */
  private removeAll(): void {
    for (const { path, identity, isDirectory } of this.made.reverse()) {
      if (identityOf(path) !== identity) continue
      try {
        if (isDirectory) rmdirSync(path)
        else unlinkSync(path)
      } catch {
        // Whoever opens the database next with `inspect` replaces it.
      }
    }
    this.made.length = 0
  }
}

const ownName = (): string => `inspect.${randomBytes(4).toString('hex')}`

/** Device and inode: a name alone does not tell whose a file is. */
const identityOf = (path: string): string | undefined => {
  try {
    const { dev, ino } = lstatSync(path, { bigint: true })
    return `${dev}:${ino}`
  } catch {
    return undefined
  }
}

/** What stands under the name is replaced if a killed process may have left it; a file of somebody else is not. */
const requireOurs = (path: string, kind: 'socket' | 'file'): void => {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (kind === 'socket' ? found.isSocket() : readPointer(path) !== undefined) return
  throw new XenonError('XENON_EXISTS', `${path} is there already, and was not made by xenondb`)
}

/** What killed processes have left: whoever has the lock is the only one at work here. */
const sweep = (directory: string): void => {
  for (const name of readdirSync(directory))
    if (UNPUBLISHED.test(name)) quietly(() => unlinkSync(join(directory, name)))
  const left = readPointer(join(directory, POINTER))
  if (left === undefined || dirname(dirname(left)) !== tmpdir() || !ELSEWHERE.test(basename(dirname(left)))) return
  quietly(() => unlinkSync(left))
  quietly(() => rmdirSync(dirname(left)))
}

const quietly = (work: () => void): void => {
  try {
    work()
  } catch {
    // Litter does no harm.
  }
}
