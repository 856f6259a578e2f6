/** Rules of moves that are switched off one by one, as in `mutants.ts`. */
import { Mover } from '../../../src/cluster/moves/mover.ts'
import { ShardSlots } from '../../../src/cluster/moves/shard-slots.ts'
import { hasSlot } from '../../../src/cluster/moves/slot-ranges.ts'
import { unfrozen } from '../../../src/cluster/moves/slot-state.ts'
import { Source } from '../../../src/cluster/moves/source.ts'
import { Target } from '../../../src/cluster/moves/target.ts'
import type { MoveFaults } from './move-schedule.ts'
import { method, replace } from './mutants.ts'

// biome-ignore lint/suspicious/noExplicitAny: members of whichever class.
type Any = any

export interface MoveMutant {
  readonly rule: string
  readonly faults: Partial<MoveFaults>
  readonly breaks: () => () => void
}

export const moveMutants: readonly MoveMutant[] = [
  {
    rule: 'X13: the source stops with its freeze record',
    faults: {},
    breaks: () =>
      replace(ShardSlots, 'standingOf', ({ value }) => ({
        value(this: Any, slot: number) {
          const standing = value.call(this, slot)
          return standing === 'held' ? 'served' : standing
        },
      })),
  },
  {
    rule: 'X13: the target has applied the log of the source up to the freeze record',
    faults: { delay: 100 },
    // Whatever it reads next behind the first look is taken for it.
    breaks: () => method(Target, 'isFreeze', () => true),
  },
  {
    rule: 'X13: the log of the source has the hand-over, too',
    faults: { crashes: true },
    // The node that leads has heard of it, and whoever leads next has not.
    breaks: () => {
      const record = replace(Mover, 'record', ({ value }) => ({
        async value(this: Any, kind: string, note: Any, change: Any) {
          if (kind !== 'slot-drop') return await value.call(this, kind, note, change)
          await value.call(this, 'unfreeze', note, (state: Any) => unfrozen(state, note.id))
          this.options.slots.gone = note.slots
        },
      }))
      const standing = replace(ShardSlots, 'standingOf', ({ value }) => ({
        value(this: Any, slot: number) {
          return hasSlot(this.gone ?? [], slot) ? 'elsewhere' : value.call(this, slot)
        },
      }))
      return () => {
        record()
        standing()
      }
    },
  },
  {
    rule: 'X15: nothing is removed before the target has the slots by its log',
    faults: { crashes: true, cancels: true },
    breaks: () => method(Source, 'outcome', async () => 'committed'),
  },
  {
    rule: 'X15: the source serves again only when the target will never have the slots',
    faults: { loss: 0.1 },
    breaks: () => method(Source, 'outcome', async () => 'gone'),
  },
  {
    rule: 'X16: the log is read from the first look on',
    faults: { delay: 100 },
    breaks: () => {
      const ask = replace(Mover, 'ask', ({ value }) => ({
        async value(this: Any, ...given: Any[]) {
          const answer = await value.apply(this, given)
          this.latest = answer.head.tail ?? this.latest
          return answer
        },
      }))
      const record = replace(Mover, 'record', ({ value }) => ({
        value(this: Any, kind: string, note: Any, change: Any) {
          return value.call(this, kind, note, (state: Any) => {
            const next = change(state)
            if (state.incoming?.phase !== 'copying' || next.incoming?.tail === undefined) return next
            return { ...next, incoming: { ...next.incoming, tail: this.latest } }
          })
        },
      }))
      return () => {
        ask()
        record()
      }
    },
  },
]
