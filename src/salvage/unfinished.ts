/**
 * What transactions without a commit had changed, taken back at the level of records: by the undo sections of the
 * log, as `CommittedView` does for a live one, since the index may be broken.
 */

import { RecordFlag, recordFlags, recordPrevious, UndoKind, undoSection } from '../log/format.ts'
import { copyBytes } from '../runtime/bytes.ts'
import { type CommittedRecord, latin1 } from '../txn/changed-keys.ts'
import type { SalvageLog } from './log.ts'

/** LSN of the record with the undo section that holds what was committed, or 0 where there was no record. */
const ABSENT = 0

export class Unfinished {
  readonly transactions: number
  /** Blocks that they had allocated, and that need not hold anything yet. */
  readonly blocks: Set<number> = new Set()
  /** Transactions whose first changes lie before the readable log. */
  readonly cutOff: number
  /** By number of the key space, then by key. */
  private readonly before: Map<number, Map<string, number>> = new Map()
  private readonly log: SalvageLog

  constructor(log: SalvageLog, losers: ReadonlyMap<number, number>) {
    this.log = log
    this.transactions = losers.size
    this.cutOff = this.collect(losers.values())
  }

  /**
   * From the last change to the first: the first one's undo section, which holds what was committed, wins. All
   * transactions together, by falling LSN, so that each record is read once and each group while it is at hand,
   * whatever the records name as the one before them. Returns how many transactions lead out of the readable log.
   */
  private collect(lasts: Iterable<number>): number {
    let cutOff = 0
    const pending = new Heap(lasts)
    for (let done = Number.POSITIVE_INFINITY; ; ) {
      const lsn = pending.pop()
      if (lsn === undefined) return cutOff
      if (lsn === 0 || lsn >= done) continue
      done = lsn
      const found = this.log.recordAt(lsn)
      if (found === undefined) {
        cutOff++
        continue
      }
      const { arena, position } = found
      if ((recordFlags(arena, position) & RecordFlag.undo) !== 0) {
        const undo = undoSection(arena, position)
        if (undo.kind === UndoKind.insert || undo.kind === UndoKind.restore) {
          const key = latin1(arena.u8, undo.key, undo.keyLength)
          this.changedIn(undo.space).set(key, undo.kind === UndoKind.insert ? ABSENT : lsn)
        } else for (let at = 0; at < undo.fieldLength; at += 4) this.blocks.add(arena.u32[(undo.field + at) >>> 2]!)
      }
      const previous = recordPrevious(arena, position)
      if (previous < lsn) pending.push(previous)
      else cutOff++
    }
  }

  private changedIn(space: number): Map<string, number> {
    const known = this.before.get(space)
    if (known !== undefined) return known
    const changed = new Map<string, number>()
    this.before.set(space, changed)
    return changed
  }

  /** True if one of them changed the key of a space: then what was committed is what `committed` gives, or nothing. */
  touched(space: number, key: Uint8Array): boolean {
    const changed = this.before.get(space)
    return changed?.has(latin1(key, 0, key.length)) === true
  }

  /** The committed records of the keys of a space that they changed or deleted. */
  *committed(space: number): Generator<CommittedRecord & { key: Uint8Array }> {
    const changed = this.before.get(space)
    if (changed === undefined) return
    const lsns = Float64Array.from(changed.values()).sort().reverse()
    for (const lsn of lsns) {
      const found = lsn === ABSENT ? undefined : this.log.recordAt(lsn)
      if (found === undefined) continue
      const { u8 } = found.arena
      const undo = undoSection(found.arena, found.position)
      yield {
        key: copyBytes(u8, undo.key, undo.key + undo.keyLength),
        flags: undo.flags,
        field: copyBytes(u8, undo.field, undo.field + undo.fieldLength),
      }
    }
  }
}

/** Gives the largest number first. */
class Heap {
  private readonly items: number[] = []

  constructor(items: Iterable<number>) {
    for (const item of items) this.push(item)
  }

  push(item: number): void {
    const { items } = this
    let at = items.push(item) - 1
    for (let parent = (at - 1) >> 1; at > 0 && items[parent]! < item; parent = (at - 1) >> 1) {
      items[at] = items[parent]!
      at = parent
    }
    items[at] = item
  }

  pop(): number | undefined {
    const { items } = this
    const top = items[0]
    const item = items.pop()
    if (item === undefined || items.length === 0) return top
    let at = 0
    for (let child = 1; child < items.length; child = 2 * at + 1) {
      if (child + 1 < items.length && items[child + 1]! > items[child]!) child++
      if (items[child]! <= item) break
      items[at] = items[child]!
      at = child
    }
    items[at] = item
    return top
  }
}
