/**
 * Rules of the node that are switched off one by one, to see whether the simulator would notice. As in
 * `src/testing/mutants.ts`, a mutant replaces a method while a function runs, and puts it back.
 */
import { Appender } from '../../../src/cluster/appender.ts'
import { GroupTime } from '../../../src/cluster/group-time.ts'
import { Lease } from '../../../src/cluster/lease.ts'
import { Snapshots } from '../../../src/cluster/snapshots.ts'
import { State } from '../../../src/cluster/states/state.ts'
import { Suspicion } from '../../../src/cluster/suspicion.ts'
import { MapStore } from './map-store.ts'
import type { Faults } from './schedule.ts'

// biome-ignore lint/suspicious/noExplicitAny: members of whichever class.
type Any = any

export interface Mutant {
  readonly rule: string
  /** Where it shows soonest. */
  readonly faults: Partial<Faults>
  /** Switches the rule off; the result switches it on again. */
  readonly breaks: () => () => void
}

/** Replaces a member of a class by what `make` makes of it. */
export function replace(
  of: { prototype: Any },
  name: string,
  make: (original: PropertyDescriptor) => PropertyDescriptor,
): () => void {
  const original = Object.getOwnPropertyDescriptor(of.prototype, name)
  if (original === undefined) throw new TypeError(`there is no ${name} to replace`)
  Object.defineProperty(of.prototype, name, { ...make(original), configurable: true })
  return () => Object.defineProperty(of.prototype, name, original)
}

export const method = (
  of: { prototype: Any },
  name: string,
  value: (this: Any, ...given: Any[]) => unknown,
): (() => void) => replace(of, name, () => ({ value, writable: true }))

const stormy: Partial<Faults> = { rollback: false, expiry: false, parts: false, full: false }

export const mutants: readonly Mutant[] = [
  {
    rule: 'X1, X4: an append whose outcome is unknown is not rolled back',
    faults: { ...stormy, loss: 0.1 },
    breaks: () => method(Appender, 'isDefinite', () => true),
  },
  {
    rule: 'X4: a wrong last may come from an earlier attempt',
    faults: { ...stormy, twice: 0.2, loss: 0.1 },
    breaks: () => method(Appender, 'isDefinite', ({ kind }) => kind === 'refused'),
  },
  {
    rule: 'X3: the mark is in the commit',
    faults: { ...stormy, crashes: true, powerCuts: false, snapshots: false },
    breaks: () => {
      MapStore.isTorn = true
      return () => {
        MapStore.isTorn = false
      }
    },
  },
  {
    rule: 'X5: the lease counts from the first attempt',
    faults: { ...stormy, loss: 0.2, delay: 100, cuts: true, pauses: true },
    breaks: () =>
      replace(Appender, 'append', ({ value }) => ({
        value: async function (this: Any, ...given: Any[]) {
          const result = await value.apply(this, given)
          return { ...result, firstSend: result.lastSend }
        },
      })),
  },
  {
    rule: 'X6: reads are answered under a lease',
    faults: { ...stormy, pauses: true },
    breaks: () => replace(Lease, 'isValid', () => ({ get: () => true })),
  },
  {
    rule: 'X9: the log is purged below the oldest verified snapshot',
    faults: { ...stormy, snapshots: true },
    breaks: () => method(Snapshots, 'below', kept => kept.at(-1)?.sequence + 10),
  },
  {
    rule: 'X10: what has expired stays expired',
    faults: { ...stormy, expiry: true, skew: 30_000, crashes: true, handovers: true },
    breaks: () => method(GroupTime, 'raise', () => {}),
  },
  {
    rule: 'X12: nobody takes over past a node that has more',
    faults: { ...stormy, rollback: true, delay: 5 },
    breaks: () => method(State, 'peersAhead', async () => undefined),
  },
  {
    rule: 'X12: what a deposed leader of the log says is no proof',
    faults: { ...stormy, lies: true, elections: true },
    breaks: () => method(Suspicion, 'isProof', () => true),
  },
]
