/**
 * A shard of one node without a log: the server's side of a cluster can be driven to any state. A group is one
 * transaction of the database; whether its message is stored is the test's to say.
 */
import { randomBytes } from 'node:crypto'
import { type Mark, NO_MARK } from '../../../src/cluster/mark.ts'
import type { ExecuteOptions, Leader, NodeStatus, ReadLevel, ShardNode } from '../../../src/cluster/node-types.ts'
import type { NodeStateName, PeerReport } from '../../../src/cluster/peers.ts'
import type { MapNode, ShardMap, ShardMapStore, StoredShardMap } from '../../../src/cluster/shard-map.ts'
import type { AsyncTransaction } from '../../../src/database/async-transaction.ts'
import type { Database } from '../../../src/database/database.ts'
import { NotLeaderError, XenonError } from '../../../src/errors.ts'
import { memoryStorage, open } from '../../../src/index.ts'
import { Server } from '../../../src/server/server.ts'
import { Cluster } from '../../../src/server/service/cluster.ts'
import type { ServerOptions } from '../../../src/server/service/options.ts'
import { pause } from '../../support/child.ts'
import { expectVerified } from '../../support/database.ts'
import { Wire } from '../wire.ts'

/** What becomes of the message of a group. */
export type Fate = 'stored' | 'superseded' | 'unknown' | 'too large' | 'full'

class Superseded extends Error {}

interface Waiting {
  readonly work: () => unknown
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
}

export class FakeNode implements ShardNode {
  readonly mark: Mark = NO_MARK
  state: NodeStateName = 'lead'
  hasLease = true
  leader: Leader | undefined = { node: 1, address: '127.0.0.1:7001', epoch: 1 }
  behindMs = 0
  sequence = 10
  /** Of the next groups; then all are stored. */
  readonly fates: Fate[] = []
  /** Groups wait until `release`. */
  held = false
  /** How many commands were in each group that was executed. */
  readonly groups: number[] = []
  reads = 0
  holdMs = 300
  transferredTo: number | undefined
  private waiting: Waiting[] = []
  private scheduled = false
  private readonly db: Database<unknown, unknown>
  private readonly self: MapNode

  constructor(db: Database<unknown, unknown>, self: MapNode = { node: 1, shard: 0, address: '127.0.0.1:7001' }) {
    this.db = db
    this.self = self
  }

  status(): NodeStatus {
    const { state, sequence, leader, behindMs, hasLease } = this
    return {
      ...this.self,
      log: 'XENON_test_0_1',
      state,
      reason: 'as the test says',
      sequence,
      epoch: leader?.epoch ?? 0,
      lag: 0,
      behindMs,
      leader,
      leaseLeft: state === 'lead' && hasLease ? 1000 : 0,
      isConnected: true,
      queued: this.waiting.length,
      counts: {
        groups: this.groups.length,
        commands: 0,
        appends: 0,
        attempts: 0,
        appendMs: 0,
        applied: 0,
        superseded: 0,
        heartbeats: 0,
        full: 0,
      },
    }
  }

  async start(): Promise<void> {}
  async stop(): Promise<void> {}

  raiseTime(): void {}

  async takeSnapshot(): Promise<number> {
    return this.sequence
  }

  async transferTo(node: number): Promise<void> {
    this.transferredTo = node
  }

  mayRead(level: ReadLevel): boolean {
    return this.allows(level)
  }

  executeRecord<T>(_kind: string, _note: Uint8Array, work: () => T, options?: ExecuteOptions): Promise<T> {
    return this.execute(work, options)
  }

  execute<T>(work: () => T, { holdMs = this.holdMs }: ExecuteOptions = {}): Promise<T> {
    if (this.state !== 'lead' && this.leader !== undefined)
      return Promise.reject(new NotLeaderError('another node leads', this.leader))
    return new Promise<T>((resolve, reject) => {
      const waiting: Waiting = { work, resolve, reject }
      this.waiting.push(waiting)
      setTimeout(() => {
        if (!this.waiting.includes(waiting)) return
        this.waiting = this.waiting.filter(each => each !== waiting)
        reject(new NotLeaderError('no leader of the shard could write in time'))
      }, holdMs)
      this.schedule()
    })
  }

  async commit(transaction: unknown): Promise<void> {
    if (this.state !== 'lead') throw new NotLeaderError('another node leads', this.leader)
    await (transaction as AsyncTransaction).commit()
    this.sequence++
  }

  /** What waits runs, if this node leads; else it is told who does. */
  release(): void {
    this.held = false
    if (this.state !== 'lead' && this.leader !== undefined) {
      for (const { reject } of this.waiting) reject(new NotLeaderError('another node leads', this.leader))
      this.waiting = []
    }
    this.schedule()
  }

  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    setImmediate(() => {
      this.scheduled = false
      if (!this.held && this.state === 'lead') this.group()
    })
  }

  private group(): void {
    const { waiting } = this
    if (waiting.length === 0) return
    const fate = this.fates.shift() ?? 'stored'
    const results: unknown[] = []
    this.groups.push(waiting.length)
    this.waiting = []
    try {
      this.db
        .asBytes()
        .records()
        .together(() => {
          for (const { work } of waiting) results.push(work())
          if (fate !== 'stored') throw new Superseded()
        })
    } catch (error) {
      if (!(error instanceof Superseded)) throw error
    }
    if (fate === 'stored') {
      this.sequence++
      for (const [i, { resolve }] of waiting.entries()) resolve(results[i] as never)
    } else if (fate === 'superseded') {
      this.waiting = waiting
      this.onSuperseded()
    } else for (const { reject } of waiting) reject(errorOf(fate))
  }

  /** What happens once a group was rolled back: by default the node leads on, and runs its commands again. */
  onSuperseded: () => void = () => this.release()

  async read<T>(level: ReadLevel, work: () => T, { holdMs = this.holdMs }: ExecuteOptions = {}): Promise<T> {
    this.reads++
    const until = Date.now() + holdMs
    while (!this.allows(level)) {
      if (level === 'leader' && this.state !== 'lead' && this.leader !== undefined)
        throw new NotLeaderError('another node leads', this.leader)
      if (Date.now() > until) throw new XenonError('XENON_NOT_READY', 'this node lies too far behind')
      await pause(2)
    }
    return work()
  }

  private allows(level: ReadLevel): boolean {
    if (level === 'stale') return true
    if (level === 'leader') return this.state === 'lead' && this.hasLease
    return 'after' in level ? this.sequence >= level.after : this.behindMs <= level.maxLagMs
  }
}

const errorOf = (fate: Fate): XenonError => {
  if (fate === 'unknown') return new XenonError('XENON_OUTCOME_UNKNOWN', 'the log has not said in time')
  if (fate === 'full') return new XenonError('XENON_FULL', 'the log is full')
  return new XenonError('XENON_VALUE_TOO_LARGE', 'the changes do not fit into a message')
}

export class MemoryMap implements ShardMapStore {
  stored: StoredShardMap
  private readonly watchers: Set<(stored: StoredShardMap) => void> = new Set()

  constructor(map: ShardMap) {
    this.stored = { map, revision: 1 }
  }

  async read(): Promise<StoredShardMap> {
    return this.stored
  }

  async write(map: ShardMap, expected: number): Promise<number | undefined> {
    if (expected !== this.stored.revision) return undefined
    this.stored = { map, revision: expected + 1 }
    for (const watcher of this.watchers) watcher(this.stored)
    return this.stored.revision
  }

  watch(onChange: (stored: StoredShardMap) => void): () => void {
    this.watchers.add(onChange)
    onChange(this.stored)
    return () => this.watchers.delete(onChange)
  }
}

/** All slots with shard 0, which node 1 leads and node 2 follows. */
export const ONE_SHARD: ShardMap = {
  shards: [{ shard: 0, generation: 1, slots: [{ from: 0, to: 16383 }], leader: 1 }],
  nodes: [
    { node: 1, shard: 0, address: '127.0.0.1:7001' },
    { node: 2, shard: 0, address: '127.0.0.1:7002' },
  ],
}

/** Slots 0 to 8191 with shard 0, the others with shard 1. */
export const TWO_SHARDS: ShardMap = {
  shards: [
    { shard: 0, generation: 1, slots: [{ from: 0, to: 8191 }], leader: 1 },
    { shard: 1, generation: 1, slots: [{ from: 8192, to: 16383 }], leader: 4 },
  ],
  nodes: [
    { node: 1, shard: 0, address: '127.0.0.1:7001' },
    { node: 2, shard: 0, address: '127.0.0.1:7002' },
    { node: 3, shard: 1, address: '127.0.0.1:7003' },
    { node: 4, shard: 1, address: '127.0.0.1:7004' },
  ],
}

export interface RunningShard {
  readonly server: Server
  readonly db: Database<Uint8Array, Uint8Array>
  readonly node: FakeNode
  readonly cluster: Cluster
  readonly map: MemoryMap
  readonly port: number
  /** What `peers.ask` resolves with. */
  others: PeerReport[]
  /** Tells the server that who leads has changed. */
  changed(): void
  client(): Promise<Wire>
}

/** A server that is node 1 of a cluster. Its database must verify at the end. */
export async function withShard(
  body: (shard: RunningShard) => Promise<void>,
  map: ShardMap = ONE_SHARD,
  options: ServerOptions = {},
): Promise<void> {
  const db = open<Uint8Array, Uint8Array>('db', {
    keyEncoding: 'binary',
    valueEncoding: 'binary',
    storage: memoryStorage(),
  })
  const node = new FakeNode(db as unknown as Database<unknown, unknown>)
  const store = new MemoryMap(map)
  const running = { others: [] as PeerReport[] }
  const peers = { ask: async () => running.others, answer: () => () => {} }
  const cluster = new Cluster({ name: `test-${randomBytes(4).toString('hex')}`, node: 1, shard: 0, map: store, peers })
  const server = new Server(db as unknown as Database<unknown, unknown>, { port: 0, ...options }, false, cluster)
  const clients: Wire[] = []
  try {
    await cluster.begin(node)
    const bound = await server.listen()
    const port = 'port' in bound ? bound.port : 0
    await body(
      Object.assign(running, {
        server,
        db,
        node,
        cluster,
        map: store,
        port,
        changed: () => cluster.onEvent({ kind: 'state', from: 'follow', to: node.state, reason: 'as the test says' }),
        async client() {
          const client = await Wire.open(port)
          clients.push(client)
          return client
        },
      }),
    )
    for (const client of clients) client.close()
    while (server.sessions.size > 0) await pause(1)
    await expectVerified(db)
  } finally {
    for (const client of clients) client.close()
    cluster.close()
    await server.close()
    db.close()
  }
}
