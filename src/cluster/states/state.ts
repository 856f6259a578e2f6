/** The states of a node: what all of them have, and what they are given. */
import type { Appender } from '../appender.ts'
import type { Applier } from '../applier.ts'
import type { Commands } from '../commands.ts'
import type { GroupTime } from '../group-time.ts'
import type { Lease } from '../lease.ts'
import type { NodeStateName, Peers } from '../peers.ts'
import type { Replica } from '../replica.ts'
import type { Suspicion } from '../suspicion.ts'

export interface Context extends Replica {
  readonly peers: Peers
  readonly time: GroupTime
  readonly lease: Lease
  readonly appender: Appender
  readonly applier: Applier
  readonly suspicion: Suspicion
  readonly commands: Commands
}

/** How long other nodes have to answer. */
const PEERS_MS = 150

/** A state that a node is in; one object for each stay. */
export abstract class State {
  abstract readonly name: NodeStateName
  /** Until it is left: what was begun before must do nothing any more. */
  isActive = true
  protected readonly node: Context
  readonly reason: string
  readonly #timers = new Set<() => void>()

  constructor(node: Context, reason: string) {
    this.node = node
    this.reason = reason
  }

  /** Once, when the node has entered it. */
  abstract begin(): void

  /** There are commands to execute, or somebody waits for a lease. */
  wake(): void {}

  leave(): void {
    this.isActive = false
    for (const cancel of this.#timers) cancel()
    this.end()
  }

  protected end(): void {}

  /** After it was left: when what it had begun has ended too. */
  finished(): Promise<void> {
    return Promise.resolve()
  }

  /** A timer that ends with the state. */
  protected after(ms: number, work: () => void): () => void {
    const cancel = this.node.clock.after(ms, () => {
      this.#timers.delete(cancel)
      if (this.isActive) work()
    })
    this.#timers.add(cancel)
    return () => {
      cancel()
      this.#timers.delete(cancel)
    }
  }

  /**
   * Why this node must not append behind its mark, as far as others say: a node with more than the log has would be left
   * behind. Asked by whoever has no lease.
   */
  protected async peersAhead(): Promise<string | undefined> {
    const { mark, peers } = this.node
    for (const peer of await peers.ask(PEERS_MS)) {
      if (peer.sequence > mark.sequence)
        return `node ${peer.node} has message ${peer.sequence}, this one ${mark.sequence}`
      if (peer.leaseLeft > 0) return `node ${peer.node} leads still`
    }
    return undefined
  }

  /** Milliseconds go by; false if the state was left meanwhile. */
  protected async pause(ms: number): Promise<boolean> {
    await new Promise<void>(resolve => void this.node.clock.after(ms, resolve))
    return this.isActive
  }
}
