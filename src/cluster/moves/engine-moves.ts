/** A `Database` as the store of moves: the records of slots lie next to each other, the state in a sub-database. */
import type { Database } from '../../database/database.ts'
import type { Replica } from '../../database/replica.ts'
import { compareBytes } from '../../runtime/bytes.ts'
import type { Change, SpacePath } from '../group-store.ts'
import { slotPrefix } from '../slots.ts'
import { CLUSTER_SPACE } from './move-note.ts'
import type { MoveStore, Slice } from './move-store.ts'
import type { SlotSet } from './slot-ranges.ts'

const SPACE: SpacePath = [CLUSTER_SPACE]
const STATE_KEY: Uint8Array = new TextEncoder().encode('slots')

type Bytes = ReturnType<Database<unknown, unknown>['asBytes']>

export class EngineMoves implements MoveStore {
  readonly #root: Bytes
  readonly #replica: Replica

  constructor(db: Database<unknown, unknown>, replica: Replica) {
    this.#root = db.asBytes()
    this.#replica = replica
  }

  readState(): Uint8Array | undefined {
    return this.#root.subAsBytes(CLUSTER_SPACE)?.get(STATE_KEY)
  }

  /** The database reads in the group while a command runs. */
  stateInGroup(): Uint8Array | undefined {
    return this.readState()
  }

  /** A record like any other: in the commit of the group. (X14) */
  writeState(value: Uint8Array): void {
    this.apply([
      { type: 'sub', space: SPACE, keyEncoding: 'binary', valueEncoding: 'binary' },
      { type: 'put', space: SPACE, key: STATE_KEY, value, expiresAt: 0, flags: 0 },
    ])
  }

  slice(slots: SlotSet, after: Uint8Array | undefined, bytes: number): Slice {
    const records = this.#root.records()
    const changes: Change[] = []
    let last: Uint8Array | undefined
    let size = 0
    for (const { from, to } of slots) {
      const lower = slotPrefix(from)
      const isBehind = after !== undefined && compareBytes(after, lower) >= 0
      const range = isBehind ? { gt: after, lt: slotPrefix(to + 1) } : { gte: lower, lt: slotPrefix(to + 1) }
      for (const [key, value] of this.#root.entries(range)) {
        if (size >= bytes) return { changes, last, isWhole: false }
        changes.push({ type: 'put', space: [], key, value, expiresAt: records.timeOf(key) ?? 0, flags: 0 })
        size += key.length + value.length
        last = key
      }
    }
    return { changes, last, isWhole: true }
  }

  apply(changes: Iterable<Change>): void {
    const { group } = this.#replica
    if (group === undefined) throw new TypeError('changes of another shard are applied in a command of the node')
    group.apply(changes)
  }

  clear(slots: SlotSet, most: number): boolean {
    let left = most
    for (const { from, to } of slots) {
      const [lower, upper] = [slotPrefix(from), slotPrefix(to + 1)]
      const keys = [...this.#root.keys({ gte: lower, lt: upper, limit: left + 1 })]
      const isCut = keys.length > left
      // Also without keys: records whose time has passed are none, and lie there.
      this.apply([{ type: 'clearRange', space: [], lower, upper: isCut ? keys[left] : upper }])
      if (isCut) return false
      left -= keys.length
    }
    return true
  }
}
