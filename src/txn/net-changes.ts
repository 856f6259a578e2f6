/**
 * The keys that an open transaction has changed, from its undo sections in the log: what it rolled back to a savepoint
 * is not among them, since the records of that are not on the way back from its last one.
 */
import { RecordFlag, recordFlags, recordPrevious, UndoKind, undoSection } from '../log/format.ts'
import type { LogWriter } from '../log/writer.ts'
import type { Lsn } from '../pager/place.ts'
import { latin1 } from './changed-keys.ts'
import type { TransactionState } from './transaction-state.ts'

export interface NetChange {
  /** Number of the key space, 0 = the root. */
  readonly space: number
  /** The key as Latin-1 text of its bytes. */
  readonly name: string
  /** There was a record of the key before the transaction. */
  wasThere: boolean
}

/** Whether a transaction has changed a record, and not taken that back. */
export const hasNetChange = (log: LogWriter, { lastLsn }: TransactionState): boolean => {
  for (let lsn = lastLsn; lsn > 0; ) {
    const { arena, position } = log.locate(lsn)
    const hasUndo = (recordFlags(arena, position) & RecordFlag.undo) !== 0
    if (hasUndo && undoSection(arena, position).kind !== UndoKind.allocate) return true
    lsn = recordPrevious(arena, position)
  }
  return false
}

/**
 * Each key once, in the order of the first changes. `visit` is called with the LSN of every record that still counts,
 * from the last to the first.
 */
export const netChanges = (
  log: LogWriter,
  { lastLsn }: TransactionState,
  visit: (lsn: Lsn) => void = () => {},
): NetChange[] => {
  // From the last change to the first: whoever is met again goes to the end.
  const spaces = new Map<number, Map<string, NetChange>>()
  const met: NetChange[] = []
  for (let lsn = lastLsn; lsn > 0; ) {
    const { arena, position } = log.locate(lsn)
    if ((recordFlags(arena, position) & RecordFlag.undo) !== 0) {
      visit(lsn)
      const undo = undoSection(arena, position)
      if (undo.kind !== UndoKind.allocate) {
        const { space } = undo
        let known = spaces.get(space)
        if (known === undefined) {
          known = new Map()
          spaces.set(space, known)
        }
        const name = latin1(arena.u8, undo.key, undo.keyLength)
        const change = { space, name, wasThere: undo.kind === UndoKind.restore }
        known.set(name, change)
        met.push(change)
      }
    }
    lsn = recordPrevious(arena, position)
  }
  return met.reverse().filter(change => spaces.get(change.space)!.get(change.name) === change)
}
