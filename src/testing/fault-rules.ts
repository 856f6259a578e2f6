/** Input/output errors on demand: which operation of the simulated disk fails, how often, and how. */

/** What an operation of the disk is. */
export type OperationKind =
  | 'kind'
  | 'list'
  | 'size'
  | 'open'
  | 'create'
  | 'read'
  | 'write'
  | 'truncate'
  | 'sync'
  | 'rename'
  | 'remove'
  | 'makeDirectory'
  | 'syncDirectory'

/** All kinds of operations, to go through them. */
export const operationKinds: readonly OperationKind[] = [
  'kind',
  'list',
  'size',
  'open',
  'create',
  'read',
  'write',
  'truncate',
  'sync',
  'rename',
  'remove',
  'makeDirectory',
  'syncDirectory',
]

/**
 * | effect | |
 * | --- | --- |
 * | `EIO`, `ENOSPC` | the operation fails with this error and has done nothing |
 * | `short` | a write does a part of its work, then fails with ENOSPC |
 * | `lose` | a sync fails, the unsynced data is lost, and the next sync succeeds without it |
 * | `lie` | a sync succeeds and has made nothing durable |
 * | `misdirect` | a write goes to another sector of the file |
 * | `flip` | a read gives, a write stores one wrong bit |
 * | `crash` | the power fails: this and every later operation throws `SimulatedCrash` |
 *
 * An effect that makes no sense for an operation counts as `EIO`.
 */
export type FaultEffect = 'EIO' | 'ENOSPC' | 'short' | 'lose' | 'lie' | 'misdirect' | 'flip' | 'crash'

/** An input/output error: what happens to which operations, and when. */
export interface Fault {
  /** What happens to the operation. */
  effect: FaultEffect
  /** Operations that it may strike; every kind when left out. */
  kinds?: readonly OperationKind[]
  /** Paths that it may strike. */
  path?: RegExp
  /** So many matching operations succeed first. */
  after: number
  /** How many it strikes then: 1 when left out, `Infinity` for ever. */
  times?: number
}

/** Thrown by every operation once the power is off. */
export class SimulatedCrash extends Error {
  /** `SimulatedCrash`. */
  override name = 'SimulatedCrash'
}

export class FaultRules {
  /** Operations so far by kind, failed ones included. */
  readonly counts: Record<OperationKind, number> = Object.fromEntries(operationKinds.map(kind => [kind, 0])) as Record<
    OperationKind,
    number
  >
  /** How many operations were struck. */
  struck = 0
  private rules: { fault: Fault; seen: number }[] = []
  private crashed = false

  add(fault: Fault): void {
    this.rules.push({ fault, seen: 0 })
  }

  clear(): void {
    this.rules = []
  }

  /** The effect that strikes this operation, if any. */
  next(kind: OperationKind, path: string): FaultEffect | undefined {
    this.counts[kind]++
    if (this.crashed) throw new SimulatedCrash('the power is off')
    if (this.rules.length === 0) return undefined
    let effect: FaultEffect | undefined
    for (const rule of this.rules) {
      const { kinds, path: pattern, after, times = 1 } = rule.fault
      if (kinds !== undefined && !kinds.includes(kind)) continue
      if (pattern !== undefined && !pattern.test(path)) continue
      const number = rule.seen++
      if (number >= after && number < after + times) effect ??= rule.fault.effect
    }
    if (effect === undefined) return undefined
    this.struck++
    if (effect !== 'crash') return effect
    this.crashed = true
    throw new SimulatedCrash('the power fails')
  }
}
