/** A database over the network: what `Database` does, with promises. */

import { InvalidArgumentError } from '../errors.ts'
import { isBytes } from '../runtime/bytes.ts'
import { showAs } from '../runtime/inspecting.ts'
import { Connections } from './connections.ts'
import type { Argument } from './encoder.ts'
import type { ServerError } from './errors.ts'
import type { ResolvedConnectOptions } from './options.ts'
import type { Reply } from './reader.ts'
import { ClientStore } from './store.ts'
import { Values } from './values.ts'

/** A reply as `command` gives it: bytes as text. */
export type CommandReply =
  | null
  | boolean
  | number
  | bigint
  | string
  | ServerError
  | CommandReply[]
  | Map<CommandReply, CommandReply>

/** Commands that change nothing: sent again when the connection was lost before the answer. */
const READS: ReadonlySet<string> = new Set(
  'GET MGET EXISTS STRLEN GETRANGE TYPE TTL PTTL EXPIRETIME PEXPIRETIME KEYS SCAN RANGE RANDOMKEY DBSIZE PING ECHO TIME INFO'.split(
    ' ',
  ),
)

/** The root of a database behind a server, from `connect`. */
export class Client<V = string, K = string> extends ClientStore<V, K> {
  static {
    showAs('Client', Client, ({ connections, connected, closed }) => ({
      server: connections.link.place,
      ...(closed ? { closed } : { connected }),
    }))
  }

  /**
   * @internal Use `connect`.
   * @param onEnd Hears that the connection has ended for good.
   */
  constructor(options: ResolvedConnectOptions<V>, onEnd?: () => void) {
    const connections = new Connections(options.link, options.transactionConnections, onEnd)
    super(connections, new Values(options.valueEncoding, options.keys), [])
  }

  /** @internal */
  async open(): Promise<this> {
    await this.connections.link.open()
    return this
  }

  /**
   * Any command of the server: `command('SET', 'a', '1', 'NX')`. Rejects with the server's error.
   * @example const reply = await client.command('SET', 'a', '1', 'NX')
   */
  async command(...command: readonly Argument[]): Promise<CommandReply> {
    if (command.length === 0) throw new InvalidArgumentError('command() takes the name of a command')
    return decoded(await this.connections.ask(command, isRead(command)))
  }

  /**
   * The same with bytes as `Uint8Array`, apart from a status, which is a string; an error is a reply too.
   * @example const reply = await client.commandBytes('GET', 'a')
   */
  async commandBytes(...command: readonly Argument[]): Promise<Reply> {
    const [reply] = await this.connections.link.send([command], isRead(command))
    return reply!
  }

  /** @internal Its server is given up: all connections end soon, whatever is on its way. */
  abandon(): void {
    this.connections.abandon()
  }

  /** False while there is no connection. */
  get connected(): boolean {
    return this.connections.link.connected
  }

  /** Lets the commands on their way be answered and closes all connections; open transactions are rolled back. */
  async close(): Promise<void> {
    await this.connections.close()
  }
}

function isRead([name]: readonly Argument[]): boolean {
  return typeof name === 'string' && READS.has(name.toUpperCase())
}

function decoded(reply: Reply): CommandReply {
  if (isBytes(reply)) return (reply as Buffer).toString('utf8')
  if (Array.isArray(reply)) return reply.map(decoded)
  if (reply instanceof Map) return new Map([...reply].map(([key, value]) => [decoded(key), decoded(value)]))
  return reply
}
