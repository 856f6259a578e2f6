/** Ctrl-C during long work: it ends where it next looks at the signal, cleans up, and exits with 130. */
import { EXIT_INTERRUPTED } from './errors.ts'
import { LateProgress } from './progress.ts'

/** Runs `work`, which gives the exit status; a second Ctrl-C ends the process the hard way. `state`: what is left. */
export async function interruptible(
  work: (signal: AbortSignal) => Promise<number>,
  state: string = '',
): Promise<number> {
  const interrupted = new AbortController()
  const interrupt = () => interrupted.abort()
  process.once('SIGINT', interrupt)
  try {
    return await work(interrupted.signal)
  } catch (error) {
    if (!interrupted.signal.aborted) throw error
    process.stderr.write(`interrupted${state}\n`)
    return EXIT_INTERRUPTED
  } finally {
    process.off('SIGINT', interrupt)
  }
}

type OnProgress = (progress: { done: number; total: number }) => void

/** Runs `work` with a progress bar on a terminal; a Ctrl-C ends it at its next report of progress. */
export async function reported<T>(
  label: string,
  unit: string,
  signal: AbortSignal,
  work: (onProgress: OnProgress) => Promise<T>,
): Promise<T> {
  const bar = new LateProgress(label, unit)
  try {
    return await work(({ done, total }) => {
      bar.update(done, total)
      signal.throwIfAborted()
    })
  } finally {
    bar.stop()
  }
}
