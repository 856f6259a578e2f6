/**
 * What was committed before an open transaction changed it, for readers outside of it: built from the transaction's
 * own undo sections in the log when somebody asks, so that a transaction nobody looks into pays nothing for it.
 */

import { RecordFlag, recordFlags, recordPrevious, UndoKind, undoSection } from '../log/format.ts'
import type { LogWriter } from '../log/writer.ts'
import type { Lsn } from '../pager/place.ts'
import { copyBytes } from '../runtime/bytes.ts'
import { ChangedKeys, type CommittedRecord, latin1 } from './changed-keys.ts'
import type { TransactionState } from './transaction-state.ts'

export class CommittedView {
  private readonly log: LogWriter
  /** Number of the key space that it looks at, 0 = the root. */
  private readonly space: number
  private readonly views: WeakMap<TransactionState, { lsn: Lsn; changed: ChangedKeys }> = new WeakMap()

  constructor(log: LogWriter, space: number) {
    this.log = log
    this.space = space
  }

  /** The keys that the transaction has changed, with their committed records. */
  of(state: TransactionState): ChangedKeys {
    const known = this.views.get(state)
    if (known?.lsn === state.lastLsn) return known.changed
    const stop = known?.lsn ?? 0
    const found = this.collect(state, stop)
    // A rollback to a savepoint leads past what is known: then all is collected again.
    const goesOn = known !== undefined && found.reached === stop
    const { records } = goesOn || stop === 0 ? found : this.collect(state, 0)
    const changed = goesOn ? known.changed : new ChangedKeys()
    for (const [name, record] of records) changed.add(name, record)
    this.views.set(state, { lsn: state.lastLsn, changed })
    return changed
  }

  /** The blocks that the transaction has taken for large values, those that it has replaced itself included. */
  allocatedBy(state: TransactionState): number[] {
    const blocks: number[] = []
    for (let lsn = state.lastLsn; lsn > 0; ) {
      const { arena, position } = this.log.locate(lsn)
      if ((recordFlags(arena, position) & RecordFlag.undo) !== 0) {
        const { kind, field, fieldLength } = undoSection(arena, position)
        if (kind === UndoKind.allocate)
          for (let at = 0; at < fieldLength; at += 4) blocks.push(arena.u32[(field + at) >>> 2]!)
      }
      lsn = recordPrevious(arena, position)
    }
    return blocks
  }

  /** What the records of the transaction behind `stop` say, and the LSN where the walk back ended. */
  private collect(
    state: TransactionState,
    stop: number,
  ): { records: Map<string, CommittedRecord | undefined>; reached: number } {
    const records = new Map<string, CommittedRecord | undefined>()
    // From the last change to the first: the first one's undo section, which holds what was committed, wins.
    let lsn = state.lastLsn
    while (lsn > stop) {
      const { arena, position } = this.log.locate(lsn)
      if ((recordFlags(arena, position) & RecordFlag.undo) !== 0) {
        const undo = undoSection(arena, position)
        if (undo.space !== this.space) {
          lsn = recordPrevious(arena, position)
          continue
        }
        const key = latin1(arena.u8, undo.key, undo.keyLength)
        if (undo.kind === UndoKind.insert) records.set(key, undefined)
        else if (undo.kind === UndoKind.restore)
          records.set(key, {
            flags: undo.flags,
            field: copyBytes(arena.u8, undo.field, undo.field + undo.fieldLength),
          })
      }
      lsn = recordPrevious(arena, position)
    }
    return { records, reached: lsn }
  }
}
