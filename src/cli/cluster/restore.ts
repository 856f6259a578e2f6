/** `xenondb cluster restore`: the records of a cluster as they were at a point, as a database of its own. */
import { readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { bringTo, type Point } from '../../cluster/point-in-time.ts'
import type { ClusterServices } from '../../cluster/services.ts'
import { SLOT_BYTES } from '../../cluster/slots.ts'
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
  const whole = `${aside}/whole`
  const target = openBytes(whole, { createIfMissing: true })
  try {
    const restored: RestoredShard[] = []
    for (const { shard, generation } of shards) {
      const log = await services.openLog({ cluster, shard, generation })
      try {
        const source = open<Uint8Array>(`${aside}/${shard}`, { ...BYTES, durability: 'none' })
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
    target.close()
    if (nodeStorage.kind(directory) === 'directory') rmdirSync(directory)
    renameSync(whole, directory)
    nodeStorage.syncDirectory(dirname(directory))
    return restored
  } finally {
    target.close()
    rmSync(aside, { recursive: true, force: true })
  }
}

const isEmpty = (path: string): boolean => {
  const kind = nodeStorage.kind(path)
  return kind === 'none' || (kind === 'directory' && readdirSync(path).length === 0)
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
