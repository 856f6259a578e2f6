/**
 * A log on three servers, of which one leads, as far as a node can tell: elections, a deposed leader that does not know it
 * yet, servers that lag, requests and answers that are late, come twice or never, a limit of bytes, and stores that are
 * deleted. How it replicates is not simulated: an entry is committed, or it is not.
 */
import type {
  AppendOutcome,
  Feed,
  FeedHandlers,
  LogBounds,
  LogCheck,
  LogInfo,
  LogLimits,
  SharedLog,
  SnapshotEntry,
  SnapshotStore,
} from '../../../src/cluster/shared-log.ts'
import { XenonError } from '../../../src/errors.ts'
import type { Process, World } from './world.ts'

export interface LogFaults {
  /** Chance that a request, or an answer, is lost. */
  loss: number
  /** Chance that an append comes twice. */
  twice: number
  /** Milliseconds that a message takes on its way, at most. */
  delay: number
  /** A deposed leader answers `bounds()` as if it led. */
  lies: boolean
}

interface Proposal {
  readonly messages: readonly Uint8Array[]
  readonly committed: (sequence: number) => void
}

const SERVERS = 3

export class MajorityLog {
  readonly name: string
  readonly limits: LogLimits
  readonly world: World
  readonly faults: LogFaults
  /** Committed messages: `entries[i]` has the sequence i + 1. Purged ones stay here for the checks. */
  readonly entries: Uint8Array[] = []
  /** When each was committed. */
  readonly times: number[] = []
  first = 1
  maxBytes: number = Number.POSITIVE_INFINITY
  leader: number | undefined = 0
  /** Of the servers: how much each has. */
  readonly has: number[] = [0, 0, 0]
  /** A server that the others do not reach. */
  isolated: number | undefined
  /** What an isolated leader believes, which no longer is one. */
  deposed: { server: number; last: number } | undefined
  readonly snapshots: StoredSnapshot[] = []
  /** Called for each committed entry. */
  onCommit: (sequence: number, bytes: Uint8Array) => void = () => {}
  onPurge: () => void = () => {}
  #pending: Proposal[] = []
  #term = 0
  /** What was sent before the last one does not arrive any more: it could be stored again, where it had been. */
  rollbacks = 0
  readonly #feeds = new Set<SimulatedFeed>()

  constructor(world: World, faults: LogFaults, limits: LogLimits, name: string = 'XENON_simulated_0_1') {
    this.name = name
    this.world = world
    this.faults = faults
    this.limits = limits
  }

  get last(): number {
    return this.entries.length
  }

  get bytes(): number {
    let sum = 0
    for (let i = this.first - 1; i < this.entries.length; i++) sum += this.entries[i]!.length
    return sum
  }

  /** What the leader does with an append; `answer` is called at most once. */
  propose(messages: readonly Uint8Array[], expectedLast: number, answer: (outcome: AppendOutcome) => void): void {
    const proposed = this.#pending.reduce((sum, { messages }) => sum + messages.length, 0)
    const bytes = messages.reduce((sum, { length }) => sum + length, 0)
    if (this.last + proposed !== expectedLast) {
      answer({ kind: 'refused', reason: 'wrong last', message: `the last sequence is ${this.last}` })
      return
    }
    if (this.bytes + bytes > this.maxBytes) {
      answer({ kind: 'refused', reason: 'full', message: 'the log is full' })
      return
    }
    const term = this.#term
    this.#pending.push({ messages, committed: sequence => answer({ kind: 'stored', sequence }) })
    this.world.after(this.world.random.below(5), () => {
      if (term === this.#term) this.#commitNext()
    })
  }

  #commitNext(): void {
    const proposal = this.#pending.shift()
    if (proposal === undefined) return
    for (const message of proposal.messages) {
      this.entries.push(message.slice())
      this.times.push(this.world.now)
      this.onCommit(this.last, message)
    }
    if (this.leader !== undefined) this.has[this.leader] = this.last
    this.#replicate()
    proposal.committed(this.last)
  }

  #replicate(): void {
    for (let server = 0; server < SERVERS; server++)
      this.world.after(this.world.random.below(this.faults.delay), () => {
        if (server !== this.isolated) this.has[server] = this.last
        for (const feed of this.#feeds) feed.pump()
      })
  }

  /** The leader is gone, or cut off; another one is elected. What it had proposed is committed in part, or not. */
  depose(isCutOff: boolean): void {
    const { random } = this.world
    if (this.leader === undefined) return
    const old = this.leader
    if (isCutOff && this.isolated === undefined) {
      this.isolated = old
      this.deposed = { server: old, last: this.last }
    }
    this.#term++
    for (let survive = random.below(this.#pending.length + 1); survive > 0; survive--) {
      // Nobody is left who could answer.
      const { messages } = this.#pending[0]!
      this.#pending[0] = { messages, committed: () => {} }
      this.#commitNext()
    }
    this.#pending = []
    this.leader = undefined
    this.world.after(500 + random.below(3500), () => {
      this.leader ??= (old + 1 + random.below(2)) % SERVERS
      this.has[this.leader] = this.last
    })
  }

  heal(): void {
    this.isolated = undefined
    this.deposed = undefined
    if (this.leader === undefined) this.leader = this.world.random.below(SERVERS)
    this.#replicate()
  }

  /** The stores of a majority are deleted: what they had alone is lost, though it was acknowledged. */
  rollBack(to: number): void {
    this.#term++
    this.rollbacks++
    this.#pending = []
    this.entries.length = to
    this.times.length = to
    for (let server = 0; server < SERVERS; server++) this.has[server] = Math.min(this.has[server]!, to)
  }

  /** The log as one process reaches it. */
  connect(process: Process): Connection {
    return new Connection(this, process)
  }

  addFeed(feed: SimulatedFeed): void {
    this.#feeds.add(feed)
    feed.pump()
  }

  removeFeed(feed: SimulatedFeed): void {
    this.#feeds.delete(feed)
  }
}

interface StoredSnapshot {
  readonly entry: SnapshotEntry
  readonly content: Uint8Array[]
}

const noAnswer = (): XenonError => new XenonError('XENON_CONNECTION', 'no server has answered in time')
/** After which a client gives up an answer. */
const TIMEOUT_MS = 2_000

export class Connection implements SharedLog {
  readonly name: string
  readonly limits: LogLimits
  isConnected = true
  readonly snapshots: SnapshotStore
  readonly #log: MajorityLog
  readonly #process: Process
  #server: number
  readonly #listeners = new Set<(isConnected: boolean) => void>()
  #isWatching = false

  constructor(log: MajorityLog, process: Process) {
    this.#log = log
    this.#process = process
    this.name = log.name
    this.limits = log.limits
    this.#server = log.world.random.below(SERVERS)
    this.snapshots = snapshotsOf(this, log)
    this.#watch()
  }

  /** Pings: it finds out that nobody is there, and looks for another server. */
  #watch(): void {
    if (this.#isWatching) return
    this.#isWatching = true
    const { random } = this.#log.world
    this.#process.later(500 + random.below(1000), () => {
      this.#isWatching = false
      const reaches = !this.#process.machine.isCut && (this.#server !== this.#log.isolated || random.chance(0.3))
      if (reaches !== this.isConnected) {
        if (!reaches) this.#server = random.below(SERVERS)
        this.#change(reaches)
      } else if (!reaches) this.#server = random.below(SERVERS)
      this.#watch()
    })
  }

  #change(isConnected: boolean): void {
    this.isConnected = isConnected
    for (const listener of this.#listeners) listener(isConnected)
  }

  onConnection(listener: (isConnected: boolean) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Sends a request to the server at hand, which `serve`s it; undefined from there: no answer. */
  request<T>(serve: (server: number) => T | undefined): Promise<T> {
    const { world, faults } = this.#log
    const { random } = world
    return new Promise((resolve, reject) => {
      const cancel = this.#process.later(TIMEOUT_MS, () => reject(noAnswer()))
      if (this.#isLost()) return
      world.after(random.below(faults.delay), () => {
        let answer: () => void
        try {
          const served = serve(this.#server)
          if (served === undefined) return
          answer = () => resolve(served)
        } catch (error) {
          answer = () => reject(error)
        }
        if (this.#isLost()) return
        this.#process.later(random.below(faults.delay), () => {
          cancel()
          answer()
        })
      })
    })
  }

  #isLost(): boolean {
    return this.#process.machine.isCut || this.#log.world.random.chance(this.#log.faults.loss)
  }

  append(messages: readonly Uint8Array[], expectedLast: number): Promise<AppendOutcome> {
    const { world, faults } = this.#log
    const { random } = world
    return new Promise(resolve => {
      const cancel = this.#process.later(500 + random.below(TIMEOUT_MS), () =>
        resolve({ kind: 'unknown', cause: noAnswer() }),
      )
      let isRefused = false
      const answer = (outcome: AppendOutcome): void => {
        // That is the promise of a refusal: what it was said of is not stored later, by another copy.
        if (outcome.kind === 'refused' && outcome.reason !== 'wrong last') isRefused = true
        if (this.#isLost()) return
        this.#process.later(random.below(faults.delay), () => {
          cancel()
          resolve(outcome)
        })
      }
      const server = this.#server
      const { rollbacks } = this.#log
      for (let copies = random.chance(faults.twice) ? 2 : 1; copies > 0; copies--)
        if (!this.#isLost())
          world.after(random.below(faults.delay) * (copies === 2 ? 50 : 1), () => {
            if (!isRefused && rollbacks === this.#log.rollbacks) this.#atLeader(server, messages, expectedLast, answer)
          })
    })
  }

  #atLeader(
    server: number,
    messages: readonly Uint8Array[],
    expectedLast: number,
    answer: (outcome: AppendOutcome) => void,
  ): void {
    const { deposed, isolated, leader } = this.#log
    if (messages.length > this.limits.batch || messages.some(({ length }) => length > this.limits.messageBytes))
      answer({ kind: 'refused', reason: 'too large', message: 'larger than max_payload' })
    else if (deposed?.server === server) {
      // It would accept the append, and never commit it.
      if (expectedLast !== deposed.last)
        answer({ kind: 'refused', reason: 'wrong last', message: `the last sequence is ${deposed.last}` })
    } else if (leader !== undefined && server !== isolated) this.#log.propose(messages, expectedLast, answer)
  }

  async read(sequence: number): Promise<Uint8Array | undefined> {
    const log = this.#log
    const found = await this.request(server => ({
      bytes: sequence >= log.first && sequence <= log.has[server]! ? log.entries[sequence - 1] : undefined,
    }))
    return found.bytes
  }

  bounds(): Promise<LogBounds> {
    const log = this.#log
    return this.request(server => {
      if (log.deposed?.server === server)
        return log.faults.lies
          ? { first: Math.min(log.first, log.deposed.last + 1), last: log.deposed.last }
          : undefined
      return log.leader === undefined || server === log.isolated ? undefined : { first: log.first, last: log.last }
    })
  }

  feed(from: number, handlers: FeedHandlers): Feed {
    const feed = new SimulatedFeed(this.#log, this.#process, this, from, handlers)
    this.#log.addFeed(feed)
    return feed
  }

  get server(): number {
    return this.#server
  }

  async purge(below: number): Promise<void> {
    const log = this.#log
    await this.request(server => {
      if (log.leader === undefined || server === log.isolated) return undefined
      log.first = Math.max(log.first, Math.min(below, log.last + 1))
      log.onPurge()
      return true
    })
  }

  info(): Promise<LogInfo> {
    const log = this.#log
    return this.request(() => ({
      first: log.first,
      last: log.last,
      bytes: log.bytes,
      maxBytes: log.maxBytes,
      messages: log.last - log.first + 1,
      maxMessages: Number.POSITIVE_INFINITY,
      leader: log.leader === undefined ? undefined : `server ${log.leader}`,
      replicas: [],
      hasQuorum: log.leader !== undefined,
    }))
  }

  check(): Promise<LogCheck> {
    return this.request(() => ({ servers: [], problems: [], warnings: [] }))
  }

  async close(): Promise<void> {}
}

/** Messages of the server that the machine is connected to, in order. */
class SimulatedFeed implements Feed {
  readonly #log: MajorityLog
  readonly #process: Process
  readonly #connection: Connection
  readonly #handlers: FeedHandlers
  #next: number
  #isBusy = false
  #isClosed = false

  constructor(log: MajorityLog, process: Process, connection: Connection, from: number, handlers: FeedHandlers) {
    this.#log = log
    this.#process = process
    this.#connection = connection
    this.#handlers = handlers
    this.#next = from
    connection.onConnection(() => this.pump())
  }

  close(): void {
    this.#isClosed = true
    this.#log.removeFeed(this)
  }

  /** Delivers what there is, if nothing is on its way. */
  pump(): void {
    const log = this.#log
    if (this.#process.hasEnded) this.close()
    if (this.#isClosed || this.#isBusy || !this.#connection.isConnected || this.#process.machine.isCut) return
    if (this.#next > log.has[this.#connection.server]! && this.#next >= log.first) return
    this.#isBusy = true
    this.#process.later(log.world.random.below(log.faults.delay), () => void this.#deliver())
  }

  async #deliver(): Promise<void> {
    const log = this.#log
    if (this.#isClosed) return
    if (this.#process.machine.isCut) {
      // Lost on its way; sent again after the connection is back.
      this.#isBusy = false
      return
    }
    if (this.#next < log.first) {
      this.close()
      return this.#handlers.onGap(log.first)
    }
    const end = Math.min(log.has[this.#connection.server]!, this.#next + 20)
    while (this.#next <= end && !this.#isClosed) {
      const sequence = this.#next++
      await this.#handlers.onMessage({
        sequence,
        bytes: log.entries[sequence - 1]!.slice(),
        pending: log.last - sequence,
      })
    }
    this.#isBusy = false
    this.pump()
  }
}

function snapshotsOf(connection: Connection, log: MajorityLog): SnapshotStore {
  const find = (name: string): StoredSnapshot => {
    const found = log.snapshots.find(({ entry }) => entry.name === name)
    if (found === undefined) throw new XenonError('XENON_NOT_FOUND', `there is no snapshot ${name}`)
    return found
  }
  return {
    put: async (mark, sequence, content) => {
      const chunks: Uint8Array[] = []
      for await (const chunk of content) chunks.push(chunk)
      return await connection.request(() => {
        const name = `snapshot ${log.snapshots.length + 1} at ${sequence}`
        const bytes = chunks.reduce((sum, { length }) => sum + length, 0)
        const entry: SnapshotEntry = { name, mark, sequence, bytes, time: log.world.time, isVerified: false }
        log.snapshots.push({ entry, content: chunks })
        return entry
      })
    },
    list: () =>
      connection.request(() => log.snapshots.map(({ entry }) => entry).sort((a, b) => b.sequence - a.sequence)),
    get: async function* (name) {
      yield* (await connection.request(() => find(name))).content
    },
    setVerified: name =>
      connection.request(() => {
        const found = find(name)
        log.snapshots[log.snapshots.indexOf(found)] = { ...found, entry: { ...found.entry, isVerified: true } }
        return true
      }) as unknown as Promise<void>,
    remove: name =>
      connection.request(() => {
        const at = log.snapshots.findIndex(({ entry }) => entry.name === name)
        if (at >= 0) log.snapshots.splice(at, 1)
        return true
      }) as unknown as Promise<void>,
  }
}
