/** `xenondb cluster move`, `rebalance` and `add`: slots go from shard to shard. */
import { randomBytes } from 'node:crypto'
import { askLeader, type MoveChannel } from '../../cluster/moves/move-channel.ts'
import { balance, type PlannedMove } from '../../cluster/moves/plan.ts'
import { intersection, type SlotSet, slotsText, without } from '../../cluster/moves/slot-ranges.ts'
import type { ClusterServices, LogSettings } from '../../cluster/services.ts'
import type { MapShard, ShardMap } from '../../cluster/shard-map.ts'
import { XenonError } from '../../errors.ts'
import { CommandError } from '../errors.ts'
import { progressOf } from './progress.ts'
import { readMap } from './status.ts'

/** Milliseconds that a shard has to answer, for which one without a leader is asked, and between two looks. */
const ASK_MS = 2_000
const PATIENCE_MS = 15_000
const LOOK_MS = 200

/** Told what a move has come to, whenever that is something new. */
export type Progress = (text: string) => void

/** The moves that bring slots to a shard: one from each shard that has some of them. */
export function movesTo({ shards }: ShardMap, slots: SlotSet, to: number): PlannedMove[] {
  if (!shards.some(each => each.shard === to))
    throw new CommandError(`there is no shard ${to}; xenondb cluster add makes one more`)
  const missing = shards.reduce((left, each) => without(left, each.slots), [...slots])
  if (missing.length > 0) throw new CommandError(`no shard has the slots ${slotsText(missing)}`)
  return shards
    .filter(({ shard }) => shard !== to)
    .map(({ shard, slots: its }) => ({ from: shard, to, slots: intersection(its, slots) }))
    .filter(move => move.slots.length > 0)
}

export const movesToBalance = ({ shards }: ShardMap): PlannedMove[] => balance(shards)

/**
 * Has one move made, and resolves when it is. It goes on by itself if whoever has asked for it is gone.
 * @throws CommandError if it was not begun, or was aborted
 */
export async function makeMove(channel: MoveChannel, { from, to, slots }: PlannedMove, tell: Progress): Promise<void> {
  const id = randomBytes(8).toString('hex')
  const what = `slots ${slotsText(slots)} from shard ${from} to shard ${to}`
  await patiently(() => askLeader(channel, to, { ask: 'begin', id, slots, from }, ASK_MS))
  let said = ''
  for (;;) {
    const { state, pending, problem } = (await patiently(() => askLeader(channel, to, { ask: 'status' }, ASK_MS))).head
    const move = state?.incoming
    if (move?.id !== id) {
      if (state?.last?.id === id && !state.last.isCommitted)
        throw new CommandError(`${what}: not moved: ${state.last.reason ?? 'aborted'}`)
      if (state?.last?.id === id) return tell(`${what}: moved`)
      if (state === undefined || without(slots, state.owned).length > 0)
        throw new CommandError(`${what}: another move has followed; xenondb cluster status says who has them`)
      return tell(`${what}: moved`)
    }
    const text = `${what}: ${progressOf(move, pending, problem)}`
    if (text !== said) tell(text)
    said = text
    await new Promise<void>(resolve => setTimeout(resolve, LOOK_MS))
  }
}

/** Takes back the move to a shard. Resolves when nothing of it is left there. */
export async function cancelMove(channel: MoveChannel, to: number): Promise<void> {
  const { id } = (await patiently(() => askLeader(channel, to, { ask: 'cancel', id: undefined }, ASK_MS))).head
  for (;;) {
    const { state } = (await patiently(() => askLeader(channel, to, { ask: 'status' }, ASK_MS))).head
    if (state?.incoming?.id !== id) return
    await new Promise<void>(resolve => setTimeout(resolve, LOOK_MS))
  }
}

/** A shard that has no leader for the moment is asked again. */
async function patiently<T>(question: () => Promise<T>): Promise<T> {
  const until = Date.now() + PATIENCE_MS
  for (;;)
    try {
      return await question()
    } catch (error) {
      if (!XenonError.is(error)) throw error
      if (error.code !== 'XENON_CONNECTION' || Date.now() > until) throw new CommandError(error.message)
    }
}

/** Makes a shard without slots: its log, then its place in the map. Returns its number. */
export async function addShard(services: ClusterServices, cluster: string, settings: LogSettings): Promise<number> {
  const store = services.shardMap(cluster)
  for (;;) {
    const { shards } = await readMap(services, cluster)
    const shard = Math.max(...shards.map(each => each.shard)) + 1
    await makeLog(services, cluster, shard, settings)
    const stored = (await store.read())!
    if (stored.map.shards.some(each => each.shard === shard)) continue
    const added: MapShard = { shard, generation: 1, slots: [] }
    const map = { ...stored.map, shards: [...stored.map.shards, added] }
    if ((await store.write(map, stored.revision)) !== undefined) return shard
  }
}

/** One that an attempt before this has made, and nobody has used, does. */
async function makeLog(
  services: ClusterServices,
  cluster: string,
  shard: number,
  settings: LogSettings,
): Promise<void> {
  const place = { cluster, shard, generation: 1 }
  try {
    await (await services.createLog(place, settings)).close()
  } catch (error) {
    if (!XenonError.is(error, 'XENON_EXISTS')) throw error
    const log = await services.openLog(place)
    const { last } = await log.bounds()
    await log.close()
    if (last > 0) throw new CommandError(`there is a log ${log.name} with ${last} messages already`)
  }
}
