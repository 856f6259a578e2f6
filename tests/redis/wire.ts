/** Replies as they are on the wire, with their type, so that two servers can be compared byte for byte. */
import { connect, type Socket } from 'node:net'

export interface Wire {
  /** The byte that it begins with; `$` and `*` with a length of -1 are `$-1` and `*-1`. */
  kind: string
  /** Text of a line or bytes (latin1). */
  text?: string
  items?: Wire[]
}

export type Command = readonly (string | Buffer)[]

export class WireConnection {
  private readonly socket: Socket
  private buffer: Buffer = Buffer.alloc(0)
  private waiting:
    | { left: number; replies: Wire[]; resolve: (replies: Wire[]) => void; reject: (error: Error) => void }
    | undefined
  private failure: Error | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', chunk => {
      this.buffer = this.buffer.length === 0 ? chunk : Buffer.concat([this.buffer, chunk])
      this.take()
    })
    const fail = (error: Error): void => {
      this.failure ??= error
      this.waiting?.reject(this.failure)
      this.waiting = undefined
    }
    socket.on('error', fail)
    socket.on('close', () => fail(new Error('the server has closed the connection')))
  }

  static open(port: number): Promise<WireConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1' })
      socket.once('error', reject)
      socket.once('connect', () => resolve(new WireConnection(socket)))
    })
  }

  /** Takes nothing more. */
  pause(): void {
    this.socket.pause()
  }

  /** The next reply, which nobody has asked for here. */
  async read(timeout: number = 20_000): Promise<Wire> {
    const [wire] = await this.send([], timeout, 1)
    return wire!
  }

  /** Sends the commands in one write; resolves to their replies (pushes left out). */
  send(commands: readonly Command[], timeout: number = 20_000, count: number = commands.length): Promise<Wire[]> {
    return new Promise((resolve, reject) => {
      if (this.failure !== undefined) return reject(this.failure)
      const timer = setTimeout(() => {
        this.waiting = undefined
        reject(new Error(`no reply to ${show(commands[0] ?? [])} … ${show(commands.at(-1) ?? [])} in ${timeout} ms`))
      }, timeout)
      const clear =
        <T>(settle: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer)
          settle(value)
        }
      this.waiting = { left: count, replies: [], resolve: clear(resolve), reject: clear(reject) }
      if (commands.length > 0) this.socket.write(Buffer.concat(commands.map(encode)))
      else this.take()
    })
  }

  close(): void {
    this.socket.destroy()
  }

  private take(): void {
    let at = 0
    while (this.waiting !== undefined) {
      let parsed: [Wire, number] | undefined
      try {
        parsed = parse(this.buffer, at)
      } catch (error) {
        this.waiting.reject(error as Error)
        this.waiting = undefined
        return
      }
      if (parsed === undefined) break
      at = parsed[1]
      if (parsed[0].kind === '>') continue
      this.waiting.replies.push(parsed[0])
      if (--this.waiting.left > 0) continue
      const { resolve, replies } = this.waiting
      this.waiting = undefined
      resolve(replies)
    }
    this.buffer = this.buffer.subarray(at)
  }
}

export function encode(command: Command): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${command.length}\r\n`)]
  for (const arg of command) {
    const bytes = typeof arg === 'string' ? Buffer.from(arg) : arg
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'))
  }
  return Buffer.concat(parts)
}

/** The reply at `at` and where it ends; undefined if it is not all there. */
function parse(buffer: Buffer, at: number): [Wire, number] | undefined {
  const end = buffer.indexOf('\r\n', at)
  if (end < 0) return undefined
  const kind = buffer.toString('latin1', at, at + 1)
  const line = buffer.toString('latin1', at + 1, end)
  const next = end + 2
  if ('+-:,#(_'.includes(kind)) return [{ kind, text: line }, next]
  const length = Number(line)
  if (!Number.isInteger(length)) throw new Error(`not RESP: ${JSON.stringify(`${kind}${line}`)}`)
  if (length < 0) return [{ kind: `${kind}-1` }, next]
  if ('$=!'.includes(kind)) {
    if (buffer.length < next + length + 2) return undefined
    return [{ kind, text: buffer.toString('latin1', next, next + length) }, next + length + 2]
  }
  if (!'*~%>'.includes(kind)) throw new Error(`not RESP: ${JSON.stringify(`${kind}${line}`)}`)
  const items: Wire[] = []
  let from = next
  for (let i = 0; i < (kind === '%' ? length * 2 : length); i++) {
    const item = parse(buffer, from)
    if (item === undefined) return undefined
    items.push(item[0])
    from = item[1]
  }
  return [{ kind, items }, from]
}

/** On one line, as people write it. */
export function showWire(wire: Wire): string {
  if (wire.items !== undefined) return `${wire.kind}[${wire.items.map(showWire).join(' ')}]`
  if (wire.kind === '$') return JSON.stringify(wire.text)
  return `${wire.kind}${wire.text ?? ''}`
}

export function show(command: Command): string {
  return command
    .map(arg => (typeof arg === 'string' ? arg : arg.toString('latin1')))
    .map(text => (/^[\w:.-]+$/.test(text) ? text : JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)))
    .join(' ')
}
