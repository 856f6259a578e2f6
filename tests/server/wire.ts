/** A server in this process, and clients that speak to it in raw bytes. */
import { connect, type Socket } from 'node:net'
import { memoryStorage, type OpenOptions, open } from '../../src/index.ts'
import { createServer, type Server, type ServerOptions } from '../../src/server/index.ts'
import { hashIn, keysApart } from '../hash/keys.ts'
import { pause } from '../support/child.ts'
import { expectVerified } from '../support/database.ts'
import { readImage } from '../support/image.ts'

/** How long an answer may take: other tests, and other programs, want the processors too. */
const PATIENCE_MS = 60_000

export interface Running {
  readonly server: Server
  readonly port: number
  client(): Promise<Wire>
  /** So many keys in different blocks. */
  keysApart(count: number): string[]
}

/** Runs `body` with a server over a database in memory, which must verify at the end. */
export async function withServer(
  options: ServerOptions,
  body: (running: Running) => Promise<void>,
  databaseOptions: OpenOptions<Uint8Array> = {},
): Promise<void> {
  const storage = databaseOptions.storage ?? memoryStorage()
  const db = open<Uint8Array, string>('db', {
    keyEncoding: 'binary',
    valueEncoding: 'binary',
    ...databaseOptions,
    storage,
  })
  const server = createServer(db, { port: 0, ...options })
  const clients: Wire[] = []
  try {
    const address = await server.listen()
    const port = 'port' in address ? address.port : 0
    await body({
      server,
      port,
      keysApart: count => keysApart(hashIn(readImage('db', storage)), count),
      async client() {
        const client = await Wire.open(port)
        clients.push(client)
        return client
      },
    })
    for (const client of clients) client.close()
    while (server.sessions.size > 0) await pause(1)
    await expectVerified(db)
  } finally {
    for (const client of clients) client.close()
    await server.close()
    db.close()
  }
}

/** What has been received, as text of one character per byte. */
export class Wire {
  received = ''
  closed = false
  readonly socket: Socket
  private waiting: (() => void)[] = []

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.received += text
      this.wake()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
      this.wake()
    })
  }

  static open(port: number): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new Wire(socket)))
      socket.once('error', reject)
    })
  }

  write(text: string | Uint8Array): void {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text)
  }

  /** Sends inline commands or raw bytes and waits until exactly this has come back, or something like it. */
  async expect(sent: string, reply: string | RegExp, milliseconds: number = PATIENCE_MS): Promise<void> {
    this.write(sent)
    const isLike = typeof reply !== 'string'
    await this.until(text => (isLike ? reply.test(text) : text.length >= reply.length), milliseconds)
    if (!isLike && this.received !== reply)
      throw new Error(
        `sent ${JSON.stringify(sent)}\nexpected ${JSON.stringify(reply)}\nreceived ${JSON.stringify(this.received)}`,
      )
    this.received = ''
  }

  async until(done: (text: string) => boolean, milliseconds: number = PATIENCE_MS): Promise<string> {
    const deadline = Date.now() + milliseconds
    while (!done(this.received)) {
      if (this.closed) throw new Error(`closed after ${JSON.stringify(this.received.slice(0, 500))}`)
      if (Date.now() > deadline) throw new Error(`nothing more after ${JSON.stringify(this.received.slice(0, 500))}`)
      await this.change(deadline)
    }
    return this.received
  }

  async untilClosed(milliseconds: number = PATIENCE_MS): Promise<string> {
    const deadline = Date.now() + milliseconds
    while (!this.closed) {
      if (Date.now() > deadline) throw new Error('still open')
      await this.change(deadline)
    }
    return this.received
  }

  close(): void {
    this.socket.destroy()
  }

  private change(deadline: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, Math.max(1, deadline - Date.now()))
      this.waiting.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  private wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve()
  }
}

/** A request as an array of bulk strings, one character per byte. */
export function request(...words: (string | number)[]): string {
  return `*${words.length}\r\n${words.map(word => `$${String(word).length}\r\n${word}\r\n`).join('')}`
}

export function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`
}
