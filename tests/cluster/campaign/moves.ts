/** Two shards under load whose slots go to and fro while things go wrong, and what must hold afterwards. */
import { join } from 'node:path'
import { CLUSTER_SPACE } from '../../../src/cluster/moves/move-note.ts'
import { contains, intersection, sameSlots, slotsFrom, union } from '../../../src/cluster/moves/slot-ranges.ts'
import { decodeState, type SlotState } from '../../../src/cluster/moves/slot-state.ts'
import { type ShardMap, SLOTS } from '../../../src/cluster/shard-map.ts'
import { open } from '../../../src/index.ts'
import { pause } from '../../support/child.ts'
import type { Random } from '../../support/random.ts'
import { MoveLoad } from '../move-load.ts'
import { type RunningCluster, startCluster } from '../nodes.ts'
import { contradictions } from '../registers.ts'
import type { CampaignResult, RoundResult } from './campaign.ts'
import { MOVE_FAULTS } from './move-faults.ts'
import { SlotClient } from './slot-client.ts'

/** Writes that show that a cluster goes on. */
const WRITES = 30
/** Records besides the registers, so that a move takes several slices. */
const RECORDS = 3_000
const RECORD_BYTES = 300
/** Slots of shard 0 in the beginning; a move takes at least so many of them. */
const SLOTS_OF_FIRST = SLOTS / 2
const LEAST_SLOTS = 2_000
/** A move has so long, with the damage that its fault does. */
const MOVE_MS = 120_000

/** Records of a move, of which shard, after which a fault may strike. */
const MOMENTS: readonly (readonly ['from' | 'to', RegExp])[] = [
  ['to', /import-begin/],
  ['from', /freeze/],
  ['to', /import-commit/],
  ['from', /slot-drop/],
]

/** Each fault happens twice: while slots go to the other shard, and while they come back. */
export async function runMoveCampaign(
  directory: string,
  faults: readonly string[],
  random: Random,
): Promise<CampaignResult> {
  const cluster = await startCluster(join(directory, 'cluster'), { shards: 2, servers: 3 })
  const ports = cluster.nodes.map(({ port }) => port)
  const clients: SlotClient[] = []
  const client = (some: readonly number[]): SlotClient => {
    const made = new SlotClient(some)
    clients.push(made)
    return made
  }
  let load: MoveLoad | undefined
  const rounds: RoundResult[] = []
  try {
    await fill(Array.from({ length: 32 }, () => client(ports)))
    load = new MoveLoad(
      () => client(ports),
      ports.map(port => client([port])),
    )
    await load.progress(WRITES)
    for (const fault of faults) {
      const first = random.below(SLOTS_OF_FIRST - LEAST_SLOTS)
      const slots = `${first}-${random.between(first + LEAST_SLOTS, SLOTS_OF_FIRST - 1)}`
      for (const [from, to] of [
        [0, 1],
        [1, 0],
      ] as const) {
        const began = performance.now()
        const [shard, moment] = MOMENTS[random.below(MOMENTS.length)]!
        try {
          const { strike, mend } = await MOVE_FAULTS[fault]!({ cluster, random, from, to })
          const reached = cluster.logged(shard === 'from' ? from : to, moment)
          const [, moved] = [reached.catch(() => {}), move(cluster, slots, to)]
          moved.catch(() => {})
          await reached
          await pause(random.below(30))
          await strike()
          await moved
          await load.progress(WRITES, 80_000)
          await mend()
          await load.progress(WRITES, 80_000)
        } catch (error) {
          if (error instanceof Error) error.message += `\nslots ${slots} to shard ${to}, struck at ${moment}`
          throw error
        }
        rounds.push({ fault, gap: longestGap(load, began) })
      }
    }
    await load.end()
    await untilAtRest(cluster)
    await load.readAll()
    const map = await mapOf(cluster)
    for (const shard of [0, 1]) await cluster.settled(shard)
    const problems = [...contradictions(load.history), ...load.problems, ...complaints(cluster)]
    await cluster.close()
    problems.push(...(await examine(cluster, map)))
    const { acknowledged, unknown, history } = load
    return { rounds, acknowledged, unknown, operations: history.length, problems }
  } catch (error) {
    if (error instanceof Error)
      error.message += `\nafter ${rounds.length} moves of ${faults.join(', ')}\n${report(cluster)}`
    throw error
  } finally {
    await load?.end().catch(() => {})
    for (const each of clients) each.close()
    await cluster.close()
  }
}

const keyOf = (i: number): string => `record ${i}`
const contentOf = (i: number): string => `${i} `.padEnd(RECORD_BYTES, 'x')

async function fill(clients: readonly SlotClient[]): Promise<void> {
  const some = async (client: SlotClient, first: number): Promise<void> => {
    for (let i = first; i < RECORDS; i += clients.length) await client.set(keyOf(i), contentOf(i))
  }
  await Promise.all(clients.map(some))
}

/** Asked for until the shard has the slots: the command may end since nobody answers, or begin with an old map. */
async function move(cluster: RunningCluster, slots: string, to: number): Promise<void> {
  const deadline = performance.now() + MOVE_MS
  for (;;) {
    try {
      if (/: moved$/m.test(await cluster.cli('move', slots, '--to', `${to}`))) return
      const owned = (await statusOf(cluster)).shards[to]!.moves?.state?.owned
      if (owned !== undefined && contains(owned, slotsFrom(slots))) return
    } catch (error) {
      if (performance.now() > deadline) throw error
    }
    if (performance.now() > deadline) throw new Error(`slots ${slots} do not come to shard ${to}`)
    await pause(200)
  }
}

/** Of any one register: the longest time without an acknowledged write since `from`, in milliseconds. */
function longestGap({ history }: MoveLoad, from: number): number {
  let longest = 0
  const last = new Map(MoveLoad.keys.map(key => [key, from]))
  for (const { kind, key, ended } of history) {
    if (kind !== 'write' || ended <= from || ended === Number.POSITIVE_INFINITY) continue
    longest = Math.max(longest, ended - last.get(key)!)
    last.set(key, ended)
  }
  return longest
}

interface Status {
  readonly shards: (ShardMap['shards'][number] & { moves?: { state?: SlotState } })[]
}

async function statusOf(cluster: RunningCluster): Promise<Status> {
  return JSON.parse(await cluster.cli('status', '--json').catch(({ stdout }: { stdout: string }) => stdout)) as Status
}

/** Resolves when no shard has anything of a move to do. */
async function untilAtRest(cluster: RunningCluster): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const { shards } = await statusOf(cluster)
    const states = shards.map(({ moves }) => moves?.state)
    if (states.every(state => state !== undefined && !state.incoming && !state.outgoing)) return
    await pause(200)
  }
  throw new Error('moves do not end')
}

/** The map, once it says what the shards say. */
async function mapOf(cluster: RunningCluster): Promise<Status> {
  for (let i = 0; ; i++) {
    const status = await statusOf(cluster)
    if (i === 50 || status.shards.every(each => sameSlots(each.slots, each.moves?.state?.owned ?? []))) return status
    await pause(200)
  }
}

/** What the databases of all nodes hold: the nodes of a shard the same, both shards all records, each of them once. */
async function examine(cluster: RunningCluster, { shards }: Status): Promise<string[]> {
  const problems: string[] = []
  const owned: SlotState['owned'][] = []
  const where = new Map<string, number>()
  for (const shard of [0, 1]) {
    const held: string[] = []
    for (const { node, directory } of cluster.nodes.filter(each => each.shard === shard)) {
      const db = open(directory, { createIfMissing: false, keyEncoding: 'binary', valueEncoding: 'binary' })
      try {
        const report = await db.verify()
        problems.push(...report.problems.map(problem => `node ${node}: ${problem}`))
        const state = db.asBytes().subAsBytes(CLUSTER_SPACE)?.get(new TextEncoder().encode('slots'))
        const entries = [...db.entries()].map(pair => pair.map(bytes => Buffer.from(bytes).toString('latin1')))
        if (held.length === 0) {
          owned.push(state === undefined ? [] : decodeState(state).owned)
          for (const [key] of entries) {
            const name = key!.slice(2)
            if (where.has(name)) problems.push(`${name} is in both shards`)
            where.set(name, shard)
            const slot = key!.charCodeAt(0) * 256 + key!.charCodeAt(1)
            if (intersection(owned[shard]!, [{ from: slot, to: slot }]).length === 0)
              problems.push(`${name} is in shard ${shard}, which does not have its slot ${slot}`)
          }
          const records = new Map(entries.map(([key, value]) => [key!.slice(2), value!]))
          for (let i = 0; i < RECORDS; i++)
            if (records.get(keyOf(i))?.includes(contentOf(i)) === false) problems.push(`${keyOf(i)} has another value`)
        }
        held.push(JSON.stringify([state && Buffer.from(state).toString(), entries]))
      } finally {
        db.close()
      }
    }
    if (held.some(each => each !== held[0])) problems.push(`the nodes of shard ${shard} hold different records`)
    if (!sameSlots(shards[shard]!.slots, owned[shard]!)) problems.push(`the map has other slots for shard ${shard}`)
  }
  const [first, second] = owned as [SlotState['owned'], SlotState['owned']]
  if (intersection(first, second).length > 0) problems.push('both shards have some slots')
  if (!sameSlots(union(first, second), [{ from: 0, to: SLOTS - 1 }])) problems.push('some slots are nobody’s')
  const expected = [...MoveLoad.keys, ...Array.from({ length: RECORDS }, (_, i) => keyOf(i))]
  problems.push(...expected.filter(key => !where.has(key)).map(key => `${key} is lost`))
  if (where.size > expected.length) problems.push(`${where.size - expected.length} records that nobody wrote`)
  return problems
}

/** No fault here may halt a node, or end one by a defect. */
const complaints = (cluster: RunningCluster): string[] =>
  cluster.nodes.flatMap(node =>
    cluster
      .logOf(node)
      .split('\n')
      .filter(line => /to=halted|"halted"|[Uu]nhandled|TypeError|could not be started/.test(line))
      .map(line => `node ${node.node}: ${line}`),
  )

const report = (cluster: RunningCluster): string =>
  cluster.nodes
    .map(node => `node ${node.node}, shard ${node.shard}:\n${cluster.logOf(node).split('\n').slice(-25).join('\n')}`)
    .join('\n')
