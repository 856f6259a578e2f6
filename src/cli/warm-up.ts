/**
 * What a new server runs before its first clients are at work: ordinary requests to another server in the same process,
 * over a database in memory. JavaScript runs slowly until the engine has compiled what is used much, which takes some
 * 10,000 requests; so the first client need not wait for that.
 */
import { createConnection, type Socket } from 'node:net'
import { memoryStorage, open } from '../index.ts'
import { createServer } from '../server/index.ts'

/** It ends after so many rounds, or so much time. */
const ROUNDS = 300
const MOST_MS = 1000
/** Connections, each of which sends so many requests of a kind at a time. */
const CONNECTIONS = 4
const REQUESTS = 8
/** Of the keys of a round, so many are removed. */
const REMOVED = 2
const VALUE = 'v'.repeat(100)
const OK = '+OK\r\n'
/** Bytes for the blocks of the database. */
const CACHE_BYTES = 8388608

/** Runs requests until `isIdle` says that there is something else to do, or enough has been run. Never fails. */
export async function warmUp(isIdle: () => boolean): Promise<void> {
  const db = open<Uint8Array>('warm-up', {
    storage: memoryStorage(),
    keyEncoding: 'binary',
    valueEncoding: 'binary',
    cacheBytes: CACHE_BYTES,
  })
  const server = createServer(db, { port: 0, logLevel: 'silent' })
  const clients: WarmUpClient[] = []
  try {
    const address = await server.listen()
    const port = 'port' in address ? address.port : 0
    while (clients.length < CONNECTIONS) clients.push(await WarmUpClient.connect(port))
    const until = performance.now() + MOST_MS
    for (let round = 0; round < ROUNDS && performance.now() < until && isIdle(); round++)
      await Promise.all(clients.map((client, i) => client.run(round * CONNECTIONS + i)))
  } catch {
    // It is of no use where nobody may listen, say; the server goes on without it.
  } finally {
    for (const client of clients) client.close()
    await server.close()
    db.close()
  }
}

class WarmUpClient {
  private readonly socket: Socket
  /** Bytes of replies that are still to come. */
  private missing = 0
  private done: () => void = () => {}
  private fail: (error: Error) => void = () => {}

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('error', error => this.fail(error))
    socket.on('close', () => this.fail(new Error('closed')))
    socket.on('data', chunk => {
      this.missing -= chunk.length
      if (this.missing <= 0) this.done()
    })
  }

  static connect(port: number): Promise<WarmUpClient> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(port, '127.0.0.1', () => {
        socket.off('error', reject)
        resolve(new WarmUpClient(socket))
      }).once('error', reject)
    })
  }

  close(): void {
    this.socket.destroy()
  }

  /** Puts new records, reads them, and puts many and removes some at once. */
  async run(round: number): Promise<void> {
    const keys = Array.from({ length: REQUESTS }, (_, i) => keyOf(round * REQUESTS + i))
    await this.ask(
      keys.map(key => request('SET', key, VALUE)),
      OK.repeat(REQUESTS),
    )
    await this.ask(
      keys.map(key => request('GET', key)),
      `$${VALUE.length}\r\n${VALUE}\r\n`.repeat(REQUESTS),
    )
    await this.ask(
      [request('MSET', ...keys.flatMap(key => [key, VALUE])), request('DEL', ...keys.slice(0, REMOVED))],
      `${OK}:${REMOVED}\r\n`,
    )
  }

  private ask(requests: readonly string[], replies: string): Promise<void> {
    return new Promise((resolve, reject) => {
      // Nobody would hear of it: it was closed between two requests, by whoever else has found the port.
      if (this.socket.destroyed) throw new Error('closed')
      this.missing = replies.length
      this.done = resolve
      this.fail = reject
      this.socket.write(requests.join(''))
    })
  }
}

const request = (...words: readonly string[]): string =>
  `*${words.length}\r\n${words.map(word => `$${word.length}\r\n${word}\r\n`).join('')}`

/** Neighbours in time lie far from each other in the order of keys. */
const keyOf = (index: number): string => `key:${(Math.imul(index, 2654435761) >>> 0).toString().padStart(12, '0')}`
