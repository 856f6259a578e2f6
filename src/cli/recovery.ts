/** Says on stderr how a recovery goes on that takes long: `open` does not return before it is done. */
import type { RecoveryProgress } from '../index.ts'

const SILENT_MS = 1000
/** Between two lines, on a terminal and elsewhere. */
const TERMINAL_PAUSE_MS = 1000
const PAUSE_MS = 10_000

const WORK: Record<RecoveryProgress['phase'], string> = {
  redo: 'reading the log',
  undo: 'rolling back',
  write: 'writing blocks',
}

/** The `onRecovery` of a database in `directory`. */
export function recoveryReporter(
  directory: string,
  write: (line: string) => void = line => process.stderr.write(line),
  isTerminal: boolean = process.stderr.isTTY === true,
): (progress: RecoveryProgress) => void {
  let dueAt = performance.now() + SILENT_MS
  return ({ phase, done, total }) => {
    const now = performance.now()
    if (now < dueAt) return
    dueAt = now + (isTerminal ? TERMINAL_PAUSE_MS : PAUSE_MS)
    const share = total > 0 ? Math.floor((100 * done) / total) : 100
    write(`xenondb: ${directory} was not closed cleanly; recovering: ${WORK[phase]}, ${share} %\n`)
  }
}
