/** `xenondb cluster restore`: the records of a cluster as they were at a point, as a database of its own. */
import { readdirSync, rmSync } from 'node:fs'
import { bringTo, type Point } from '../../cluster/point-in-time.ts'
import type { ClusterServices } from '../../cluster/services.ts'
import { SLOT_BYTES } from '../../cluster/slots.ts'
import { nodeStorage, open } from '../../index.ts'
import { type ByteDatabase, openBytes } from '../database.ts'
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
 * Makes a database in a new directory, with the keys as clients know them. Each shard is brought to the point aside.
 * @throws CommandError if something is in the directory
 */
export async function restoreCluster(
  services: ClusterServices,
  cluster: string,
  shards: readonly { shard: number; generation: number }[],
  directory: string,
  point: Point,
): Promise<RestoredShard[]> {
  requireEmpty(directory)
  const aside = `${directory}.restoring`
  requireEmpty(aside)
  // Only here: no other command should wait until it is loaded.
  const { storeOf } = await import('../../cluster/engine-store.ts')
  const target = openBytes(directory, { createIfMissing: true })
  let isDone = false
  try {
    const restored: RestoredShard[] = []
    for (const { shard, generation } of shards) {
      const log = await services.openLog({ cluster, shard, generation })
      try {
        const options = { keyEncoding: 'binary', valueEncoding: 'binary', storedEncoding: 'ignore' } as const
        const source = open<Uint8Array>(`${aside}/${shard}`, { ...options, durability: 'none' })
        try {
          const store = storeOf(source, { scratch: `${aside}/snapshots`, storage: nodeStorage })
          // As of then, so that what has expired since is copied with its time, and nothing else.
          store.setTime(() => 0)
          const { sequence, time } = await bringTo(log, store, point)
          restored.push({ shard, records: copyRecords(source, target), sequence, time })
        } finally {
          source.close()
        }
      } finally {
        await log.close()
      }
    }
    await target.flush()
    isDone = true
    return restored
  } finally {
    target.close()
    for (const path of isDone ? [aside] : [aside, directory]) rmSync(path, { recursive: true, force: true })
  }
}

function requireEmpty(path: string): void {
  const kind = nodeStorage.kind(path)
  if (kind === 'none' || (kind === 'directory' && readdirSync(path).length === 0)) return
  throw new CommandError(`${path} is there already; a cluster is restored to a directory that is empty or not there`)
}

/** Without the slot in front of each key. Returns how many. */
function copyRecords(source: ByteDatabase, target: ByteDatabase): number {
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
  for (const entry of source.entries()) if (group.push(entry) === TOGETHER) copy()
  copy()
  return records
}
