/**
 * What a server knows of the cluster that it is a node of: which shard has which slot, who leads it, and its own node.
 * The map of the cluster and the log of the shard say so; nothing is decided here.
 */
import { createHash } from 'node:crypto'
import { type ShardSlots, withSlots } from '../../cluster/moves/shard-slots.ts'
import type { NodeEvent, NodeStatus, ShardNode } from '../../cluster/node-types.ts'
import type { PeerReport, Peers } from '../../cluster/peers.ts'
import { type MapNode, type ShardMap, type ShardMapStore, SLOTS, type SlotRange } from '../../cluster/shard-map.ts'
import { clearTimeout, setTimeout } from '../../runtime/timers.ts'
import type { Log } from './log.ts'

export interface ClusterOptions {
  /** Its name. */
  readonly name: string
  /** Number of this node and of its shard. */
  readonly node: number
  readonly shard: number
  readonly map: ShardMapStore
  readonly peers: Peers
  /** What the database says of the shard's slots; undefined: they never move. */
  readonly slots?: ShardSlots | undefined
}

/** A node as clients are told of it. */
export interface NodeView {
  /** 40 hexadecimal digits. */
  readonly id: string
  readonly node: number
  readonly host: string
  readonly port: number
  readonly isSelf: boolean
  readonly isLeader: boolean
  /** Of the last message that it has applied; 0 of another node, which is not asked. */
  readonly sequence: number
}

export interface ShardView {
  readonly shard: number
  readonly slots: readonly (readonly [first: number, last: number])[]
  /** The leader is the first of them, if one is known. */
  readonly nodes: readonly NodeView[]
  readonly leader: NodeView | undefined
}

const NOBODY = 0xffff_ffff
/** A leader says something each 500 ms: clients are not sent to one that has been silent for so many. */
const SILENT_MS = 700
const WRITE_ATTEMPTS = 20
/** A map that could not be told is told again after this. */
const TELL_AGAIN_MS = 500

export class Cluster {
  readonly name: string
  readonly self: number
  readonly shard: number
  readonly peers: Peers
  readonly slots: ShardSlots | undefined
  private readonly store: ShardMapStore
  /** As it is stored, and as it is for this node: what its own log says of slots may be later. */
  private stored: ShardMap = { shards: [], nodes: [] }
  private map: ShardMap = this.stored
  /** The shard of each slot. */
  private readonly owners: Uint32Array = new Uint32Array(SLOTS).fill(NOBODY)
  private readonly listeners: Set<() => void> = new Set()
  private member: ShardNode | undefined
  private stopWatching: (() => void) | undefined
  private closed = false
  private mustTell = false
  private isTelling = false
  log: Log | undefined

  constructor({ name, node, shard, map, peers, slots }: ClusterOptions) {
    this.name = name
    this.self = node
    this.shard = shard
    this.store = map
    this.peers = peers
    this.slots = slots
    slots?.onChange(() => {
      this.take(this.stored)
      if (this.isLeader) void this.tell()
    })
  }

  /** Runs what begins an interactive transaction: the database of a node lets none begin otherwise. */
  admitting: <T>(begin: () => T) => T = begin => begin()

  /** The node is there, and will be until `close`. */
  async begin(member: ShardNode, admitting: Cluster['admitting'] = begin => begin()): Promise<void> {
    this.member = member
    this.admitting = admitting
    const stored = await this.store.read()
    if (stored !== undefined) this.take(stored.map)
    this.stopWatching = this.store.watch(({ map }) => this.take(map))
  }

  close(): void {
    this.closed = true
    this.stopWatching?.()
    this.changed()
  }

  get node(): ShardNode {
    if (this.member === undefined) throw new Error('the node of the cluster has not begun')
    return this.member
  }

  /** What the node tells (`NodeOptions.onEvent`). */
  onEvent(event: NodeEvent): void {
    if (event.kind !== 'state' && event.kind !== 'leader') return
    this.changed()
    if (event.kind === 'state' && event.to === 'lead') void this.tell()
  }

  /**
   * Others learn where writes of this shard go, and which slots it has by its log. Clients find out without it, one
   * redirection later; but `move` and `rebalance` begin with what the map says. So it is told until it is written.
   */
  private async tell(): Promise<void> {
    this.mustTell = true
    if (this.isTelling) return
    this.isTelling = true
    while (this.mustTell && this.isLeader && !this.closed) {
      this.mustTell = false
      try {
        await this.changeMap(map => {
          if (!this.hasLease) throw new Error('the lease has ended')
          const served = this.slots?.served
          return withLeader(served === undefined ? map : withSlots(map, this.shard, served), this.shard, this.self)
        })
      } catch (error) {
        this.mustTell = true
        this.log?.warn('the map of the cluster could not be told who leads, and what', { error: String(error) })
        await new Promise<void>(resolve => setTimeout(resolve, TELL_AGAIN_MS).unref())
      }
    }
    this.isTelling = false
  }

  /** Changes the map by compare-and-set. */
  private async changeMap(change: (map: ShardMap) => ShardMap): Promise<void> {
    for (let attempt = 0; attempt < WRITE_ATTEMPTS && !this.closed; attempt++) {
      const stored = await this.store.read()
      if (stored === undefined) throw new Error(`there is no cluster '${this.name}': xenondb cluster create makes one`)
      const map = change(stored.map)
      if (map === stored.map || (await this.store.write(map, stored.revision)) !== undefined) return
    }
    if (!this.closed) throw new Error('the map is changed by others all the time')
  }

  private take(stored: ShardMap): void {
    this.stored = stored
    const map = this.slots?.mend(stored) ?? stored
    this.map = map
    this.owners.fill(NOBODY)
    for (const { shard, slots } of map.shards) for (const { from, to } of slots) this.owners.fill(shard, from, to + 1)
    this.changed()
  }

  /** Called when the map or who leads has changed; the result stops that. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  private changed(): void {
    for (const listener of [...this.listeners]) listener()
  }

  get isLeader(): boolean {
    return this.member?.state === 'lead'
  }

  /** What is committed here is what there is: it leads, and nobody else can. */
  get hasLease(): boolean {
    return this.isLeader && this.node.mayRead('leader')
  }

  /** Another node leads, and was heard of just now. */
  get isFollowing(): boolean {
    const { leader, behindMs } = this.status
    return !this.isLeader && leader !== undefined && leader.node !== this.self && behindMs <= SILENT_MS
  }

  get status(): NodeStatus {
    return this.node.status()
  }

  /** Undefined: no shard has the slot. */
  shardOf(slot: number): number | undefined {
    const shard = this.owners[slot]!
    return shard === NOBODY ? undefined : shard
  }

  /** Slots that the map has for a shard. */
  mapped(shard: number): readonly SlotRange[] {
    return this.stored.shards.find(each => each.shard === shard)?.slots ?? []
  }

  /** Goes up whenever other slots are served here than before. */
  get slotsVersion(): number {
    return this.slots?.version ?? 0
  }

  /** Some slots are on their way from here to another shard. */
  get holdsSlots(): boolean {
    return this.slots?.holds === true
  }

  /** By its own log the shard has the slot, be it that it is on its way. */
  hasSlot(slot: number): boolean {
    return this.slots?.standingOf(slot) !== 'elsewhere'
  }

  /** A request for the slot, or for all that there are (undefined), has to wait: it is on its way to another shard. */
  isHeld(slot: number | undefined): boolean {
    return this.isLeader && (slot === undefined ? this.holdsSlots : this.slots?.standingOf(slot) === 'held')
  }

  /** Slots that some shard has. */
  get assigned(): number {
    let count = 0
    for (const owner of this.owners) if (owner !== NOBODY) count++
    return count
  }

  /** Where a node of a shard is reached, its leader if one is known; undefined: there is none. */
  addressOf(shard: number): string | undefined {
    const { nodes } = this.map
    if (shard === this.shard) return this.leaderAddress
    const leader = this.map.shards.find(each => each.shard === shard)?.leader
    const found = nodes.find(each => each.shard === shard && each.node === leader)
    return (found ?? nodes.find(each => each.shard === shard))?.address
  }

  /** Where the leader of this node's shard is reached; undefined: it may be gone. */
  get leaderAddress(): string | undefined {
    const { isLeader, isFollowing, status } = this
    return isLeader || isFollowing ? status.leader?.address : undefined
  }

  /** Resolves when the map or who leads has changed, or after some milliseconds. */
  change(ms: number): Promise<void> {
    return new Promise(resolve => {
      const done = (): void => {
        clearTimeout(timer)
        stop()
        resolve()
      }
      const timer = setTimeout(done, ms)
      const stop = this.onChange(done)
    })
  }

  /** The shards that have slots, in the order of these. */
  get shards(): ShardView[] {
    return this.map.shards
      .map(each => this.view(each.shard))
      .filter(({ slots }) => slots.length > 0)
      .sort((a, b) => a.slots[0]![0] - b.slots[0]![0])
  }

  private view(shard: number): ShardView {
    const found = this.map.shards.find(each => each.shard === shard)
    const isOwn = shard === this.shard
    const leading = isOwn ? this.status.leader?.node : found?.leader
    const nodes = this.map.nodes
      .filter(each => each.shard === shard)
      .map(each => this.nodeView(each, each.node === leading))
      .sort((a, b) => Number(b.isLeader) - Number(a.isLeader) || a.node - b.node)
    const slots = (found?.slots ?? []).map(({ from, to }) => [from, to] as const)
    return { shard, slots, nodes, leader: nodes.find(({ isLeader }) => isLeader) }
  }

  /** The shard of this node, whether it has slots or not. */
  get own(): ShardView {
    return this.view(this.shard)
  }

  /** All nodes, those of shards without slots too. */
  get nodes(): NodeView[] {
    const shards = [...new Set(this.map.nodes.map(({ shard }) => shard))]
    return shards.flatMap(shard => [...this.view(shard).nodes])
  }

  private nodeView({ node, address }: MapNode, isLeader: boolean): NodeView {
    const isSelf = node === this.self
    const sequence = isSelf ? this.status.sequence : 0
    return { id: this.idOf(node), node, ...placeOf(address), isSelf, isLeader, sequence }
  }

  idOf(node: number): string {
    return createHash('sha1').update(`${this.name}/${node}`).digest('hex')
  }

  get id(): string {
    return this.idOf(this.self)
  }

  /** What the other nodes of the shard say of themselves. */
  others(ms: number): Promise<PeerReport[]> {
    return this.peers.ask(ms)
  }
}

/** `host:port`; an address of IPv6 stands in brackets. */
export const placeOf = (address: string): { host: string; port: number } => {
  const at = address.lastIndexOf(':')
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) }
}

const withLeader = (map: ShardMap, shard: number, leader: number): ShardMap =>
  map.shards.some(each => each.shard === shard && each.leader === leader)
    ? map
    : { ...map, shards: map.shards.map(each => (each.shard === shard ? { ...each, leader } : each)) }
