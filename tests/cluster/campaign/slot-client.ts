/**
 * A client of a cluster of several shards that sends each command once: it follows MOVED, asks another node if nothing was
 * done, and never sends again what may have been done. So a history of what it was told has each write once.
 */

import { type Command, type Wire, WireConnection } from '../../redis/wire.ts'
import { pause } from '../../support/child.ts'
import type { RegisterClient } from '../move-load.ts'

/** A node that stands still gives no answer. */
const ANSWER_MS = 2_500
/** Of one command: redirections, nodes that are not there, answers that nothing was done. */
const ATTEMPTS = 20

export class SlotClient implements RegisterClient {
  readonly #ports: readonly number[]
  readonly #connections = new Map<number, WireConnection>()
  #at = 0

  /** With one port it goes nowhere else: what a node answers that leads no more is stale. */
  constructor(ports: readonly number[]) {
    this.#ports = ports
  }

  async set(key: string, value: string): Promise<unknown> {
    return await this.ask('SET', key, value)
  }

  async get(key: string): Promise<string | null> {
    return (await this.ask('GET', key)).text ?? null
  }

  /** @throws Error if it was refused, or nobody knows whether it was done */
  async ask(...command: Command): Promise<Wire> {
    for (let attempt = 1; ; attempt++) {
      const port = this.#ports[this.#at]!
      const connection = await this.#connected(port)
      if (connection === undefined) {
        await this.#next(attempt, `nobody listens at ${port}`)
        continue
      }
      const [reply] = await this.#send(connection, port, command)
      if (reply!.kind !== '-') return reply!
      const text = reply!.text!
      const [, moved] = /^MOVED \d+ .*:(\d+)$/.exec(text) ?? []
      if (moved === undefined && !text.startsWith('CLUSTERDOWN')) throw new Error(text)
      await this.#next(attempt, text, moved === undefined ? undefined : this.#ports.indexOf(Number(moved)))
    }
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close()
    this.#connections.clear()
  }

  async #next(attempt: number, why: string, at = (this.#at + 1) % this.#ports.length): Promise<void> {
    if (attempt === ATTEMPTS || at < 0 || this.#ports.length === 1) throw new Error(why)
    this.#at = at
    await pause(20)
  }

  async #send(connection: WireConnection, port: number, command: Command): Promise<Wire[]> {
    try {
      return await connection.send([command], ANSWER_MS)
    } catch (error) {
      connection.close()
      this.#connections.delete(port)
      this.#at = (this.#at + 1) % this.#ports.length
      throw error
    }
  }

  async #connected(port: number): Promise<WireConnection | undefined> {
    const known = this.#connections.get(port)
    if (known !== undefined) return known
    try {
      const connection = await WireConnection.open(port)
      this.#connections.set(port, connection)
      return connection
    } catch {
      return undefined
    }
  }
}
