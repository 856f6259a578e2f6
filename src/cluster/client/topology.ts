/**
 * The nodes of a cluster as a client knows them: who leads the shard of each slot, who follows, and a connection to each
 * that is asked. It is learned from any node (CLUSTER SLOTS) and mended by each MOVED.
 */
import type { Argument } from '../../client/encoder.ts'
import { ConnectionError, closedError, ServerError } from '../../client/errors.ts'
import { Link } from '../../client/link.ts'
import type { LinkOptions } from '../../client/link-options.ts'
import { Pool } from '../../client/pool.ts'
import type { Reply } from '../../client/reader.ts'
import { bytesOf, listOf, numberOf } from '../../client/values.ts'
import { SLOTS } from '../shard-map.ts'

export interface Shard {
  leader: string
  followers: readonly string[]
}

/** A greeting of connections that read nodes that follow. */
export type Greeting = readonly (readonly Argument[])[]

export class Topology {
  /** Addresses that were given, to begin with. */
  private readonly seeds: readonly string[]
  private readonly options: Omit<LinkOptions, 'host' | 'port'>
  private readonly greeting: Greeting
  private readonly owners: (Shard | undefined)[] = new Array(SLOTS).fill(undefined)
  shards: readonly Shard[] = []
  private readonly links: Map<string, Link> = new Map()
  private readonly readers: Map<string, Link> = new Map()
  private readonly pools: Map<string, Pool> = new Map()
  private readonly transactions: number
  private refreshing: Promise<void> | undefined
  closed = false

  constructor(
    seeds: readonly string[],
    options: Omit<LinkOptions, 'host' | 'port'>,
    greeting: Greeting,
    transactions: number,
  ) {
    this.seeds = seeds
    this.options = { ...options, reconnect: false, offlineQueue: true }
    this.greeting = greeting
    this.transactions = transactions
  }

  leaderOf(slot: number): string | undefined {
    return this.owners[slot]?.leader
  }

  followersOf(slot: number): readonly string[] {
    return this.owners[slot]?.followers ?? []
  }

  /** One of the slots of each shard. */
  slotOfEach(): number[] {
    const found = new Map<Shard, number>()
    for (const [slot, shard] of this.owners.entries())
      if (shard !== undefined && !found.has(shard)) found.set(shard, slot)
    return [...found.values()]
  }

  /** A node has said where a slot is: so lies all of that shard. */
  moved(slot: number, address: string): void {
    const known = this.shards.find(({ leader, followers }) => leader === address || followers.includes(address))
    if (known === undefined) {
      this.owners[slot] = { leader: address, followers: [] }
      return
    }
    if (known.leader !== address) {
      known.followers = [...known.followers.filter(each => each !== address), known.leader]
      known.leader = address
    }
    this.owners[slot] = known
  }

  /** A connection for commands of the leader of a shard. */
  linkTo(address: string): Link {
    return this.link(this.links, address, [])
  }

  /** A connection for reads of a node that follows. */
  readerOf(address: string): Link {
    return this.link(this.readers, address, this.greeting)
  }

  private link(links: Map<string, Link>, address: string, greeting: Greeting): Link {
    const known = links.get(address)
    if (known?.usable) return known
    if (this.closed) throw closedError()
    const link: Link = new Link({ ...this.options, ...placeOf(address), greeting }, undefined, () => {
      if (links.get(address) === link) links.delete(address)
    })
    links.set(address, link)
    // Whoever sends over it learns of it.
    link.open().catch(() => {})
    return link
  }

  /** Connections to a node that one user has at a time. */
  poolOf(address: string): Pool {
    const known = this.pools.get(address)
    if (known !== undefined) return known
    const pool = new Pool({ ...this.options, ...placeOf(address) }, this.transactions)
    this.pools.set(address, pool)
    return pool
  }

  /** Learns anew who leads. @throws ConnectionError if no node says */
  refresh(): Promise<void> {
    this.refreshing ??= this.learn().finally(() => {
      this.refreshing = undefined
    })
    return this.refreshing
  }

  private async learn(): Promise<void> {
    const known = this.shards.flatMap(({ leader, followers }) => [leader, ...followers])
    let problem: unknown
    for (const address of new Set([...known, ...this.seeds])) {
      if (this.closed) throw closedError()
      try {
        const [reply] = await this.linkTo(address).send([['CLUSTER', 'SLOTS']], false)
        if (reply instanceof ServerError) throw reply
        this.take(listOf(reply!), address)
        return
      } catch (error) {
        problem = error
      }
    }
    if (problem instanceof ServerError) throw problem
    throw new ConnectionError(`no node of the cluster answers: ${(problem as Error)?.message}`, false, problem)
  }

  private take(ranges: readonly Reply[], asked: string): void {
    const shards: Shard[] = []
    this.owners.fill(undefined)
    for (const range of ranges) {
      const [first, last, ...nodes] = listOf(range)
      const [leader, ...followers] = nodes.map(node => {
        const [host, port] = listOf(node)
        // An empty host is that of whoever has answered.
        const name = bytesOf(host!).toString() || placeOf(asked).host
        return addressOf(name, numberOf(port!))
      })
      if (leader === undefined) continue
      let shard = shards.find(each => each.leader === leader)
      if (shard === undefined) {
        shard = { leader, followers }
        shards.push(shard)
      }
      this.owners.fill(shard, numberOf(first!), numberOf(last!) + 1)
    }
    this.shards = shards
  }

  async close(): Promise<void> {
    this.closed = true
    const links = [...this.links.values(), ...this.readers.values()].map(link => link.close())
    await Promise.all([...links, ...[...this.pools.values()].map(pool => pool.close())])
  }

  destroy(error: Error): void {
    this.closed = true
    for (const link of [...this.links.values(), ...this.readers.values()]) link.destroy(error)
    for (const pool of this.pools.values()) for (const link of pool.retire()) link.destroy(error)
  }
}

export const placeOf = (address: string): { host: string; port: number } => {
  const at = address.lastIndexOf(':')
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) }
}

const addressOf = (host: string, port: number): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)
