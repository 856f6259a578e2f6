import type { Change } from '../support/history.ts'

export const groupKeys: readonly string[]
export const MAX_IN_FLIGHT: number
export interface Commit {
  kind: 'put' | 'delete' | 'batch' | 'transaction' | 'async'
  changes: Change<string>[]
}
export function commitOf(seed: number, generation: number): Commit
export function rollsBackBefore(seed: number, generation: number): boolean
