/** A cluster under load while things go wrong, and what must hold afterwards. */
import { join } from 'node:path'
import { open } from '../../../src/index.ts'
import { check } from '../../isolation/checker.ts'
import { pause } from '../../support/child.ts'
import type { Random } from '../../support/random.ts'
import { contradictions } from '../registers.ts'
import { NodeConnection } from './client.ts'
import { type ClusterSettings, TestCluster } from './cluster.ts'
import { FAULTS, SMALL_LOG_FAULTS, TINY_DISK_FAULTS } from './faults.ts'
import { Load } from './load.ts'
import { listOf } from './protocol.ts'
import { unmountTinyDisks } from './tiny-disk.ts'

export interface RoundResult {
  readonly fault: string
  /** The longest time without an acknowledged write, in milliseconds. */
  readonly gap: number
}

export interface CampaignResult {
  readonly rounds: readonly RoundResult[]
  readonly acknowledged: number
  readonly unknown: number
  readonly operations: number
  /** What must not be: contradictions of the history (lost writes, stale reads), nodes that differ. */
  readonly problems: readonly string[]
}

const LOAD = { clients: 8, keys: 12, lists: 6, reads: 0.4, transactions: 0.15 }
const ALL = { ...FAULTS, ...SMALL_LOG_FAULTS, ...TINY_DISK_FAULTS }
/** Writes that show that a cluster goes on. */
const WRITES = 30

/** Bytes of the log for a fault of `SMALL_LOG_FAULTS`: full after some hundred messages, or not for minutes. */
export const logBytesFor = (fault: string): number => (fault === 'the log is full' ? 150_000 : 4_000_000)

/** Starts a cluster, lets each fault happen in turn, and examines what clients saw and nodes hold. */
export async function runCampaign(
  directory: string,
  faults: readonly string[],
  random: Random,
  { nats = 3, nodes = 3, ...more }: Partial<ClusterSettings> = {},
): Promise<CampaignResult> {
  const cluster = await TestCluster.start(join(directory, 'cluster'), {
    ...{ nats, nodes, ...more },
  })
  const load = new Load(cluster.ports, random, LOAD)
  const rounds: RoundResult[] = []
  try {
    await load.progress(WRITES)
    for (const fault of faults) {
      const began = performance.now()
      await ALL[fault]!({ cluster, load, goOn: () => load.progress(WRITES) })
      await load.progress(WRITES)
      rounds.push({ fault, gap: load.longestGap(began) })
      await cluster.untilSteady()
    }
    await load.end()
    await readAll(cluster, load)
    const problems = [
      ...contradictions(load.history),
      ...(await cycles(cluster, load)),
      ...(await differences(cluster)),
      ...complaints(cluster),
    ]
    await cluster.close()
    problems.push(...(await unsound(cluster)))
    const { history, transactions, acknowledged, unknown } = load
    const operations = history.length + transactions.length
    return { rounds, acknowledged: acknowledged.length, unknown, operations, problems }
  } catch (error) {
    if (error instanceof Error) error.message += `\nafter ${rounds.length} of ${faults.join(', ')}\n${cluster.report()}`
    throw error
  } finally {
    await load.end().catch(() => {})
    await cluster.close()
    unmountTinyDisks()
  }
}

/** What a client reads in the end: an acknowledged write that is not there contradicts the history. */
async function readAll(cluster: TestCluster, load: Load): Promise<void> {
  const connection = new NodeConnection(cluster.ports[await cluster.leader()]!)
  for (const key of new Set(load.history.map(operation => operation.key))) {
    const began = performance.now()
    const value = (await connection.ask<string | undefined>({ op: 'get', key })) ?? undefined
    load.history.push({ kind: 'read', key, value, began, ended: performance.now() })
  }
  connection.close()
}

/** What the transactions on lists show that no serial order has. */
async function cycles(cluster: TestCluster, load: Load): Promise<string[]> {
  const entries = await cluster.ask<[string, string][]>(await cluster.leader(), 'entries')
  const lists = new Map(entries.filter(([key]) => key.startsWith('list ')).map(([key, text]) => [key, listOf(text)]))
  const there = new Set([...lists.values()].flat())
  // Its client was not told, but it has happened: all of it, or the lists show it.
  for (const record of load.transactions)
    record.committed ||= record.steps.some(step => step.kind === 'append' && there.has(step.number))
  return [...check(load.transactions, lists)].map(([phenomenon, example]) => `${phenomenon}: ${example}`)
}

/** Nodes that do not come to hold the same within 20 s. */
async function differences(cluster: TestCluster): Promise<string[]> {
  const deadline = performance.now() + 20_000
  for (;;) {
    const held: string[] = []
    for (const node of cluster.ports.keys()) held.push(JSON.stringify(await cluster.ask(node, 'entries')))
    if (held.every(entries => entries === held[0])) return []
    if (performance.now() > deadline) return held.map((entries, node) => `node ${node} holds ${entries}`)
    await pause(100)
  }
}

/** Every block of every node's database is checked. */
async function unsound(cluster: TestCluster): Promise<string[]> {
  const problems: string[] = []
  for (const node of cluster.ports.keys()) {
    const db = open(cluster.databaseOf(node), { createIfMissing: false })
    const report = await db.verify()
    db.close()
    problems.push(...report.problems.map(problem => `node ${node}: ${problem}`))
  }
  return problems
}

/** No fault here may halt a node, or end one by a defect. */
const complaints = (cluster: TestCluster): string[] =>
  cluster.output.flatMap((text, node) =>
    text
      .split('\n')
      .filter(line => /^(state halted|unhandled|--- ended: \d)/.test(line))
      .map(line => `node ${node}: ${line}`),
  )
