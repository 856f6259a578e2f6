/**
 * A simulated disk that can lose power at any operation, fail, lie, and damage what it holds: the storage of the crash
 * campaigns (tests/crash) and of anybody who wants to see how the engine, or a program over it, takes a fault.
 *
 *     const disk = new FaultDisk({ seed: 1 })
 *     const db = open('db', { storage: disk.storage })
 *     db.put('cat', 'a small feline')
 *     const after = disk.crash('garbage')            // the power fails now; another disk, as the next start finds it
 *     open('db', { storage: after.storage }).get('cat')
 *
 * Everything that it decides follows from its seed. Locks live in memory and go with the power, as their owners do.
 */
import table from 'crc-32'
import { CorruptionError, DatabaseLockedError } from '../errors.ts'
import type { DirectoryLock, EntryKind, File, OpenFileOptions, Storage } from '../storage/storage.ts'
import { type CrashPolicy, crashNodes } from './fault-crash.ts'
import { FaultFile, failure } from './fault-file.ts'
import { applyChange, DirectoryNode, type DiskNode, FileNode, type Operation } from './fault-nodes.ts'
import { type Fault, type FaultEffect, FaultRules, type OperationKind } from './fault-rules.ts'
import { Random } from './random.ts'

const ROOT = 0
const SECTOR = 512
/** Operations for which the clock runs alike. */
const SPELL = 128

export { type CrashPolicy, crashPolicies } from './fault-crash.ts'
export type { Fault, FaultEffect, OperationKind } from './fault-rules.ts'
export { operationKinds, SimulatedCrash } from './fault-rules.ts'

/** What a simulated disk is like. */
export interface FaultDiskOptions {
  /** What every random decision follows from; 1 when left out. */
  seed?: number | undefined
  /** Bytes that files may take in all before writes fail with ENOSPC; no limit when left out. */
  capacity?: number | undefined
  /** CRC-32 to use, such as that of `nodeStorage`, which is faster than the built-in one. */
  crc32?: Storage['crc32'] | undefined
  /** Raw deflate, for databases with `compression: 'deflate'`. Left out: such databases are refused. */
  deflate?: Storage['deflate'] | undefined
  /** Syncs of a file may be done aside: the database is not told before they have taken effect. */
  syncsAside?: boolean | undefined
  /**
   * Most turns of the event loop that such a sync takes. With 0, the default, it is done at the call or in the turn
   * that made it. What is written meanwhile stays unsynced.
   */
  asideTurns?: number | undefined
  /** The clock of the database. */
  now?: Storage['now'] | undefined
}

/** A simulated disk with one file system. Give its `storage` to `open`. */
export class FaultDisk {
  /** The `storage` of databases on this disk. */
  readonly storage: Storage
  /** The errors that strike, and how many operations there were of each kind. */
  readonly rules: FaultRules = new FaultRules()
  /** When set, every change is noted in it, to be `apply`ed to another disk. */
  journal: Operation[] | undefined
  /** Bytes that files may take in all; may be changed at any time. */
  capacity: number
  /** Of a disk after a crash: two crashes of one disk with the same signature left the same bytes. */
  signature = 0
  private readonly random: Random
  private readonly crc32: Storage['crc32']
  private readonly deflate: Storage['deflate']
  private readonly now: Storage['now']
  private readonly syncsAside: boolean
  private readonly asideTurns: number
  private readonly nodes: Map<number, DiskNode>
  private readonly locks: Set<string> = new Set()
  private nextNode = 1
  private sequence = 0
  private ticks = 0

  constructor(options: FaultDiskOptions = {}, nodes?: Map<number, DiskNode>, nextNode: number = 1) {
    this.random = new Random(options.seed ?? 1)
    this.capacity = options.capacity ?? Number.POSITIVE_INFINITY
    this.deflate = options.deflate
    this.now = options.now
    this.syncsAside = options.syncsAside ?? false
    this.asideTurns = options.asideTurns ?? 0
    this.crc32 = options.crc32 ?? ((bytes, seed) => table.buf(bytes, seed) >>> 0)
    this.nodes = nodes ?? new Map([[ROOT, new DirectoryNode()]])
    this.nextNode = nextNode
    this.storage = this.makeStorage()
  }

  /**
   * Adds an input/output error; see `Fault`.
   * @example disk.inject({ effect: 'EIO', kinds: ['sync'], after: 3 })
   */
  inject(fault: Fault): void {
    this.rules.add(fault)
  }

  /**
   * The disk as the next start of the system finds it after a loss of power now. This one is left as it is.
   * @example const after = disk.crash('none')
   */
  crash(policy: CrashPolicy, random: Random = this.random): FaultDisk {
    const { nodes, signature } = crashNodes(this.nodes, policy, random)
    const next = this.successor(nodes, random)
    next.signature = signature
    return next
  }

  /**
   * The disk as the next process finds it after `kill -9` now: all is there, what was unsynced still is.
   * @example const after = disk.kill()
   */
  kill(random: Random = this.random): FaultDisk {
    const nodes = new Map([...this.nodes].map(([number, node]) => [number, node.clone()] as const))
    const next = this.successor(nodes, random)
    next.sequence = this.sequence
    return next
  }

  /**
   * Changes one stored bit of a file: as it is read now, and on the platters.
   * @example disk.flip('db/data', 4096 * 8)
   */
  flip(path: string, bit: number): void {
    this.fileAt(path)
    this.apply({ kind: 'flip', node: this.find(path)!, bit })
  }

  /**
   * All locks are free, as they are when the processes that held them have ended.
   * @example disk.releaseLocks()
   */
  releaseLocks(): void {
    this.locks.clear()
  }

  /**
   * The bytes of a file as a process would read them.
   * @example const { length } = disk.bytes('db/data')
   */
  bytes(path: string): Uint8Array {
    const { live } = this.fileAt(path)
    const bytes = new Uint8Array(live.size)
    live.read(bytes, 0, live.size, 0)
    return bytes
  }

  /** True when everything on the disk is durable. */
  get settled(): boolean {
    return [...this.nodes.values()].every(node => node.pending.length === 0)
  }

  /** Makes a change that another disk has noted in its journal. */
  apply(operation: Operation): void {
    this.journal?.push(operation)
    const sequence = this.sequence++
    switch (operation.kind) {
      case 'write': {
        const node = this.file(operation.node)
        const change = { sequence, position: operation.position, bytes: operation.bytes }
        applyChange(node.live, change)
        node.pending.push(change)
        return
      }
      case 'truncate': {
        const node = this.file(operation.node)
        node.live.truncate(operation.size)
        node.pending.push({ sequence, size: operation.size })
        return
      }
      case 'sync':
        this.file(operation.node).sync(operation.before)
        return
      case 'create':
      case 'makeDirectory': {
        this.nodes.set(operation.node, operation.kind === 'create' ? new FileNode() : new DirectoryNode())
        this.nextNode = Math.max(this.nextNode, operation.node + 1)
        this.directory(operation.directory).change(sequence, operation.name, operation.node)
        return
      }
      case 'rename': {
        const node = this.directory(operation.from).live.get(operation.fromName)
        this.directory(operation.from).change(sequence, operation.fromName, undefined)
        this.directory(operation.to).change(sequence, operation.toName, node)
        return
      }
      case 'remove':
        this.directory(operation.directory).change(sequence, operation.name, undefined)
        return
      case 'syncDirectory':
        this.directory(operation.node).sync()
        return
      case 'flip':
        this.file(operation.node).flip(operation.bit)
    }
  }

  private successor(nodes: Map<number, DiskNode>, random: Random): FaultDisk {
    const options = {
      seed: random.next(),
      capacity: this.capacity,
      crc32: this.crc32,
      deflate: this.deflate,
      now: this.now,
      syncsAside: this.syncsAside,
    }
    return new FaultDisk(options, nodes, this.nextNode)
  }

  private file(number: number): FileNode {
    return this.nodes.get(number) as FileNode
  }

  private directory(number: number): DirectoryNode {
    return this.nodes.get(number) as DirectoryNode
  }

  private find(path: string): number | undefined {
    let number: number | undefined = ROOT
    for (const name of split(path)) {
      const node: DiskNode | undefined = number === undefined ? undefined : this.nodes.get(number)
      number = node instanceof DirectoryNode ? node.live.get(name) : undefined
    }
    return number
  }

  private fileAt(path: string): FileNode {
    const node = this.nodes.get(this.find(path) ?? -1)
    if (node instanceof FileNode) return node
    throw failure('look up', path, 'ENOENT')
  }

  /** Lets a fault strike; throws the errors, returns the effects that need more. */
  private strike(kind: OperationKind, path: string, possible: readonly FaultEffect[] = []): FaultEffect | undefined {
    const effect = this.rules.next(kind, path)
    if (effect === undefined || possible.includes(effect)) return effect
    throw failure(kind, path, effect === 'ENOSPC' || effect === 'short' ? 'ENOSPC' : 'EIO')
  }

  private place(operation: string, path: string): { directory: number; name: string } {
    const names = split(path)
    const name = names.pop()
    if (name === undefined) throw failure(operation, path, 'EISDIR')
    const directory = this.find(names.join('/'))
    if (directory === undefined) throw failure(operation, path, 'ENOENT')
    if (!(this.nodes.get(directory) instanceof DirectoryNode)) throw failure(operation, path, 'ENOTDIR')
    return { directory, name }
  }

  private directoryNumber(operation: string, path: string): number {
    const number = this.find(path)
    if (number === undefined) throw failure(operation, path, 'ENOENT')
    if (!(this.nodes.get(number) instanceof DirectoryNode)) throw failure(operation, path, 'ENOTDIR')
    return number
  }

  /** @internal For the files of this disk. */
  readFile(node: FileNode, path: string, target: Uint8Array, offset: number, length: number, position: number): number {
    const effect = this.strike('read', path, ['flip'])
    const got = node.live.read(target, offset, length, position)
    if (effect === 'flip' && got > 0) {
      const bit = this.random.below(8 * got)
      target[offset + (bit >>> 3)]! ^= 1 << (bit & 7)
    }
    return got
  }

  /** @internal Keeps `source`, which nobody may use again. */
  writeFile(number: number, path: string, source: Uint8Array, position: number): void {
    if (source.length === 0) return
    const effect = this.strike('write', path, ['short', 'misdirect', 'flip'])
    const node = this.file(number)
    let bytes = source
    let at = position
    if (effect === 'flip') {
      const bit = this.random.below(8 * bytes.length)
      bytes[bit >>> 3]! ^= 1 << (bit & 7)
    } else if (effect === 'misdirect') {
      at = (position % SECTOR) + SECTOR * this.random.below(Math.ceil((node.live.size + 1) / SECTOR))
    }
    const room = this.room(node, at, bytes.length)
    const isShort = effect === 'short' || room < bytes.length
    if (isShort) bytes = bytes.slice(0, Math.min(room, effect === 'short' ? this.random.below(bytes.length) : room))
    if (bytes.length > 0) this.apply({ kind: 'write', node: number, position: at, bytes })
    if (isShort) throw failure('write', path, 'ENOSPC')
  }

  /** How many of `length` bytes at `position` of a file the disk still has room for. */
  private room(node: FileNode, position: number, length: number): number {
    if (this.capacity === Number.POSITIVE_INFINITY) return length
    const over = position + length - node.live.size
    if (over <= 0) return length
    const free = this.capacity - this.used()
    return over <= free ? length : Math.max(0, length - over + Math.max(0, free))
  }

  /** Bytes of the files that have a name. */
  private used(): number {
    let used = 0
    for (const directory of this.nodes.values()) {
      if (!(directory instanceof DirectoryNode)) continue
      for (const number of directory.live.values()) {
        const node = this.nodes.get(number)
        if (node instanceof FileNode) used += node.live.size
      }
    }
    return used
  }

  /** @internal */
  truncateFile(number: number, path: string, size: number): void {
    this.strike('truncate', path)
    const node = this.file(number)
    if (size > node.live.size && this.room(node, 0, size) < size) throw failure('truncate', path, 'ENOSPC')
    this.apply({ kind: 'truncate', node: number, size })
  }

  /** @internal */
  syncFile(number: number, path: string, before?: number): void {
    const effect = this.strike('sync', path, ['lose', 'lie'])
    const node = this.file(number)
    if (effect === 'lose') {
      node.lose()
      throw failure('sync', path, 'EIO')
    }
    if (effect === 'lie') return
    if (before === undefined) this.apply({ kind: 'sync', node: number })
    // Others may have synced it all meanwhile.
    else if (node.pendingBefore(before) > 0) this.apply({ kind: 'sync', node: number, before })
  }

  /**
   * @internal The length of a sync aside: resolves when it is done, with the number of the first change that it does
   *   not
   * cover. Undefined when it is done at once.
   */
  aside(): Promise<number> | undefined {
    const before = this.sequence
    if (this.random.chance(0.5 / (1 + this.asideTurns))) return undefined
    return this.pass(this.random.below(1 + this.asideTurns)).then(() => before)
  }

  private async pass(turns: number): Promise<void> {
    for (; turns > 0; turns--) await new Promise<void>(resolve => setImmediate(resolve))
  }

  /** @internal Whether the path leads to the file. */
  leadsTo(number: number, path: string): boolean {
    this.strike('kind', path)
    return this.find(path) === number
  }

  /** @internal */
  sizeOf(node: FileNode, path: string): number {
    this.strike('size', path)
    return node.live.size
  }

  /** Follows from what the disk does, as everything here: its syncs seem short for a while, then long, and so on. */
  private tick(): number {
    this.ticks += (this.sequence & SPELL) === 0 ? 3 : 0.1
    return this.ticks
  }

  private makeStorage(): Storage {
    return {
      name: 'fault',

      join(...segments: string[]): string {
        const joined = split(segments.join('/')).join('/')
        return segments[0]?.startsWith('/') ? `/${joined}` : joined || '.'
      },

      kind: (path): EntryKind => {
        this.strike('kind', path)
        const number = this.find(path)
        if (number === undefined) return 'none'
        return this.nodes.get(number) instanceof DirectoryNode ? 'directory' : 'file'
      },

      list: (directory): string[] => {
        this.strike('list', directory)
        return [...this.directory(this.directoryNumber('list', directory)).live.keys()]
      },

      makeDirectory: (path): void => {
        let directory = ROOT
        for (const name of split(path)) {
          const known = this.directory(directory).live.get(name)
          if (known !== undefined && this.nodes.get(known) instanceof FileNode)
            throw failure('create directory', path, 'EEXIST')
          if (known === undefined) {
            this.strike('makeDirectory', path)
            this.apply({ kind: 'makeDirectory', directory, name, node: this.nextNode++ })
          }
          directory = this.directory(directory).live.get(name)!
        }
      },

      open: (path, options: OpenFileOptions = {}): File => {
        const operation = options.create ? 'create' : 'open'
        this.strike(operation, path)
        const { directory, name } = this.place(operation, path)
        let number = this.directory(directory).live.get(name)
        if (options.create) {
          if (number !== undefined) throw failure(operation, path, 'EEXIST')
          number = this.nextNode++
          this.apply({ kind: 'create', directory, name, node: number })
        }
        if (number === undefined) throw failure(operation, path, 'ENOENT')
        const node = this.nodes.get(number)
        if (!(node instanceof FileNode)) throw new CorruptionError(path, 'is a directory, not a regular file')
        return new FaultFile(this, path, number, node, options.readOnly === true && !options.create)
      },

      rename: (from, to): void => {
        this.strike('rename', from)
        const source = this.place('rename', from)
        const target = this.place('rename', to)
        if (!this.directory(source.directory).live.has(source.name)) throw failure('rename', from, 'ENOENT')
        this.apply({
          kind: 'rename',
          from: source.directory,
          fromName: source.name,
          to: target.directory,
          toName: target.name,
        })
      },

      remove: (path): void => {
        this.strike('remove', path)
        if (this.find(path) === undefined) return
        this.apply({ kind: 'remove', ...this.place('remove', path) })
      },

      removeDirectory: (path): void => {
        this.strike('remove', path)
        if (this.directory(this.directoryNumber('remove directory', path)).live.size > 0)
          throw failure('remove directory', path, 'ENOTEMPTY')
        this.apply({ kind: 'remove', ...this.place('remove directory', path) })
      },

      syncDirectory: (path): void => {
        this.strike('syncDirectory', path)
        this.apply({ kind: 'syncDirectory', node: this.directoryNumber('sync directory', path) })
      },

      allocatedBytes: (path): number => this.fileAt(path).live.allocated,

      // Without a capacity nobody knows: the engine then keeps no reserve.
      freeBytes: (): number | undefined =>
        this.capacity === Number.POSITIVE_INFINITY ? undefined : Math.max(0, this.capacity - this.used()),

      lock: (path): DirectoryLock => {
        this.directoryNumber('lock', path)
        const name = split(path).join('/')
        if (this.locks.has(name))
          throw new DatabaseLockedError(`${path} is already open; close the other handle first`, undefined, true)
        this.locks.add(name)
        let held = true
        return {
          release: (): void => {
            if (held) this.locks.delete(name)
            held = false
          },
        }
      },

      randomBytes: (length): Uint8Array => {
        const bytes = new Uint8Array(length)
        for (let i = 0; i < length; i++) bytes[i] = this.random.next()
        return bytes
      },

      crc32: this.crc32,

      deflate: this.deflate,
      now: this.now,
      syncsAside: this.syncsAside,
      monotonic: () => this.tick(),
      memoryBytes: undefined,
    }
  }
}

const split = (path: string): string[] => {
  const names: string[] = []
  for (const name of path.split('/')) {
    if (name === '..') names.pop()
    else if (name !== '' && name !== '.') names.push(name)
  }
  return names
}
