/** What the system tells of itself. A sandbox may refuse it (Deno without `--allow-sys`): then it is not known. */
import { totalmem } from 'node:os'

/** Bytes of memory that this process may use: the machine's, or its container's if that has less. */
export const memoryBytes = (): number | undefined => {
  // The limit of the container is 0 or a huge number where there is none.
  const limits = [told(totalmem), told(() => process.constrainedMemory?.())].filter(bytes => bytes !== undefined)
  const known = limits.filter(bytes => bytes > 0)
  return known.length === 0 ? undefined : Math.min(...known)
}

/** The number of the user of this process. Undefined on Windows, too. */
export const userId = (): number | undefined => told(() => process.getuid?.())

/** Of the system's facts, what can be had. */
export const told = <T>(ask: () => T): T | undefined => {
  try {
    return ask()
  } catch {
    return undefined
  }
}
