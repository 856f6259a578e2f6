/**
 * Which path lies in which handle, and what directories there are, kept in the handle '0'.
 *
 *     slot 0 at 0, slot 1 at 65536, each:  magic u32 | bytes u32 | crc u32 | 0 u32 | JSON
 *
 * The sound slot with the higher generation counts. What was flushed last is never overwritten before the other slot has
 * been flushed: so a write that is torn, or lost with those before it, leaves what was flushed before.
 */
import table from 'crc-32'
import { CorruptionError, StorageError } from '../errors.ts'
import type { SyncHandle } from './handles.ts'

const MAGIC = 0x58454e4f
const HEAD_BYTES = 16
const SLOT_BYTES = 65536

/** What the JSON is. */
interface Written {
  generation: number
  directories: string[]
  /** By path: the number of its handle. */
  files: Record<string, number>
}

export class Catalogue {
  readonly directories: Set<string> = new Set()
  readonly files: Map<string, number> = new Map()
  private readonly handle: SyncHandle
  private readonly path: string
  private generation = 0
  /** The slot that was flushed last. */
  private durable = 1
  private changed = false

  /** @param path of the handle, for messages */
  constructor(handle: SyncHandle, path: string) {
    this.handle = handle
    this.path = path
    this.load()
  }

  private load(): void {
    const found = [0, 1].map(slot => this.read(slot))
    const [first, second] = found
    if (first === undefined && second === undefined) {
      // Nobody has flushed one yet: nothing that counts was ever written.
      if (this.handle.getSize() > 2 * SLOT_BYTES)
        throw new CorruptionError(this.path, 'neither of its two slots is sound')
      return
    }
    this.durable = (second?.generation ?? -1) > (first?.generation ?? -1) ? 1 : 0
    const { generation, directories, files } = found[this.durable]!
    this.generation = generation
    for (const directory of directories) this.directories.add(directory)
    for (const [path, number] of Object.entries(files)) this.files.set(path, number)
  }

  private read(slot: number): Written | undefined {
    const head = new Uint32Array(HEAD_BYTES / 4)
    if (this.handle.read(new Uint8Array(head.buffer), { at: slot * SLOT_BYTES }) < HEAD_BYTES) return undefined
    const [magic, bytes, crc] = head as unknown as [number, number, number]
    if (magic !== MAGIC || bytes > SLOT_BYTES - HEAD_BYTES) return undefined
    const text = new Uint8Array(bytes)
    if (this.handle.read(text, { at: slot * SLOT_BYTES + HEAD_BYTES }) < bytes) return undefined
    return table.buf(text, 0) >>> 0 === crc ? (JSON.parse(new TextDecoder().decode(text)) as Written) : undefined
  }

  /** What has changed is written, so that it outlives this thread; `flush` makes it outlive a loss of power. */
  write(): void {
    const written: Written = {
      generation: ++this.generation,
      directories: [...this.directories],
      files: Object.fromEntries(this.files),
    }
    const text = new TextEncoder().encode(JSON.stringify(written))
    if (text.length > SLOT_BYTES - HEAD_BYTES)
      throw new StorageError(`cannot write ${this.path}: too many files`, new RangeError(`${text.length} bytes`))
    const slot = new Uint8Array(HEAD_BYTES + text.length)
    new Uint32Array(slot.buffer, 0, 3).set([MAGIC, text.length, table.buf(text, 0) >>> 0])
    slot.set(text, HEAD_BYTES)
    this.handle.write(slot, { at: (1 - this.durable) * SLOT_BYTES })
    this.changed = true
  }

  flush(): void {
    if (!this.changed) return
    this.handle.flush()
    this.durable = 1 - this.durable
    this.changed = false
  }

  close(): void {
    this.handle.close()
  }
}
