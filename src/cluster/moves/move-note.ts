/** The notes of records of moves: JSON. */
import type { SlotSet } from './slot-ranges.ts'

/** The sub-database with what a cluster keeps beside the records of clients; no client of a cluster sees one. */
export const CLUSTER_SPACE = '_cluster'

/** What a record of a move says of it, for whoever reads the log. */
export interface MoveNote {
  readonly id: string
  readonly slots: SlotSet
  /** The shard that has them before, or after. */
  readonly from?: number
  readonly to?: number
  /** IMPORT-COMMIT: the freeze record in the log of the source. */
  readonly sequence?: number
}

export const encodeNote = (note: MoveNote): Uint8Array => new TextEncoder().encode(JSON.stringify(note))

/** Undefined: it is none. */
export const decodeNote = (note: Uint8Array): MoveNote | undefined => {
  try {
    return JSON.parse(new TextDecoder().decode(note)) as MoveNote
  } catch {
    return undefined
  }
}
