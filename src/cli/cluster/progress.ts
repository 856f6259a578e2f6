/** What a move has come to, in words. */
import type { IncomingMove } from '../../cluster/moves/slot-state.ts'
import { count, size } from '../render.ts'

/** `following, 1,234 records (120 KiB) copied, 5 messages behind` */
export function progressOf(move: IncomingMove, pending: number | undefined, problem: string | undefined): string {
  const behind = move.phase === 'following' && pending !== undefined ? `, ${count(pending)} messages behind` : ''
  const wrong = problem === undefined ? '' : `; ${problem}`
  return `${move.phase}, ${count(move.records)} records (${size(move.bytes)}) copied${behind}${wrong}`
}
