/** What a node of the campaign is asked, and answers: a line of JSON each, in any order; the id tells which is which. */
export interface Question {
  readonly id: number
  /** `set` and `get` need the leader; `local` reads what this node has, `entries` all of it; `status` as the node says. */
  readonly op: 'set' | 'get' | 'transact' | 'local' | 'entries' | 'status' | 'transfer' | 'snapshot'
  /** `transact`: reads each list, and appends to those that have a number; the answer is what was read of each. */
  readonly steps?: readonly ListStep[]
  readonly key?: string
  readonly value?: string
}

export interface Answer {
  readonly id: number
  readonly value?: unknown
  /** Code of the XenonError that came of it. */
  readonly error?: string
  readonly message?: string
}

export interface ListStep {
  readonly list: string
  readonly append?: number
}

export const listOf = (text: string | undefined): number[] =>
  text === undefined || text === '' ? [] : text.split(',').map(Number)
