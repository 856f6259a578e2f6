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
  /** A write that failed may have torn the other slot: it is written again before it is flushed. */
  private isWritten = true

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
      // Slot 1 is written once slot 0 was flushed. Before that nothing that counts was ever written.
      if (this.handle.getSize() > SLOT_BYTES) throw new CorruptionError(this.path, 'neither of its two slots is sound')
      return
    }
    // Whoever wrote it may have ended before it was flushed; from here on it counts, and the other slot is overwritten.
    this.handle.flush()
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

  /**
   * Changes the files and directories and writes that, so that it outlives this thread; `flush` makes it outlive a loss of
   * power. If it cannot be written nothing has changed.
   */
  change(work: () => void): void {
    const [directories, files] = [[...this.directories], [...this.files]]
    try {
      work()
      this.write()
    } catch (error) {
      this.directories.clear()
      this.files.clear()
      for (const path of directories) this.directories.add(path)
      for (const [path, number] of files) this.files.set(path, number)
      if (!this.isWritten) this.writeIfPossible()
      throw error
    }
  }

  /** What was there before fits where it was; if not, `flush` tries again. */
  private writeIfPossible(): void {
    try {
      this.write()
    } catch {
      // The slot that was flushed last is whole.
    }
  }

  private write(): void {
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
    this.changed = true
    this.isWritten = false
    if (this.handle.write(slot, { at: (1 - this.durable) * SLOT_BYTES }) < slot.length)
      throw Object.assign(new Error(`${this.path} was written in part`), { name: 'QuotaExceededError' })
    this.isWritten = true
  }

  flush(): void {
    if (!this.changed) return
    if (!this.isWritten) this.write()
    // After a failure nobody knows what of it is durable.
    this.isWritten = false
    this.handle.flush()
    this.isWritten = true
    this.durable = 1 - this.durable
    this.changed = false
  }

  close(): void {
    this.handle.close()
  }
}
