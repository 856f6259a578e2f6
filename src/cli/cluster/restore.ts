/** `xenondb cluster restore`: the records of a cluster as they were at a point, as a database of its own. */
import { readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { intersection, without } from '../../cluster/moves/slot-ranges.ts'
import type { SlotState } from '../../cluster/moves/slot-state.ts'
import { bringTo, type Point } from '../../cluster/point-in-time.ts'
import type { ClusterServices } from '../../cluster/services.ts'
import { SLOTS } from '../../cluster/shard-map.ts'
import { SLOT_BYTES, slotAt } from '../../cluster/slots.ts'
import { nodeStorage, open } from '../../index.ts'
import { BYTES, type ByteDatabase, openBytes } from '../database.ts'
import { CommandError } from '../errors.ts'

export interface RestoredShard {
  readonly shard: number
  readonly records: number
  /** Of the last message that is in it, and when that was executed; 0: of none. */
  readonly sequence: number
  readonly time: number
}

/** Records that are copied in one commit. */
const TOGETHER = 1000

/**
 * Makes a database in a new directory, with the keys as clients know them. All is done aside, so that a directory of that
 * name is whole.
 * @throws CommandError if something is in the directory
 */
export async function restoreCluster(
  services: ClusterServices,
  cluster: string,
  shards: readonly { shard: number; generation: number }[],
  name: string,
  point: Point,
): Promise<RestoredShard[]> {
  const directory = resolve(name)
  const aside = `${directory}.restoring`
  if (!isEmpty(directory))
    throw new CommandError(`${name} is there already; a cluster is restored to a directory that is empty or not there`)
  if (!isEmpty(aside))
    throw new CommandError(`${aside} is there already, perhaps of a restore that was cut off; remove it first`)
  // Only here: no other command should wait until it is loaded.
  const { storeOf } = await import('../../cluster/engine-store.ts')
  const { decodeState } = await import('../../cluster/moves/slot-state.ts')
  const whole = `${aside}/whole`
  const sources: ByteDatabase[] = []
  const target = openBytes(whole, { createIfMissing: true })
  try {
    const restored: RestoredShard[] = []
    const held: Held[] = []
    for (const { shard, generation } of shards) {
      const log = await services.openLog({ cluster, shard, generation })
      try {
        const source = open<Uint8Array>(`${aside}/${shard}`, { ...BYTES, durability: 'none' })
        sources.push(source)
        const store = storeOf(source, { scratch: `${aside}/snapshots`, storage: nodeStorage })
        // As of then, so that what has expired since is copied with its time, and nothing else.
        store.setTime(() => 0)
        const { sequence, time } = await bringTo(log, store, point)
        const state = store.moves.readState()
        held.push({ shard, source, sequence, time, state: state && decodeState(state) })
      } finally {
        await log.close()
      }
    }
    for (const each of held) {
      const { shard, sequence, time } = each
      restored.push({ shard, records: copyRecords(each, hasFrom(each, held), target), sequence, time })
    }
    for (const source of sources) source.close()
    target.close()
    if (nodeStorage.kind(directory) === 'directory') rmdirSync(directory)
    renameSync(whole, directory)
    nodeStorage.syncDirectory(dirname(directory))
    return restored
  } finally {
    for (const source of sources) source.close()
    target.close()
    rmSync(aside, { recursive: true, force: true })
  }
}

const isEmpty = (path: string): boolean => {
  const kind = nodeStorage.kind(path)
  return kind === 'none' || (kind === 'directory' && readdirSync(path).length === 0)
}

/** A shard as it was at the point. */
interface Held {
  readonly shard: number
  readonly source: ByteDatabase
  readonly sequence: number
  readonly time: number
  /** Undefined: it had never given slots away, or got any. */
  readonly state: SlotState | undefined
}

/**
 * Whether a slot was the shard's: records of others may lie there, of moves that were under way. Slots that it had frozen
 * are its own unless the other shard has them by its log.
 */
function hasFrom({ shard, state }: Held, all: readonly Held[]): (slot: number) => boolean {
  if (state === undefined) return () => true
  const { owned, outgoing } = state
  const other = outgoing?.phase === 'frozen' ? all.find(each => each.shard === outgoing.to) : undefined
  const gone = other === undefined || other.shard === shard ? [] : (other.state?.owned ?? [])
  const own = new Uint8Array(SLOTS)
  for (const { from, to } of without(owned, intersection(outgoing?.slots ?? [], gone))) own.fill(1, from, to + 1)
  return slot => own[slot] === 1
}

/** Without the slot in front of each key. Returns how many. */
function copyRecords({ source }: Held, isOwn: (slot: number) => boolean, target: ByteDatabase): number {
  const [from, to] = [source.records(), target.records()]
  let records = 0
  let group: (readonly [key: Uint8Array, value: Uint8Array])[] = []
  const copy = (): void => {
    to.together(() => {
      for (const [key, value] of group) to.put(key.subarray(SLOT_BYTES), value, from.timeOf(key) ?? 0)
    })
    records += group.length
    group = []
  }
  for (const entry of source.entries()) if (isOwn(slotAt(entry[0])) && group.push(entry) === TOGETHER) copy()
  copy()
  return records
}
