/**
 * Sends commands to whoever has their slot, and again to another one if that has moved or has no leader for the moment.
 * What may have been executed is not sent again, unless it only reads: nobody knows its outcome.
 */
import type { Sender } from '../../client/connections.ts'
import type { Argument } from '../../client/encoder.ts'
import { ConnectionError, ServerError, TimeoutError } from '../../client/errors.ts'
import type { Link } from '../../client/link.ts'
import type { LockWait } from '../../client/link-options.ts'
import type { Reply } from '../../client/reader.ts'
import { performance, setTimeout } from '../../runtime/timers.ts'
import type { Topology } from './topology.ts'

/** How new what is read must be. */
export type Reads =
  /** All that was written before, by whomever: the leader answers. */
  | 'leader'
  /** What a node that follows has, not older than that. */
  | { readonly maxLag: number }
  /** What a node that follows has, with all that this client has written. */
  | 'own-writes'

export interface RouterOptions {
  readonly reads: Reads
  /** Milliseconds for which commands are sent again while a slot has no leader. */
  readonly patience: number
}

const LONGEST_PAUSE_MS = 400

/** What a server says that has done nothing. */
const LATER: ReadonlySet<string> = new Set(['CLUSTERDOWN', 'TRYAGAIN', 'LOADING', 'MASTERDOWN', 'READONLY'])

export class Router {
  readonly topology: Topology
  readonly options: RouterOptions
  /** With 'own-writes': the token of the last write in each slot; '': there was one whose token nobody knows. */
  private readonly tokens: Map<number, string> = new Map()
  private turn = 0

  constructor(topology: Topology, options: RouterOptions) {
    this.topology = topology
    this.options = options
  }

  /** For what lies in a slot. */
  senderOf(slot: number): Sender {
    return new SlotSender(this, slot)
  }

  /** What may write. */
  async write(slot: number, commands: readonly (readonly Argument[])[], wait?: LockWait): Promise<Reply[]> {
    if (this.options.reads !== 'own-writes') return this.toLeader(slot, commands, false, wait)
    this.hasWritten(slot)
    const replies = await this.toLeader(slot, [...commands, ['XTOKEN']], false, wait)
    const token = replies.pop()
    if (token !== undefined && !(token instanceof ServerError)) this.tokens.set(slot, String(token))
    return replies
  }

  /** Something was written whose token nobody knows: the leader alone is sure to have it. */
  hasWritten(slot: number): void {
    this.tokens.set(slot, '')
  }

  /** A read at the level of the options. */
  async read(slot: number, command: readonly Argument[]): Promise<Reply> {
    const { reads } = this.options
    const token = this.tokens.get(slot)
    const followers = reads === 'leader' || token === '' ? [] : this.topology.followersOf(slot)
    if (followers.length > 0) {
      const address = followers[this.turn++ % followers.length]!
      const before: Argument[][] = token === undefined ? [] : [['XWAIT', token, FOLLOWER_MS]]
      try {
        const replies = await this.topology.readerOf(address).send([...before, command], false)
        if (!replies.some(each => each instanceof ServerError && isElsewhere(each))) return replies[before.length]!
      } catch (error) {
        if (!isLost(error)) throw error
      }
      // The leader knows.
    }
    const [reply] = await this.toLeader(slot, [command], true)
    return reply!
  }

  async toLeader(
    slot: number,
    commands: readonly (readonly Argument[])[],
    repeatable: boolean,
    wait?: LockWait,
  ): Promise<Reply[]> {
    const { topology, options } = this
    const until = performance.now() + options.patience
    for (let attempt = 0; ; attempt++) {
      let problem: unknown
      const address = topology.leaderOf(slot)
      try {
        if (address === undefined) throw new ConnectionError(`no node is known to have slot ${slot}`, false)
        const replies = await topology.linkTo(address).send(commands, false, wait)
        const refusal = replies.find(each => each instanceof ServerError && isElsewhere(each)) as
          | ServerError
          | undefined
        if (refusal === undefined) return replies
        problem = refusal
        const moved = /^MOVED (\d+) (\S+)$/.exec(refusal.message)
        if (moved !== null) {
          topology.moved(Number(moved[1]), moved[2]!)
          if (moved[2] !== address && attempt === 0) continue
        }
      } catch (error) {
        if (!isLost(error) || ((error as ConnectionError).sent && !repeatable)) throw error
        problem = error
      }
      if (performance.now() >= until || topology.closed) throw problem
      await pause(Math.min(LONGEST_PAUSE_MS, 25 * 2 ** attempt))
      await topology.refresh().catch(() => {})
    }
  }
}

/** Milliseconds that a node that follows has to get what this client has written. */
const FOLLOWER_MS = 1000

/** A server that has done nothing of it says who has the slot, or that nobody has at the moment. */
const isElsewhere = ({ prefix }: ServerError): boolean =>
  prefix === 'MOVED' || prefix === 'LAGGING' || LATER.has(prefix)

const isLost = (error: unknown): boolean => error instanceof ConnectionError || error instanceof TimeoutError

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** What a store of one slot sends over. */
class SlotSender implements Sender {
  private readonly router: Router
  private readonly slot: number

  constructor(router: Router, slot: number) {
    this.router = router
    this.slot = slot
  }

  get connected(): boolean {
    return this.router.topology.leaderOf(this.slot) !== undefined
  }

  get place(): string {
    return this.router.topology.leaderOf(this.slot) ?? `slot ${this.slot}`
  }

  async open(): Promise<void> {}

  async send(commands: readonly (readonly Argument[])[], repeatable: boolean, wait?: LockWait): Promise<Reply[]> {
    const { router, slot } = this
    if (repeatable && commands.length === 1) return [await router.read(slot, commands[0]!)]
    return await (repeatable ? router.toLeader(slot, commands, true, wait) : router.write(slot, commands, wait))
  }

  requireOnline(): void {}

  async close(): Promise<void> {}

  destroy(): void {}
}

/** Connections to the leader of a slot, each for one user at a time. */
export class LeaderPool {
  private readonly router: Router
  private readonly slot: number
  private readonly from: WeakMap<Link, string> = new WeakMap()

  constructor(router: Router, slot: number) {
    this.router = router
    this.slot = slot
  }

  async acquire(signal?: AbortSignal): Promise<Link> {
    const { topology } = this.router
    if (topology.leaderOf(this.slot) === undefined) await topology.refresh()
    const address = topology.leaderOf(this.slot)
    if (address === undefined) throw new ConnectionError(`no node is known to have slot ${this.slot}`, false)
    const link = await topology.poolOf(address).acquire(signal)
    this.from.set(link, address)
    return link
  }

  release(link: Link, reusable: boolean): void {
    this.router.hasWritten(this.slot)
    const address = this.from.get(link)
    if (address === undefined) link.destroy()
    else this.router.topology.poolOf(address).release(link, reusable)
  }

  retire(): Iterable<Link> {
    return []
  }

  async close(): Promise<void> {}
}
