/** What a process of this benchmark measures. */
import { keyOf } from '../support/records.ts'

export const STEPS = ['load', 'open', 'use', 'close', 'second open'] as const
export type Step = (typeof STEPS)[number]

/** What is opened, and what its first use is: a get where nothing else is said. */
export const KINDS = ['records', 'small', 'new', 'memory', 'expired, keys', 'expired, count'] as const
export type OpeningKind = (typeof KINDS)[number]

/** Milliseconds. */
export interface Time {
  cpu: number
  wall: number
}

export type Steps = Record<Step, Time>

export const FIRST_KEY: string = keyOf(0)
