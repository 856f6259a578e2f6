/** What the killed process writes, known to it and to the one that looks afterwards. */

export interface CrashRecord {
  transaction: number
  part: number
}

/** Records of one transaction, besides the one under `LAST_KEY`. */
export const PARTS = 5

/** Holds the number of the last transaction. */
export const LAST_KEY = 'crash/last'

export const crashKey = (transaction: number, part: number): string => `crash/${transaction}/${part}`
