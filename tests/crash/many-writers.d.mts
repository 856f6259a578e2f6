import type { Change } from '../support/history.ts'

export const asyncWriters: readonly string[]
export const MAX_IN_FLIGHT: number
export const groupWriter: string
export const groupKeys: readonly string[]
export const tellers: readonly string[]
export const accounts: readonly string[]
export const OPENING_BALANCE: number
export const writers: readonly string[]
export interface Commit {
  kind: 'put' | 'delete' | 'batch' | 'commit' | 'commitSoon'
  changes: Change<string>[]
}
export interface Transfer {
  kind: 'commit' | 'commitSoon'
  moves: [account: string, amount: number][]
}
export function commitOf(seed: number, writer: string, generation: number): Commit
export function transferOf(seed: number, teller: string, generation: number): Transfer
export function rollsBackBefore(seed: number, writer: string, generation: number): boolean
