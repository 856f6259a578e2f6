/** The push that tells a client which keys of its cache have changed. */
import type { Push } from './message.ts'

const PUSH = Buffer.from('>2\r\n$10\r\ninvalidate\r\n')
const MESSAGE = Buffer.from('*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n')

export class Invalidation implements Push {
  private readonly body: Buffer

  /** Keys as one character per byte; undefined: all. `resp3`: in which protocol "all" is told. */
  constructor(keys: readonly string[] | undefined, resp3: boolean) {
    const text =
      keys === undefined
        ? resp3
          ? '_\r\n'
          : '$-1\r\n'
        : `*${keys.length}\r\n${keys.map(key => `$${key.length}\r\n${key}\r\n`).join('')}`
    this.body = Buffer.from(text, 'latin1')
  }

  /** A push, or in RESP2 a message in a channel of its own. */
  bytes(resp3: boolean): Buffer {
    return Buffer.concat([resp3 ? PUSH : MESSAGE, this.body])
  }
}

/** Where it was to be redirected to is gone. */
export class RedirectionBroken implements Push {
  private readonly id: number

  constructor(id: number) {
    this.id = id
  }

  bytes(): Buffer {
    return Buffer.from(`>2\r\n$21\r\ntracking-redir-broken\r\n:${this.id}\r\n`)
  }
}
