/**
 * File descriptors that are left for clients. When there are none the system closes connections without a word to us, and
 * the database could not open its next file: so fewer clients are accepted, and the others are told so.
 */
import { readdirSync, readFileSync } from 'node:fs'

/** Kept for the files of the database, copies of it, and /metrics. */
const RESERVE = 32

/** Undefined where nobody can tell (only Linux does). */
export const descriptorsForClients = (): number | undefined => {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    if (soft === undefined) return undefined
    return Math.max(1, Number(soft) - readdirSync('/proc/self/fd').length - RESERVE)
  } catch {
    return undefined
  }
}
