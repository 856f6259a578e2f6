/** A client that counts replies: raw bytes over one connection, for what redis-benchmark cannot do. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

const CR = 13
const DOLLAR = 36
const ASTERISK = 42
const MINUS = 45

/** A request as an array of bulk strings. */
export function request(words: readonly string[]): Buffer {
  return Buffer.from(`*${words.length}\r\n${words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`)
}

export class Client {
  /** Replies that have come, pushes of pub/sub included. */
  replies = 0
  /** The first one that was an error. */
  error: string | undefined
  private readonly socket: Socket
  private rest: Buffer = Buffer.alloc(0)
  private awaited = 0
  private wake: () => void = () => {}
  private fail: (error: Error) => void = () => {}

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', chunk => this.receive(chunk))
    socket.on('close', () => this.fail(new Error('bench: the server has closed a connection')))
  }

  static async open(port: number): Promise<Client> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    return new Client(socket)
  }

  close(): void {
    this.socket.destroy()
  }

  /** Sends a request and waits for the reply to it; throws if that is an error. */
  async ask(bytes: Buffer): Promise<void> {
    this.socket.write(bytes)
    await this.until(this.replies + 1)
    if (this.error !== undefined) throw new Error(`bench: ${this.error}`)
  }

  /** Waits for so many replies in all. */
  until(replies: number): Promise<void> {
    if (this.replies >= replies) return Promise.resolve()
    this.awaited = replies
    return new Promise((resolve, reject) => {
      this.wake = resolve
      this.fail = reject
    })
  }

  private receive(chunk: Buffer): void {
    const input = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
    let at = 0
    for (let end = endOf(input, at); end >= 0; end = endOf(input, at)) {
      if (input[at] === MINUS) this.error ??= input.toString('latin1', at + 1, end - 2)
      this.replies++
      at = end
    }
    this.rest = input.subarray(at)
    if (this.replies >= this.awaited) this.wake()
  }
}

/** Where the reply that begins at `from` ends; -1 if it has not arrived whole. */
function endOf(input: Buffer, from: number): number {
  const line = input.indexOf(CR, from)
  if (line < 0 || line + 1 >= input.length) return -1
  const mark = input[from]
  if (mark !== DOLLAR && mark !== ASTERISK) return line + 2
  const length = Number(input.toString('latin1', from + 1, line))
  if (mark === DOLLAR) {
    const end = length < 0 ? line + 2 : line + 4 + length
    return end <= input.length ? end : -1
  }
  let end = line + 2
  for (let i = 0; i < length && end >= 0; i++) end = endOf(input, end)
  return end
}
