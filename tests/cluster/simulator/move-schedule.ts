/**
 * One schedule of a cluster of two shards: clients that write and read, an operator who moves slots to and fro and
 * cancels now and then, and crashes, pauses, cuts, lost and late messages, elections and snapshots meanwhile, all from one
 * seed. At each commit the state of a node is compared with its log; at the end everything heals, and each slot must have
 * one shard, each record be in that one alone, no move be left over, and what clients were told must have been possible.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { type CommittedGroup, changesOf } from '../../../src/cluster/changes.ts'
import { decodeMark, hashOf } from '../../../src/cluster/mark.ts'
import { decodeBody, decodeMessage, sameBytes } from '../../../src/cluster/message.ts'
import { askLeader, encodePaper, type MoveChannel, type Question } from '../../../src/cluster/moves/move-channel.ts'
import { Mover } from '../../../src/cluster/moves/mover.ts'
import { ShardSlots } from '../../../src/cluster/moves/shard-slots.ts'
import { contains, hasSlot, intersection, type SlotSet } from '../../../src/cluster/moves/slot-ranges.ts'
import { ClusterNode } from '../../../src/cluster/node.ts'
import type { PeerReport, Peers } from '../../../src/cluster/peers.ts'
import type { Feed, FeedHandlers, SharedLog } from '../../../src/cluster/shared-log.ts'
import { XenonError } from '../../../src/errors.ts'
import { checkKey, type Operation } from './history.ts'
import { type Connection, type LogFaults, MajorityLog } from './majority-log.ts'
import { applied, type Committed, type Items, sameItems } from './map-store.ts'
import { keyIn, MoveMapStore, slotOfKey } from './move-store.ts'
import { Machine, Process, World } from './world.ts'

export interface MoveFaults extends LogFaults {
  crashes: boolean
  pauses: boolean
  cuts: boolean
  elections: boolean
  handovers: boolean
  snapshots: boolean
  cancels: boolean
}

/** Figures of a schedule. */
export interface MoveOutcomes {
  events: number
  acknowledged: number
  reads: number
  epochs: number
  begun: number
  committed: number
  aborted: number
  handedOver: number
}

const SHARDS = 2
const NODES = 2
const CLIENTS = 4
const RUN_MS = 20_000
const HEAL_MS = 30_000
/** Two slots of each shard have keys. */
const FIRST: readonly SlotSet[] = [[{ from: 0, to: 9 }], [{ from: 10, to: 19 }]]
const KEYS: readonly string[] = [1, 2, 11, 12].flatMap(slot => [keyIn(slot, 'a'), keyIn(slot, 'b')])
const MOVED: readonly SlotSet[] = [
  [{ from: 1, to: 1 }],
  [{ from: 1, to: 2 }],
  [{ from: 11, to: 11 }],
  [{ from: 11, to: 12 }],
  [{ from: 2, to: 2 }],
]

export function moveFaultsOf({ random }: World): MoveFaults {
  return {
    loss: random.chance(0.5) ? 0 : random.below(10) / 100,
    twice: random.chance(0.5) ? 0 : 0.1,
    delay: random.pick([2, 5, 20, 100]),
    lies: false,
    crashes: random.chance(0.5),
    pauses: random.chance(0.5),
    cuts: random.chance(0.4),
    elections: random.chance(0.4),
    handovers: random.chance(0.4),
    snapshots: random.chance(0.3),
    cancels: random.chance(0.4),
  }
}

interface Member {
  readonly shard: number
  readonly number: number
  readonly machine: Machine
  process: Process
  store: MoveMapStore
  node: ClusterNode | undefined
  mover: Mover | undefined
  slots: ShardSlots
  report: (() => PeerReport) | undefined
  answer: ((question: Uint8Array) => Promise<Uint8Array | undefined>) | undefined
}

/** What a node says that does not serve a slot at the moment. */
class NotServed extends Error {
  readonly isHeld: boolean

  constructor(isHeld: boolean) {
    super('the slot is not served here')
    this.isHeld = isHeld
  }
}

export class MoveSchedule {
  readonly world: World
  readonly faults: MoveFaults
  readonly logs: MajorityLog[] = []
  readonly members: Member[] = []
  readonly operations: Operation[] = []
  /** Values of each key in the order in which the logs have them. */
  readonly #versions = new Map<string, string[]>()
  readonly #states: Items[][] = []
  readonly outcomes: MoveOutcomes
  readonly trace: string[] | undefined
  #isHealed = false
  #moves = 0

  constructor(seed: number, options: { faults?: Partial<MoveFaults>; trace?: boolean } = {}) {
    const world = new World(seed)
    this.world = world
    this.faults = { ...moveFaultsOf(world), ...options.faults }
    this.trace = options.trace ? [] : undefined
    const figures = { events: 0, acknowledged: 0, reads: 0, epochs: 0, begun: 0, committed: 0, aborted: 0 }
    this.outcomes = { ...figures, handedOver: 0 }
    for (let shard = 0; shard < SHARDS; shard++) {
      const limits = { messageBytes: 8192, batch: 1 }
      const log = new MajorityLog(world, this.faults, limits, `XENON_simulated_${shard}_1`)
      log.onCommit = (sequence, bytes) => this.#onLog(shard, sequence, bytes)
      this.logs.push(log)
      this.#states.push([new Map()])
      for (let i = 0; i < NODES; i++) {
        const machine = new Machine(world, this.members.length + 1, 1, 0)
        const store = new MoveMapStore({ items: new Map(), mark: undefined })
        this.members.push({
          ...{ shard, number: this.members.length + 1, machine, process: new Process(machine), store },
          ...{ node: undefined, mover: undefined, slots: new ShardSlots(shard, store.moves) },
          ...{ report: undefined, answer: undefined },
        })
      }
    }
  }

  note(what: string): void {
    this.trace?.push(`${Math.round(this.world.now)} ${what}`)
  }

  async run(): Promise<MoveOutcomes> {
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    try {
      const { world } = this
      for (const member of this.members) this.#start(member)
      for (let i = 0; i < CLIENTS; i++) void this.#client(i)
      void this.#operator()
      this.#disturb()
      await world.runUntil(RUN_MS)
      this.#heal()
      await world.runUntil(RUN_MS + HEAL_MS)
      await this.#checkEnd()
      if (world.failure !== undefined) throw world.failure
      for (const { mover } of this.members) mover!.stop()
      await Promise.all(this.members.map(({ node }) => node!.stop()))
      await turn()
      return { ...this.outcomes, events: world.events }
    } finally {
      Error.stackTraceLimit = stackTraceLimit
    }
  }

  // Nodes

  #start(member: Member): void {
    const { shard, number, machine } = member
    const process = new Process(machine)
    const { random } = this.world
    const { store } = member
    store.onCommit = committed => this.#checkCommit(member, committed)
    const slots = new ShardSlots(shard, store.moves)
    Object.assign(member, { process, slots })
    const learn = (): void => {
      if (process.hasEnded) return
      slots.reload()
      member.mover?.poke()
    }
    const node = new ClusterNode({
      node: number,
      shard,
      address: `node ${number}`,
      log: this.logs[shard]!.connect(process),
      store,
      peers: this.#peersOf(member),
      clock: process,
      rank: (number - 1) % NODES,
      snapshots: this.faults.snapshots && { everyMessages: 60 },
      newId: () => Uint8Array.from({ length: 16 }, () => random.below(256)),
      onRecord: ({ kind }, mark) => {
        if (!process.hasEnded) this.note(`node ${number}: ${kind} at ${mark.sequence}`)
        learn()
      },
      onEvent: event => {
        if (process.hasEnded) return
        if (event.kind !== 'group') this.note(`node ${number}: ${JSON.stringify(event)}`)
        if (event.kind === 'state' && event.to === 'halted')
          this.world.fail(`node ${number} has halted: ${event.reason}`)
        if (event.kind === 'state') learn()
      },
    })
    const connections: (Connection | undefined)[] = []
    const mover = new Mover({
      node,
      self: number,
      shard,
      slots,
      store: store.moves,
      channel: this.#channelOf(member),
      clock: process,
      openLog: async other => {
        connections[other] ??= this.logs[other]!.connect(process)
        return connections[other]
      },
      mapped: () => FIRST[shard]!,
    })
    Object.assign(member, { node, mover })
    node.start().catch(() => {})
    mover.start()
  }

  #crash(member: Member): void {
    if (member.node === undefined) return
    this.note(`node ${member.number} is killed`)
    member.process.hasEnded = true
    member.mover!.stop()
    member.store = member.store.crashed(member.store.committed)
    Object.assign(member, { node: undefined, mover: undefined, report: undefined, answer: undefined })
  }

  #peersOf(member: Member): Peers {
    const { world, faults, members } = this
    const { process } = member
    return {
      ask: ms =>
        new Promise(resolve => {
          const reports: PeerReport[] = []
          for (const other of members)
            if (other !== member && other.shard === member.shard)
              other.process.later(world.random.below(faults.delay), () => {
                const report = other.report?.()
                if (report === undefined || member.machine.isCut || other.machine.isCut) return
                process.later(world.random.below(faults.delay), () => reports.push(report))
              })
          process.after(ms, () => resolve(reports))
        }),
      answer: report => {
        member.report = report
        return () => {
          member.report = undefined
        }
      },
    }
  }

  /** Of a node, or of an operator, whose questions get lost, come twice, and late. */
  #channelOf(member: Member | undefined): MoveChannel {
    const { world, faults, members } = this
    const { random } = world
    const isCut = (): boolean => member?.machine.isCut === true
    const later = (ms: number, work: () => void): unknown =>
      member === undefined ? world.after(ms, work) : member.process.later(ms, work)
    const { process } = member ?? {}
    return {
      answerBytes: 4096,
      ask: (shard, question, ms) =>
        new Promise(resolve => {
          later(ms, () => resolve(undefined))
          for (const other of members) {
            if (other.shard !== shard) continue
            for (let copies = random.chance(faults.twice) ? 2 : 1; copies > 0; copies--) {
              if (random.chance(faults.loss)) continue
              other.process.later(random.below(faults.delay) * (copies === 2 ? 100 : 1), () => {
                if (isCut() || other.machine.isCut || process?.hasEnded === true) return
                void other.answer?.(question).then(reply => {
                  if (reply === undefined || random.chance(faults.loss) || isCut() || other.machine.isCut) return
                  later(random.below(faults.delay), () => resolve(reply))
                })
              })
            }
          }
        }),
      answer: (_, answer) => {
        member!.answer = answer
        return () => {
          if (member!.answer === answer) member!.answer = undefined
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
    nowAndThen(faults.crashes, 3_000, () => {
      const member = random.pick(this.members)
      this.#crash(member)
      world.after(random.below(4_000), () => {
        if (member.node === undefined) this.#start(member)
      })
    })
    nowAndThen(faults.pauses, 2_500, () => {
      const machine = random.pick(this.members).machine
      machine.pausedUntil = world.now + random.pick([300, 1500, 3000, 6000])
      this.note(`node ${machine.id} is paused until ${Math.round(machine.pausedUntil)}`)
    })
    nowAndThen(faults.cuts, 4_000, () => {
      const machine = random.pick(this.members).machine
      machine.isCut = true
      this.note(`node ${machine.id} is cut off`)
      world.after(random.below(5_000), () => {
        machine.isCut = false
      })
    })
    nowAndThen(faults.elections, 4_000, () => {
      const log = random.pick(this.logs)
      log.depose(random.chance(0.5))
      world.after(random.below(8_000), () => {
        if (!this.#isHealed) log.heal()
      })
    })
    nowAndThen(faults.handovers, 3_000, () => {
      const leaders = this.members.filter(({ node }) => node?.state === 'lead')
      if (leaders.length === 0) return
      const { shard, node } = random.pick(leaders)
      const to = random.pick(this.members.filter(member => member.shard === shard))
      node!.transferTo(to.number).catch(() => {})
    })
    nowAndThen(faults.snapshots, 8_000, () => {
      const member = random.pick(this.members)
      this.#crash(member)
      member.store = member.store.crashed({ items: new Map(), mark: undefined })
      world.after(random.below(4_000), () => {
        if (member.node === undefined) this.#start(member)
      })
    })
  }

  #heal(): void {
    this.note('everything heals')
    this.#isHealed = true
    Object.assign(this.faults, { loss: 0, twice: 0, delay: 5 })
    for (const { machine } of this.members) {
      machine.isCut = false
      machine.pausedUntil = 0
    }
    for (const log of this.logs) log.heal()
    for (const member of this.members) if (member.node === undefined) this.#start(member)
  }

  // Who moves, who reads and writes

  async #operator(): Promise<void> {
    const { world, faults } = this
    const { random } = world
    const channel = this.#channelOf(undefined)
    const ask = (shard: number, question: Question): Promise<Uint8Array | undefined> =>
      channel.ask(shard, encodePaper(question), 1_000)
    // The last one ends long before the end.
    while (world.now < RUN_MS + HEAL_MS / 3) {
      await world.sleep(random.below(1_500))
      const to = random.below(SHARDS)
      const id = `move ${++this.#moves}`
      const question = { ask: 'begin', id, slots: random.pick(MOVED), from: 1 - to } as const
      try {
        await askLeader(channel, to, question, 1_000)
        this.outcomes.begun++
        this.note(`${id} of ${JSON.stringify(question.slots)} to shard ${to} has begun`)
      } catch {
        continue
      }
      if (faults.cancels && random.chance(0.5)) {
        await world.sleep(random.below(400))
        await ask(to, { ask: 'cancel', id })
      }
    }
  }

  async #client(number: number): Promise<void> {
    const { world } = this
    const { random } = world
    while (world.now < RUN_MS + HEAL_MS / 2) {
      await world.sleep(random.below(this.#isHealed ? 1_500 : 120))
      const key = random.pick(KEYS)
      const id = this.operations.length
      const kind = random.pick(['put', 'swap', 'read', 'read', 'peek'] as const)
      const value = kind === 'put' || kind === 'swap' ? `${number}.${id}` : undefined
      const op: Operation = {
        ...{ id, key, value, called: world.now, answered: Number.POSITIVE_INFINITY },
        ...{ outcome: 'open', seen: undefined },
      }
      this.operations.push(op)
      await this.#call(op, kind !== 'put', (member, node) => {
        const require = (): void => {
          const standing = member.slots.standingOf(slotOfKey(key))
          const isServed =
            standing === 'unknown' ? hasSlot(FIRST[member.shard]!, slotOfKey(key)) : standing === 'served'
          if (!isServed) throw new NotServed(standing === 'held')
        }
        if (kind === 'read')
          return node.read('leader', () => {
            require()
            return member.store.read(key)
          })
        return node.execute(() => {
          require()
          const seen = member.store.get(key)
          if (value !== undefined) member.store.put(key, value)
          return kind === 'put' ? undefined : seen
        })
      })
    }
  }

  /** Some node is asked; most are the wrong one, and say so. */
  #call(
    op: Operation,
    looks: boolean,
    work: (member: Member, node: ClusterNode) => Promise<string | undefined>,
  ): Promise<void> {
    const { world } = this
    const { random } = world
    const leaders = this.members.filter(({ node }) => node?.state === 'lead')
    const serving = leaders.filter(({ slots }) => slots.standingOf(slotOfKey(op.key)) !== 'elsewhere')
    const likely = serving.length > 0 && random.chance(0.8) ? serving : this.members
    const member = random.pick(likely)
    const { process, node } = member
    return new Promise(resolve => {
      const answer = (outcome: Operation['outcome']): void => {
        if (op.outcome !== 'open') return
        op.outcome = outcome
        if (outcome !== 'unknown') op.answered = world.now
        if (outcome === 'yes') this.outcomes[op.value === undefined ? 'reads' : 'acknowledged']++
        resolve()
      }
      world.after(6_000, () => answer('unknown'))
      if (node === undefined) {
        world.after(5, () => answer('no'))
        return
      }
      process.later(random.below(3), () => {
        work(member, node).then(
          value =>
            process.later(random.below(3), () => {
              if (op.outcome === 'open' && looks) op.seen = value ?? null
              answer('yes')
            }),
          error =>
            process.later(random.below(3), () =>
              answer(XenonError.is(error, 'XENON_OUTCOME_UNKNOWN') ? 'unknown' : 'no'),
            ),
        )
      })
    })
  }

  // Checks

  #onLog(shard: number, sequence: number, bytes: Uint8Array): void {
    const message = decodeMessage(bytes, `message ${sequence}`)
    const { changes } = decodeBody(message.kind, message.body, `message ${sequence}`)
    const states = this.#states[shard]!
    states[sequence] = applied(states[sequence - 1]!, changes)
    if (message.kind === 'epoch') this.outcomes.epochs++
    if (message.kind === 'import-commit') this.outcomes.committed++
    if (message.kind === 'import-abort') this.outcomes.aborted++
    if (message.kind !== 'group') return
    for (const change of changes)
      if (change.type === 'put') {
        const key = Buffer.from(change.key).toString()
        this.#versions.set(key, [
          ...(this.#versions.get(key) ?? []),
          ...Buffer.from(change.value).toString().split(','),
        ])
      }
  }

  /** X14: records, and what the shard says of its slots, are those of one message. */
  #checkCommit({ shard, number }: Member, { items, mark }: Committed): void {
    const log = this.logs[shard]!
    const { sequence, hash } = decodeMark(mark, log.name)
    const state = this.#states[shard]![sequence]
    if (state === undefined || !sameItems(items, state) || !sameBytes(hash, hashOf(log.entries[sequence - 1]!)))
      this.world.fail(`node ${number} at message ${sequence} has another state than its log`)
  }

  async #checkEnd(): Promise<void> {
    const { world, members } = this
    const leaders = members.filter(({ node }) => node?.state === 'lead')
    if (leaders.length !== SHARDS) world.fail(`${leaders.length} nodes lead in the end`)
    const owned = leaders.map(({ slots, shard }) => slots.state?.owned ?? FIRST[shard]!)
    const all = FIRST.flat()
    if (intersection(owned[0]!, owned[1]!).length > 0 || !contains(owned.flat(), all))
      world.fail(`the slots are ${JSON.stringify(owned)}`)
    for (const { slots, shard, mover } of leaders)
      if (slots.state?.incoming !== undefined || slots.state?.outgoing !== undefined)
        world.fail(`shard ${shard} has not ended ${JSON.stringify(slots.state)}: ${mover!.status.problem}`)
    for (const { store, shard, number, node } of members) {
      if (node!.mark.sequence < this.logs[shard]!.last - 2) world.fail(`node ${number} is behind`)
      for (const key of store.committed.items.keys())
        if (slotOfKey(key) < 20 && !hasSlot(owned[shard]!, slotOfKey(key)))
          world.fail(
            `node ${number} of shard ${shard} has a record of slot ${slotOfKey(key)}, which is another shard's`,
          )
    }
    if (!this.faults.snapshots) await this.#checkFeeds()
    for (const key of KEYS) {
      const wrong = checkKey(
        this.operations.filter(op => op.key === key),
        this.#versions.get(key) ?? [],
      )
      if (wrong !== undefined) world.fail(`${JSON.stringify(key)}: ${wrong}`)
    }
  }

  /**
   * Who reads the changes of both logs, and waits at each import-commit until the other one has come so far, sees each
   * value of a key once, in order.
   */
  async #checkFeeds(): Promise<void> {
    const groups = await Promise.all(this.logs.map(log => committedOf(log)))
    const at = groups.map(() => 0)
    const told = new Map<string, string[]>()
    const positions = groups.map(() => 0)
    for (let stuck = 0; at.some((place, shard) => place < groups[shard]!.length); stuck++) {
      if (stuck > 1) return this.world.fail('the feeds of the shards wait for each other')
      for (const [shard, list] of groups.entries())
        for (; at[shard]! < list.length; at[shard]!++) {
          const { moved, changes, sequence } = list[at[shard]!]!
          // All that the other log has told up to its freeze record, or there is nothing more of it.
          const other = groups[moved?.from ?? shard]!
          const due = other.find(group => group.sequence > positions[moved?.from ?? shard]!)
          if (moved !== undefined && due !== undefined && due.sequence <= moved.sequence) break
          for (const change of changes)
            if (change.kind === 'put') {
              const key = keyIn(change.slot!, Buffer.from(change.key).toString())
              told.set(key, [...(told.get(key) ?? []), ...Buffer.from(change.value).toString().split(',')])
            }
          positions[shard] = sequence
          stuck = 0
        }
    }
    for (const key of KEYS)
      if (String(told.get(key) ?? []) !== String(this.#versions.get(key) ?? []))
        this.world.fail(
          `${JSON.stringify(key)}: the feeds tell ${told.get(key)} in place of ${this.#versions.get(key)}`,
        )
  }
}

/** The changes of a log, as `changesOf` tells them of one that does not go on. */
async function committedOf(log: MajorityLog): Promise<CommittedGroup[]> {
  const over = new AbortController()
  const found: CommittedGroup[] = []
  const source = {
    name: log.name,
    feed: (from: number, { onMessage }: FeedHandlers): Feed => {
      void (async () => {
        for (let i = from; i <= log.last; i++)
          await onMessage({ sequence: i, bytes: log.entries[i - 1]!, pending: log.last - i })
        over.abort()
      })()
      return { close: () => {} }
    },
  } as unknown as SharedLog
  for await (const group of changesOf(source, { from: 1, signal: over.signal })) found.push(group)
  return found
}
