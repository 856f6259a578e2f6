/**
 * What transactions without a commit had changed, taken back at the level of records: by the undo sections of the
 * log, as `CommittedView` does for a live one, since the index may be broken.
 */
import { copyBytes } from '../encoding.ts'
import { RecordFlag, recordFlags, recordPrevious, UndoKind, undoSection } from '../log/format.ts'
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
  private readonly before: Map<string, number> = new Map()
  private readonly log: SalvageLog

  constructor(log: SalvageLog, losers: ReadonlyMap<number, number>) {
    this.log = log
    this.transactions = losers.size
    let cutOff = 0
    for (const last of losers.values()) if (!this.collect(last)) cutOff++
    this.cutOff = cutOff
  }

  /** From the last change to the first: the first one's undo section, which holds what was committed, wins. */
  private collect(last: number): boolean {
    for (let lsn = last; lsn !== 0; ) {
      const found = this.log.recordAt(lsn)
      if (found === undefined) return false
      const { arena, position } = found
      if ((recordFlags(arena, position) & RecordFlag.undo) !== 0) {
        const undo = undoSection(arena, position)
        const key = latin1(arena.u8, undo.key, undo.keyLength)
        if (undo.kind === UndoKind.insert) this.before.set(key, ABSENT)
        else if (undo.kind === UndoKind.restore) this.before.set(key, lsn)
        else
          for (let at = 0; at < undo.fieldLength; at += 4)
            this.blocks.add(arena.u32[(undo.field + at) >>> 2]!)
      }
      lsn = recordPrevious(arena, position)
    }
    return true
  }

  /** True if one of them changed the key: then what was committed is what `committed` gives, or nothing. */
  touched(key: Uint8Array): boolean {
    return this.before.size > 0 && this.before.has(latin1(key, 0, key.length))
  }

  /** The committed records of the keys that they changed or deleted. */
  *committed(): Generator<CommittedRecord & { key: Uint8Array }> {
    for (const lsn of this.before.values()) {
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
