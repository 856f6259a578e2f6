/** A connection to NATS that is kept for good, and tells when it is there and when it is not. */
import type { NatsConnection } from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import { reasonOf, XenonError } from '../../errors.ts'
import type { NatsCredentials, NatsOptions } from '../services.ts'
import { connectionOptions } from './credentials.ts'

/** Milliseconds in which whoever may answer a question answers it, else nobody does. */
export const ANSWER_MS = 2_000

export class NatsLink {
  readonly connection: NatsConnection
  isConnected = true
  readonly #listeners = new Set<(isConnected: boolean) => void>()

  private constructor(connection: NatsConnection) {
    this.connection = connection
    void this.#watch()
  }

  /**
   * @throws InvalidArgumentError if an option is wrong
   * @throws XenonError `XENON_CONNECTION` if no server answers now, or none takes the credentials
   */
  static async open(options: NatsOptions, who: NatsCredentials = options): Promise<NatsLink> {
    const given = connectionOptions(options, who)
    try {
      return new NatsLink(await connect(given))
    } catch (cause) {
      throw new XenonError(
        'XENON_CONNECTION',
        `no connection to NATS at ${options.servers.join(', ')}: ${reasonOf(cause)}`,
        { cause },
      )
    }
  }

  async #watch(): Promise<void> {
    for await (const { type } of this.connection.status()) {
      if (type === 'disconnect') this.#set(false)
      else if (type === 'reconnect') this.#set(true)
    }
    this.#set(false)
  }

  #set(isConnected: boolean): void {
    if (this.isConnected === isConnected) return
    this.isConnected = isConnected
    for (const listener of [...this.#listeners]) listener(isConnected)
  }

  /** Calls `listener` at each change of `isConnected`; the result stops that. */
  onConnection(listener: (isConnected: boolean) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /**
   * Runs what asks NATS. What NATS does not answer as it should becomes a XenonError `XENON_CONNECTION` that says `what`
   * was asked for; so does, at once, that the connection is not there, or goes in the meantime: what was sent may have
   * arrived all the same.
   */
  async ask<T>(what: string, question: () => Promise<T>): Promise<T> {
    if (!this.isConnected) throw notConnected(what)
    let stop = (): void => {}
    const lost = new Promise<never>((_, reject) => {
      stop = this.onConnection(() => reject(notConnected(what)))
    })
    try {
      const answer = question()
      answer.catch(() => {})
      return await Promise.race([answer, lost])
    } catch (cause) {
      if (XenonError.is(cause)) throw cause
      throw new XenonError('XENON_CONNECTION', `${what}: NATS does not answer as it should: ${reasonOf(cause)}`, {
        cause,
      })
    } finally {
      stop()
    }
  }

  async close(): Promise<void> {
    await this.connection.close()
  }
}

const notConnected = (what: string): XenonError =>
  new XenonError('XENON_CONNECTION', `${what}: the connection to NATS is lost`)

/** The library hands out Node's `Buffer`, whose `slice` shares its bytes. */
export const plain = ({ buffer, byteOffset, length }: Uint8Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, length)
