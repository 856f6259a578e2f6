/**
 * Room on the disk that is kept for the day when there is none: a file beside the log that holds nothing. When a write
 * finds the disk full the file is cut or removed, and the write is done in the room that this gives. So the commit
 * under way is saved, records can be deleted, and `open` finds room for its lock and its recovery.
 *
 * | file | |
 * | --- | --- |
 * | `log/reserve` | up to 1 MiB of bytes without a meaning, which no file system can store in less |
 *
 * A storage may have a reserve of its own (`Storage.reserve`), which takes the place of the file.
 *
 * Only the owner of the database's lock makes it or grows it. Whoever wants to become the owner, and finds no room to
 * write the lock, may cut it. It is not part of the log: nobody reads it, and it may be deleted at any time.
 */
import { isFull } from '../errors.ts'
import type { Home } from '../storage/home.ts'
import type { File, Storage } from '../storage/storage.ts'

export const RESERVE_BYTES = 1048576
export const RESERVE_NAME = 'reserve'
const PIECE = 65536

export class Reserve {
  private readonly storage: Storage
  private readonly path: string
  private readonly home: Home | undefined
  /** Looked up when somebody asks. */
  private known: number | undefined
  private given = 0

  /** `home`: where the log belongs, of an open database. */
  constructor(storage: Storage, logDirectory: string, home?: Home) {
    this.storage = storage
    this.home = home
    this.path = storage.join(logDirectory, RESERVE_NAME)
  }

  /** Bytes that it holds. */
  get bytes(): number {
    this.known ??= this.storedBytes()
    return this.known
  }

  /** Bytes that it lacks. */
  get missing(): number {
    return RESERVE_BYTES - this.bytes
  }

  /**
   * Fills it up; false if there is no room: it stays as it was, and takes nothing of what others have freed. Where it
   * cannot be made for another reason (no descriptor, a limit of the size of files), the database does without.
   */
  fill(): boolean {
    if (this.missing <= 0) return true
    if (this.storage.reserve !== undefined) return this.takeFrom(this.storage.reserve)
    let file: File | undefined
    try {
      file = this.open()
      for (let at = this.bytes; at < RESERVE_BYTES; ) {
        const length = Math.min(PIECE, RESERVE_BYTES - at)
        file.write(meaningless(at), 0, length, at)
        at += length
      }
      this.known = RESERVE_BYTES
      return true
    } catch (error) {
      this.cutBack(file)
      return !isFull(error) || causeCode(error) === 'EFBIG'
    } finally {
      file?.close()
    }
  }

  /** That of the storage. */
  private takeFrom(own: NonNullable<Storage['reserve']>): boolean {
    this.known = own.take() ? RESERVE_BYTES : 0
    return this.known > 0
  }

  private open(): File {
    this.home?.check()
    return this.storage.open(this.path, { create: this.storage.kind(this.path) === 'none' })
  }

  private cutBack(file: File | undefined): void {
    try {
      if (this.bytes > 0) file?.truncate(this.bytes)
      else this.storage.remove(this.path)
    } catch {
      // The next attempt begins where this one did.
    }
  }

  /** Somebody who had died, or wanted a lock, has cut it: that is ours to take back. */
  noteCut(): void {
    if (this.bytes > 0) this.given = this.missing
  }

  /** Takes back of what it has given as much as there is. */
  takeBack(): void {
    const target = Math.min(RESERVE_BYTES, this.bytes + this.given)
    if (this.given === 0) return
    this.given = 0
    if (this.storage.reserve !== undefined) {
      this.takeFrom(this.storage.reserve)
      return
    }
    let file: File | undefined
    try {
      file = this.open()
      for (let at = this.bytes; at < target; at = this.bytes) {
        const length = Math.min(PIECE, target - at)
        file.write(meaningless(at), 0, length, at)
        this.known = at + length
      }
    } catch {
      this.cutBack(file)
    } finally {
      file?.close()
    }
  }

  /** Gives room to others: so many bytes, or all of it. False if it has nothing to give. */
  giveUp(bytes: number = this.bytes): boolean {
    try {
      if (this.bytes === 0) return false
      this.home?.check()
      if (this.storage.reserve === undefined) this.cutBy(bytes)
      else {
        this.known = 0
        return this.storage.reserve.give()
      }
      return true
    } catch {
      // Whoever wanted the room will say what is wrong.
      return false
    }
  }

  private cutBy(bytes: number): void {
    const left = Math.floor(Math.max(0, this.bytes - bytes) / PIECE) * PIECE
    // A name may be what the disk is short of.
    if (left === 0) this.storage.remove(this.path)
    else {
      const file = this.storage.open(this.path)
      try {
        file.truncate(left)
      } finally {
        file.close()
      }
    }
    this.given += this.bytes - left
    this.known = left
  }

  /** What it takes of the disk: after a loss of power its bytes may not be there, whatever its size says. */
  private storedBytes(): number {
    const { storage, path } = this
    if (storage.reserve !== undefined) return storage.reserve.take() ? RESERVE_BYTES : 0
    return storage.kind(path) === 'file' ? Math.min(RESERVE_BYTES, storage.allocatedBytes(path)) : 0
  }
}

const causeCode = (error: unknown): unknown => (error as { cause?: { code?: unknown } }).cause?.code

/** Bytes that do not compress: a file system that does would keep no room for zeros. */
const meaningless = (seed: number): Uint8Array => {
  const words = new Uint32Array(PIECE / 4)
  let state = (seed + 0x9e3779b9) | 1
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[i] = state
  }
  return new Uint8Array(words.buffer)
}
