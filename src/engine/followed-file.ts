/**
 * The data file of a database that somebody else may be writing, read as of one moment: up to where the log had been
 * read then (`follower.ts`).
 *
 * A block in the file is older than that, and its records of the log bring it up to date; or it is what it was; or its
 * owner has written it since, and then it is gone (`ViewLostError`), unless a record of the log formats it. Nothing is
 * kept of what was read but what the pool holds.
 */
import { StoredImages } from '../buffer/image-format.ts'
import { ViewLostError } from '../errors.ts'
import type { BlockChanges } from '../log/block-changes.ts'
import type { FollowedLog } from '../log/followed-log.ts'
import { eachPart, RecordType, recordType } from '../log/format.ts'
import { applyOperations } from '../log/redo.ts'
import { blockLsn } from '../pager/bucket.ts'
import { DataFile } from '../pager/data-file.ts'
import { AT_LSN } from '../pager/layout.ts'
import { Metadata } from '../pager/metadata.ts'
import type { Block, Lsn, Position } from '../pager/place.ts'
import { Arena, writeU64 } from '../runtime/bytes.ts'
import type { File, Storage } from '../storage/storage.ts'

/** Times that a block is read before it is given up. */
const TRIES = 50
/** Of these, before an image of a torn block is looked for. */
const TRIES_BEFORE_IMAGES = 3
const HEAD_BYTES = 4096

export interface Followed {
  readonly changes: BlockChanges
  readonly records: FollowedLog
  readonly logDirectory: string
  readonly redoLsn: Lsn
  /** The owner has written more since. */
  isBehind(): boolean
}

export class FollowedFile extends DataFile {
  /** Blocks are seen as the log records below it left them. */
  end: Lsn = 0
  /** Why nothing can be read, until the view is refreshed. */
  lost: string | undefined
  followed: Followed | undefined
  private readonly uuid: Uint8Array
  /** A block, and scratch of its size. */
  private readonly room: Arena

  constructor(file: File, metadata: Metadata, storage: Storage) {
    super(file, metadata, storage)
    this.uuid = metadata.identity.uuid
    this.room = new Arena(2 * this.blockSize)
  }

  /** Block 0 says which blocks are blank by now. */
  follow(head: Metadata): void {
    this.setBlank(head.blank)
  }

  /** Block 0 as it stands in the file. */
  readHead(): Metadata {
    const head = new Uint8Array(HEAD_BYTES)
    const got = this.file.read(head, 0, head.length, 0)
    return Metadata.decode(head.subarray(0, got), this.file.path, this.storage)
  }

  /** @throws ViewLostError */
  override read(block: Block, a: Arena, base: Position): string | undefined {
    if (this.lost !== undefined) throw new ViewLostError(this.lost)
    const { room, blockSize } = this
    let problem: string | undefined
    for (let tries = 0; tries < TRIES; tries++) {
      problem = super.read(block, room, 0)
      if (problem !== undefined && tries >= TRIES_BEFORE_IMAGES && this.copyImage(block)) problem = undefined
      const found = this.bringUpToDate(block, problem === undefined)
      if (found === 'done') {
        a.u8.set(room.window(0, blockSize), base)
        return undefined
      }
      if (found === 'passed') throw passed(block)
      // What the log no longer has of a blank block is in the file.
      if (found === 'recycled' && this.isBlank(block)) this.follow(this.readHead())
      if (found === 'torn' && tries > 2 * TRIES_BEFORE_IMAGES) break
    }
    if (problem === undefined || this.followed?.isBehind() === true) throw passed(block)
    return problem
  }

  /** Applies to the block in `room` what the log says. */
  private bringUpToDate(block: Block, isWhole: boolean): 'done' | 'passed' | 'recycled' | 'torn' {
    const { room, end, followed } = this
    const changes = followed?.changes.of(block) ?? []
    let lsn = isWhole ? blockLsn(room, 0) : -1
    if (lsn < 0 || lsn >= end) {
      if (changes.length === 0 || changes[0]! > 0) return lsn < 0 ? 'torn' : 'passed'
      // Its first record needs nothing of what the file has.
      room.clear(0, this.blockSize)
      lsn = -1
    }
    for (const change of changes) {
      const at = Math.abs(change)
      if (at > lsn && !this.apply(block, at)) return 'recycled'
    }
    return followed === undefined || followed.records.confirm() ? 'done' : 'recycled'
  }

  private apply(block: Block, lsn: Lsn): boolean {
    const { room, blockSize } = this
    const { records } = this.followed!
    const found = records.read(lsn)
    if (found === undefined) {
      records.confirm()
      return false
    }
    const { arena, position } = found
    let isApplied = false
    try {
      eachPart(arena, position, (changed, from, to) => {
        if (changed !== block) return
        applyOperations(arena, from, to, room, 0, blockSize, blockSize)
        isApplied = true
      })
    } catch (error) {
      // Bytes of another record perhaps, since the segment was recycled meanwhile.
      if (records.confirm() || !(error instanceof RangeError || error instanceof TypeError)) throw error
      return false
    }
    if (isApplied && recordType(arena, position) !== RecordType.image) writeU64(room.u32, AT_LSN >>> 2, lsn)
    return isApplied
  }

  /**
   * A block whose write was cut off has an image beside the log. None is written before the log has a record for a
   * recovery to begin with; without one the block is damaged, as it is for whoever opens the database to write.
   */
  private copyImage(block: Block): boolean {
    const { followed, end, room } = this
    if (followed === undefined || end <= followed.redoLsn) return false
    const stored = new StoredImages(followed.logDirectory, this, this.uuid, followed.redoLsn, end)
    try {
      return stored.copy(block, room, 0)
    } finally {
      stored.close()
    }
  }
}

const passed = (block: Block): ViewLostError => new ViewLostError(`its owner has changed block ${block} since`)
