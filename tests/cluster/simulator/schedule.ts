/**
 * One schedule: a cluster of three nodes over a simulated log, clients that read and write, and what happens to them, all
 * from one seed. At each commit the state is compared with what the log says; at the end everything heals, the nodes must
 * agree, take a write, and what the clients were told must have been possible.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { decodeMark, hashOf } from '../../../src/cluster/mark.ts'
import { decodeBody, decodeMessage, type MessagePart, sameBytes } from '../../../src/cluster/message.ts'
import { ClusterNode } from '../../../src/cluster/node.ts'
import type { NodeEvent } from '../../../src/cluster/node-types.ts'
import type { NodeStateName, PeerReport, Peers } from '../../../src/cluster/peers.ts'
import { XenonError } from '../../../src/errors.ts'
import { checkKey, type Operation } from './history.ts'
import { type LogFaults, MajorityLog } from './majority-log.ts'
import { applied, type Committed, type Items, MapStore, type SimulatedStore, sameItems } from './map-store.ts'
import { Machine, Process, World } from './world.ts'

export interface Faults extends LogFaults {
  crashes: boolean
  pauses: boolean
  cuts: boolean
  /** Of the log's leader. */
  elections: boolean
  powerCuts: boolean
  full: boolean
  handovers: boolean
  /** Clocks are wrong by up to so many milliseconds, and run up to so much too fast or too slow. */
  skew: number
  drift: number
  /** The log loses what a majority had acknowledged. */
  rollback: boolean
  parts: boolean
  /** Keys expire. */
  expiry: boolean
  /** Snapshots are taken and the log is purged; disks are lost. */
  snapshots: boolean
}

/** Figures of a schedule. */
export interface Outcome {
  events: number
  operations: number
  /** Writes. */
  acknowledged: number
  epochs: number
  superseded: number
  /** Operations whose outcome their client never heard. */
  unknown: number
}

const NODES = 3
const CLIENTS = 4
const KEYS = 3
/** Milliseconds of each schedule with faults, and without. */
const RUN_MS = 20_000
const HEAL_MS = 30_000

/** Each seed has some of the faults only: with all of them together little goes on. */
export function faultsOf(world: World): Faults {
  const { random } = world
  return {
    loss: random.chance(0.5) ? 0 : random.below(10) / 100,
    twice: random.chance(0.5) ? 0 : 0.1,
    delay: random.pick([2, 5, 20, 100]),
    lies: random.chance(0.3),
    crashes: random.chance(0.5),
    pauses: random.chance(0.5),
    cuts: random.chance(0.4),
    elections: random.chance(0.5),
    powerCuts: random.chance(0.3),
    full: random.chance(0.1),
    handovers: random.chance(0.3),
    skew: random.chance(0.5) ? 0 : 30_000,
    drift: random.chance(0.5) ? 0 : 0.05,
    rollback: random.chance(0.08),
    parts: random.chance(0.1),
    expiry: random.chance(0.3),
    snapshots: random.chance(0.3),
  }
}

export interface ScheduleOptions {
  /** In the place of those that follow from the seed. */
  readonly faults?: Partial<Faults>
  readonly trace?: boolean
  /** Default: maps. */
  readonly makeStore?: () => SimulatedStore
}

/** Of a node that is new. */
const NOTHING: Committed = { items: new Map(), mark: undefined }

export class Schedule {
  readonly world: World
  readonly faults: Faults
  readonly log: MajorityLog
  readonly machines: Machine[] = []
  readonly processes: Process[] = []
  readonly stores: SimulatedStore[] = []
  readonly nodes: (ClusterNode | undefined)[] = []
  /** For power cuts: what each disk held before. */
  readonly #older: Committed[][] = []
  readonly #answers: ((() => PeerReport) | undefined)[] = []
  readonly operations: Operation[] = []
  /** State after each message, from the log alone: `#states[i]` after message i; of a group's parts the last one counts. */
  readonly #states: (Items | undefined)[] = [new Map()]
  #state: Items = new Map()
  #parts: MessagePart[] = []
  #chain: Uint8Array = new Uint8Array(16)
  #epoch = 0
  #superseded = 0
  #rolledBackTo: number | undefined
  /** The first faults have ended. */
  #isHealed = false
  readonly trace: string[] | undefined
  /** Called when a node has entered a state. */
  onState: (to: NodeStateName) => unknown = () => {}

  constructor(seed: number, options: ScheduleOptions = {}) {
    const world = new World(seed)
    this.world = world
    this.faults = { ...faultsOf(world), ...options.faults }
    this.trace = options.trace ? [] : undefined
    const limits = this.faults.parts ? { messageBytes: 120, batch: 50 } : { messageBytes: 4096, batch: 1 }
    this.log = new MajorityLog(world, this.faults, limits)
    this.log.onCommit = (sequence, bytes) => this.#onLog(sequence, bytes)
    this.log.onPurge = () => this.#checkPurge()
    for (let i = 0; i < NODES; i++) {
      const { drift, skew } = this.faults
      const rate = 1 + drift * (world.random.below(201) / 100 - 1)
      this.machines.push(new Machine(world, i + 1, rate, world.random.below(2 * skew + 1) - skew))
      this.stores.push(this.#watched(i, options.makeStore?.() ?? new MapStore(NOTHING)))
      this.#older.push([])
      this.nodes.push(undefined)
    }
  }

  note(what: string): void {
    this.trace?.push(`${Math.round(this.world.now)} ${what}`)
  }

  async run(): Promise<Outcome> {
    const { stackTraceLimit } = Error
    // Refusals are many, and nobody reads where they were made.
    Error.stackTraceLimit = 0
    try {
      return await this.#run()
    } finally {
      Error.stackTraceLimit = stackTraceLimit
    }
  }

  async #run(): Promise<Outcome> {
    const { world } = this
    for (let i = 0; i < NODES; i++) this.#start(i)
    for (let i = 0; i < CLIENTS; i++) void this.#client(i)
    this.#disturb()
    await world.runUntil(RUN_MS)
    this.#heal()
    await world.runUntil(RUN_MS + HEAL_MS)
    this.#checkEnd()
    if (world.failure !== undefined) throw world.failure
    await Promise.all(this.nodes.map(node => node!.stop()))
    await turn()
    for (const store of this.stores) await store.end()
    return {
      events: world.events,
      operations: this.operations.length,
      acknowledged: this.operations.filter(op => op.outcome === 'yes' && op.value !== undefined).length,
      epochs: this.#epoch,
      superseded: this.nodes.reduce((sum, node) => sum + node!.counts.superseded, this.#superseded),
      unknown: this.operations.filter(op => op.outcome === 'unknown').length,
    }
  }

  // Nodes

  #watched(i: number, store: SimulatedStore): SimulatedStore {
    store.onCommit = next => {
      this.#older[i]!.push(next)
      if (this.#older[i]!.length > 30) this.#older[i]!.shift()
      this.#checkCommit(i, next)
    }
    return store
  }

  #start(i: number): void {
    const process = new Process(this.machines[i]!)
    this.processes[i] = process
    const { random } = this.world
    const node = new ClusterNode({
      node: i + 1,
      shard: 0,
      address: `node ${i + 1}`,
      log: this.log.connect(process),
      store: this.stores[i]!,
      peers: this.#peersOf(i, process),
      clock: process,
      rank: i,
      snapshots: this.faults.snapshots && { everyMessages: 30 },
      newId: () => Uint8Array.from({ length: 16 }, () => random.below(256)),
      onEvent: event => {
        if (!process.hasEnded) this.#onEvent(i, event)
      },
    })
    this.nodes[i] = node
    node.start().catch(() => {})
  }

  #onEvent(i: number, event: NodeEvent): void {
    if (this.trace !== undefined && event.kind !== 'group') this.note(`node ${i + 1}: ${JSON.stringify(event)}`)
    if (event.kind === 'state') this.onState(event.to)
    if (event.kind === 'state' && event.reason.startsWith('a defect')) this.world.fail(`node ${i + 1}: ${event.reason}`)
    if (event.kind === 'state' && event.to === 'halted' && this.#rolledBackTo === undefined)
      this.world.fail(`node ${i + 1} has halted, and the log is well: ${event.reason}`)
  }

  /** The process of a node ends; of a power cut the disk forgets some of the last commits. */
  #crash(i: number, isPowerCut: boolean): void {
    const node = this.nodes[i]
    if (node === undefined) return
    this.note(`node ${i + 1} ${isPowerCut ? 'loses power' : 'is killed'}`)
    this.#superseded += node.counts.superseded
    this.processes[i]!.hasEnded = true
    this.nodes[i] = undefined
    this.#answers[i] = undefined
    const older = this.#older[i]!
    const last = this.stores[i]!.torn ?? this.stores[i]!.committed
    const committed = isPowerCut && older.length > 0 ? this.world.random.pick(older) : last
    this.#older[i] = [committed]
    this.stores[i] = this.#watched(i, this.stores[i]!.crashed(committed))
  }

  #peersOf(i: number, process: Process): Peers {
    const { world, faults, machines, processes } = this
    return {
      ask: ms =>
        new Promise(resolve => {
          const reports: PeerReport[] = []
          for (let j = 0; j < NODES; j++)
            if (j !== i)
              processes[j]!.later(world.random.below(faults.delay), () => {
                const report = this.#answers[j]?.()
                if (report === undefined || machines[i]!.isCut || machines[j]!.isCut) return
                process.later(world.random.below(faults.delay), () => {
                  if (reports.push(report) === NODES - 1) resolve(reports)
                })
              })
          process.after(ms, () => resolve(reports))
        }),
      answer: report => {
        this.#answers[i] = report
        return () => {
          this.#answers[i] = undefined
        }
      },
    }
  }

  // Faults

  #disturb(): void {
    const { world, faults } = this
    const { random } = world
    const nowAndThen = (isOn: boolean, everyMs: number, work: () => void): void => {
      if (isOn) world.nowAndThen(everyMs, () => this.#isHealed, work)
    }
    nowAndThen(faults.crashes, 4_000, () => this.#crashOne(false))
    nowAndThen(faults.powerCuts, 8_000, () => this.#crashOne(true))
    nowAndThen(faults.pauses, 2_500, () => {
      const machine = random.pick(this.machines)
      machine.pausedUntil = world.now + random.pick([300, 1500, 3000, 6000])
      this.note(`node ${machine.id} is paused until ${Math.round(machine.pausedUntil)}`)
    })
    nowAndThen(faults.cuts, 4_000, () => {
      const machine = random.pick(this.machines)
      machine.isCut = true
      this.note(`node ${machine.id} is cut off`)
      world.after(random.below(6_000), () => {
        machine.isCut = false
      })
    })
    nowAndThen(faults.elections, 5_000, () => {
      const isCutOff = random.chance(0.5)
      this.note(`the leader of the log is deposed${isCutOff ? ' and cut off' : ''}`)
      this.log.depose(isCutOff)
      world.after(random.below(9_000), () => {
        if (!this.#isHealed) this.log.heal()
      })
    })
    nowAndThen(faults.full, 6_000, () => {
      this.log.maxBytes = this.log.bytes + 200
      this.note('the log is full')
      world.after(random.below(5_000), () => {
        this.log.maxBytes = Number.POSITIVE_INFINITY
      })
    })
    nowAndThen(faults.handovers, 3_000, () => {
      const node = this.nodes.find(node => node?.state === 'lead')
      node?.transferTo(random.between(1, NODES)).then(
        () => this.note(`node ${node.settings.node} has handed over`),
        () => {},
      )
    })
    nowAndThen(faults.snapshots, 10_000, () => {
      const i = random.below(NODES)
      this.#crash(i, false)
      this.note(`node ${i + 1} has lost its disk`)
      this.#older[i] = []
      this.stores[i] = this.#watched(i, this.stores[i]!.crashed(NOTHING))
      world.after(random.below(5_000), () => {
        if (this.nodes[i] === undefined) this.#start(i)
      })
    })
    if (faults.rollback) world.after(RUN_MS / 2, () => this.#rollBack())
  }

  #crashOne(isPowerCut: boolean): void {
    const i = this.world.random.below(NODES)
    this.#crash(i, isPowerCut)
    this.world.after(this.world.random.below(5_000), () => {
      if (this.nodes[i] === undefined) this.#start(i)
    })
  }

  /** The log ends where the node ends that has the least, and everybody sees everybody. */
  #rollBack(): void {
    this.#isHealed = true
    const sequences = this.nodes.map(node => node?.mark.sequence).filter(sequence => sequence !== undefined)
    const least = Math.min(...sequences)
    if (sequences.length < NODES || least === Math.max(...sequences) || this.log.first > least) return
    // What was on its way before is stored behind the new end, and nobody could tell.
    if (this.nodes.some(node => node!.mark.sequence === least && node!.appender.isBusy)) return
    this.#settle()
    this.#rolledBackTo = least
    this.log.rollBack(least)
    this.note(`the log is rolled back to message ${least}`)
  }

  /** Ends what disturbs, but starts nobody. */
  #settle(): void {
    this.#isHealed = true
    Object.assign(this.faults, { loss: 0, twice: 0, delay: 5, lies: false })
    for (const machine of this.machines) {
      machine.isCut = false
      machine.pausedUntil = 0
    }
    this.log.maxBytes = Number.POSITIVE_INFINITY
    this.log.heal()
  }

  #heal(): void {
    this.note('everything heals')
    this.#settle()
    for (let i = 0; i < NODES; i++) if (this.nodes[i] === undefined) this.#start(i)
  }

  // Clients

  async #client(number: number): Promise<void> {
    const { world, faults } = this
    const { random } = world
    let target = random.below(NODES)
    while (world.now < RUN_MS + HEAL_MS / 2) {
      await world.sleep(random.below(this.#isHealed ? 2_000 : 150))
      const key = `key ${random.below(KEYS)}`
      const id = this.operations.length
      const kind = random.pick(['put', 'swap', 'read', 'read', 'peek'] as const)
      const value = kind === 'put' || kind === 'swap' ? `${number}.${id}` : undefined
      const op: Operation = {
        id,
        key,
        value,
        called: world.now,
        answered: Number.POSITIVE_INFINITY,
        outcome: 'open',
        seen: undefined,
      }
      this.operations.push(op)
      const ttl = faults.expiry && random.chance(0.3) ? random.below(3_000) : undefined
      const error = await this.#call(
        target,
        op,
        (node, store) => {
          if (kind === 'read') return node.read('leader', () => store.read(key))
          return node.execute(() => {
            const seen = store.get(key)
            if (value !== undefined) store.put(key, value, ttl)
            return kind === 'put' ? undefined : seen
          })
        },
        kind !== 'put',
      )
      const leader = XenonError.is(error, 'XENON_NOT_LEADER') ? error.leader?.node : undefined
      if (error !== undefined) target = leader === undefined ? random.below(NODES) : leader - 1
    }
  }

  /** Sends a request to a node; what it answers stands in the operation. Resolves with its error, or undefined. */
  #call(
    i: number,
    op: Operation,
    work: (node: ClusterNode, store: SimulatedStore) => Promise<string | undefined>,
    looks: boolean,
  ): Promise<unknown> {
    const { world } = this
    const { random } = world
    const process = this.processes[i]!
    return new Promise(resolve => {
      const answer = (outcome: Operation['outcome'], error?: unknown): void => {
        if (op.outcome !== 'open') return
        op.outcome = outcome
        if (outcome !== 'unknown') op.answered = world.now
        resolve(error)
      }
      world.after(10_000, () => answer('unknown', new Error('no answer')))
      const node = this.nodes[i]
      if (node === undefined) {
        world.after(5, () => answer('no', new Error('nobody listens')))
        return
      }
      process.later(random.below(3), () => {
        work(node, this.stores[i]!).then(
          value =>
            process.later(random.below(3), () => {
              if (op.outcome === 'open' && looks) op.seen = value ?? null
              answer('yes')
            }),
          error =>
            process.later(random.below(3), () =>
              answer(XenonError.is(error, 'XENON_OUTCOME_UNKNOWN') ? 'unknown' : 'no', error),
            ),
        )
      })
    })
  }

  // Checks

  /** X7: what is in the log is one chain; epochs rise. The state behind each message follows. */
  #onLog(sequence: number, bytes: Uint8Array): void {
    const part = decodeMessage(bytes, `message ${sequence}`)
    if (this.#rolledBackTo !== undefined)
      this.world.fail(`node ${part.node} has appended message ${sequence} to a log that was rolled back`)
    if (!sameBytes(part.before, this.#chain)) this.world.fail(`message ${sequence} breaks the chain`)
    this.#chain = hashOf(bytes)
    if (part.kind === 'epoch' ? part.epoch !== this.#epoch + 1 : part.epoch !== this.#epoch)
      this.world.fail(`message ${sequence} of epoch ${part.epoch} behind epoch ${this.#epoch}`)
    this.#epoch = part.epoch
    this.#parts.push(part)
    if (part.part < part.of) {
      this.#states[sequence] = undefined
      return
    }
    const body = Buffer.concat(this.#parts.map(({ body }) => body))
    this.#parts = []
    this.#state = applied(this.#state, decodeBody(part.kind, body, `message ${sequence}`).changes)
    this.#states[sequence] = this.#state
  }

  /** X9: whoever has nothing gets all of it from a snapshot and the log. */
  #checkPurge(): void {
    const { first, snapshots } = this.log
    for (const { entry } of snapshots) if (entry.isVerified && entry.sequence >= first - 1) return
    this.world.fail(`the log begins at message ${first}, and no verified snapshot reaches it`)
  }

  /** X2, X3: what is committed is the state behind the message of the mark, and this message is in the log. */
  #checkCommit(i: number, { items, mark }: Committed): void {
    const { sequence, hash } = decodeMark(mark, this.log.name)
    if (this.#rolledBackTo !== undefined && sequence > this.#rolledBackTo) return
    const state = this.#states[sequence]
    if (sequence > this.log.last || state === undefined)
      this.world.fail(`node ${i + 1} has committed message ${sequence}, and the log ends at ${this.log.last}`)
    else if (!sameItems(items, state) || !sameBytes(hash, hashOf(this.log.entries[sequence - 1]!)))
      this.world.fail(`node ${i + 1} at message ${sequence} has another state than the log`)
  }

  #checkEnd(): void {
    const { world } = this
    if (this.#rolledBackTo !== undefined) {
      this.#checkRolledBack()
      return
    }
    const leaders = this.nodes.filter(node => node?.state === 'lead')
    const where = this.nodes
      .map(node => `${node?.state} at ${node?.mark.sequence} (${node?.status().reason})`)
      .join('; ')
    if (leaders.length !== 1) world.fail(`${leaders.length} nodes lead in the end: ${where}`)
    for (const node of this.nodes)
      if (node!.mark.sequence < this.log.last - 2) world.fail(`a node is behind message ${this.log.last}: ${where}`)
    const late = this.operations.filter(op => op.called > RUN_MS + HEAL_MS / 4 && op.value !== undefined)
    if (late.length > 0 && !late.some(({ outcome }) => outcome === 'yes'))
      world.fail(`no late write succeeded: ${where}`)
    if (this.faults.expiry) this.#checkExpiry()
    else this.#checkHistory()
  }

  /** Those who have more than the log have halted, and the others have not gone on without them (see `#onLog`). */
  #checkRolledBack(): void {
    for (const node of this.nodes)
      if (node!.mark.sequence > this.#rolledBackTo! && node!.state !== 'halted')
        this.world.fail(`node ${node!.settings.node} has more than the log, and is in the state ${node!.state}`)
  }

  /** X10: what somebody has found expired nobody finds later. */
  #checkExpiry(): void {
    const writes = new Map(this.operations.filter(op => op.value !== undefined).map(op => [op.value, op]))
    const looks = this.operations.filter(op => op.outcome === 'yes' && op.seen !== undefined)
    for (const look of looks) {
      const write = look.seen === null ? undefined : writes.get(look.seen)
      if (write === undefined) continue
      const missed = looks.find(
        ({ key, seen, called, answered }) =>
          key === look.key && seen === null && answered < look.called && called > write.answered,
      )
      if (missed !== undefined)
        this.world.fail(`operation ${look.id} has seen ${look.seen}, which was gone for operation ${missed.id}`)
    }
  }

  #checkHistory(): void {
    const versions = new Map<string, string[]>()
    let parts: Uint8Array[] = []
    for (const bytes of this.log.entries) {
      const part = decodeMessage(bytes, 'the log')
      parts.push(part.body)
      if (part.part < part.of) continue
      for (const change of decodeBody(part.kind, Buffer.concat(parts), 'the log').changes)
        if (change.type === 'put') {
          const key = Buffer.from(change.key).toString()
          versions.set(key, [...(versions.get(key) ?? []), ...Buffer.from(change.value).toString().split(',')])
        }
      parts = []
    }
    for (let i = 0; i < KEYS; i++) {
      const key = `key ${i}`
      const wrong = checkKey(
        this.operations.filter(op => op.key === key),
        versions.get(key) ?? [],
      )
      if (wrong !== undefined) this.world.fail(`${key}: ${wrong}`)
    }
  }
}
