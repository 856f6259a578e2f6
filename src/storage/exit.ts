/**
 * The end of the thread, for databases that nobody has closed: when nothing is left to do, by `process.exit()`, or by
 * an error that nobody has caught. A signal, `kill -9` or `worker.terminate()` says nothing. One listener serves all.
 */
import type { Leaver } from './storage.ts'

interface ProcessLike {
  on(event: 'exit', listener: () => void): unknown
  off(event: 'exit', listener: () => void): unknown
}

const open = new Set<WeakRef<Leaver>>()

export const onExit = (leaver: Leaver): (() => void) => {
  const reference = new WeakRef(leaver)
  // Whoever was forgotten without being closed.
  for (const known of open) if (known.deref() === undefined) open.delete(known)
  if (open.size === 0) (process as ProcessLike).on('exit', atExit)
  open.add(reference)
  return () => {
    if (open.delete(reference) && open.size === 0) (process as ProcessLike).off('exit', atExit)
  }
}

const atExit = (): void => {
  for (const reference of open) {
    try {
      reference.deref()?.atExit()
    } catch {
      // The others come next; this one was promised nothing.
    }
  }
}
