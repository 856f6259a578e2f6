/** An open file of the simulated disk. */
import { StorageError, XenonError } from '../errors.ts'
import type { File } from '../storage/storage.ts'
import type { FileNode } from './fault-nodes.ts'

/** The disk that it lies on: every operation may meet a fault there. */
export interface FaultyDisk {
  sizeOf(node: FileNode, path: string): number
  readFile(
    node: FileNode,
    path: string,
    target: Uint8Array,
    targetOffset: number,
    length: number,
    position: number,
  ): number
  writeFile(number: number, path: string, source: Uint8Array, position: number): void
  truncateFile(number: number, path: string, size: number): void
  /** Makes what was written (before a tick of the disk, if that is given) survive a loss of power. */
  syncFile(number: number, path: string, before?: number): void
  /** Resolves when a sync that begins now ends, to the tick at which it began; undefined: at once. */
  aside(): Promise<number> | undefined
  leadsTo(number: number, path: string): boolean
}

export class FaultFile implements File {
  readonly path: string
  private readonly disk: FaultyDisk
  private readonly number: number
  private readonly node: FileNode
  private readonly readOnly: boolean
  private closed = false
  /** Syncs aside that are under way. */
  private syncing = 0
  private loss: unknown

  constructor(disk: FaultyDisk, path: string, number: number, node: FileNode, readOnly: boolean) {
    this.disk = disk
    this.path = path
    this.number = number
    this.node = node
    this.readOnly = readOnly
  }

  size(): number {
    this.check('look up')
    return this.disk.sizeOf(this.node, this.path)
  }

  read(target: Uint8Array, targetOffset: number, length: number, position: number): number {
    this.check('read')
    return this.disk.readFile(this.node, this.path, target, targetOffset, length, position)
  }

  write(source: Uint8Array, sourceOffset: number, length: number, position: number): void {
    this.checkWritable('write')
    // A copy: the engine uses the memory again, and a Buffer's own slice() would share it.
    const bytes = new Uint8Array(source.subarray(sourceOffset, sourceOffset + length))
    this.disk.writeFile(this.number, this.path, bytes, position)
  }

  writeMany(parts: readonly Uint8Array[], position: number): void {
    this.checkWritable('write')
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
    let at = 0
    for (const part of parts) {
      whole.set(part, at)
      at += part.length
    }
    this.disk.writeFile(this.number, this.path, whole, position)
  }

  truncate(size: number): void {
    this.checkWritable('truncate')
    this.disk.truncateFile(this.number, this.path, size)
  }

  sync(): void {
    this.check('sync')
    this.syncBefore()
  }

  /** It mostly takes effect only when it ends, as a real one may: nothing must be built on it before. */
  async syncAsync(): Promise<void> {
    this.check('sync')
    const under = this.disk.aside()
    this.syncing++
    const before = under === undefined ? undefined : await under
    this.syncing--
    // The close has done it.
    if (this.closed) return
    try {
      this.syncBefore(before)
    } catch (error) {
      // It has a descriptor of its own: the one that others sync by is told of a loss as well.
      this.loss = error
      throw error
    }
  }

  inPlace(): boolean {
    this.check('look up')
    return this.disk.leadsTo(this.number, this.path)
  }

  private syncBefore(before?: number): void {
    const { loss } = this
    this.loss = undefined
    if (loss !== undefined) throw loss
    this.disk.syncFile(this.number, this.path, before)
  }

  /** What is being synced aside is synced by the close, as Node's files do it. */
  close(): void {
    if (this.closed) return
    this.closed = true
    if (this.syncing > 0) this.syncBefore()
  }

  private check(operation: string): void {
    if (this.closed) throw new XenonError('XENON_CLOSED', `cannot ${operation} ${this.path}: the file is closed`)
  }

  private checkWritable(operation: string): void {
    this.check(operation)
    if (this.readOnly) throw failure(operation, this.path, 'EBADF')
  }
}

const reasons = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EEXIST: 'file already exists',
  EISDIR: 'illegal operation on a directory',
  EBADF: 'opened for reading only',
  ENOTEMPTY: 'directory not empty',
  EIO: 'input/output error',
  ENOSPC: 'no space left on device',
} as const

/** What a system call would have said. */
export const failure = (operation: string, path: string, code: keyof typeof reasons): StorageError => {
  const cause = Object.assign(new Error(`${code}: ${reasons[code]}`), { code })
  return new StorageError(`cannot ${operation} ${path}: ${cause.message}`, cause)
}
