/** What several connections to one server are sent, step by step, so that two servers can be compared byte for byte. */
import { connect, type Socket } from 'node:net'
import { pause } from '../support/child.ts'
import type { RunningServer } from './servers.ts'
import { encode } from './wire.ts'

/**
 * `'a> SUBSCRIBE x y'`: connection `a` sends this (words in double quotes may be empty or have spaces, `<b>` is the
 * number of connection b); `'wait 50'`: nothing for 50 ms.
 */
export type Step = string

/** Each step, and behind it what each connection has received by then. Of two servers, the same. */
export async function transcript(server: RunningServer, steps: readonly Step[]): Promise<string[]> {
  const lines: string[] = []
  const connections = new Map<string, Conversation>()
  try {
    for (const step of steps) {
      lines.push(step)
      const waiting = /^wait (\d+)$/.exec(step)
      if (waiting !== null) await pause(Number(waiting[1]))
      else {
        const [, name, text] = /^(\w+)> (.*)$/.exec(step)!
        if (!connections.has(name!)) connections.set(name!, await Conversation.open(server.port))
        const words = [...text!.matchAll(/"([^"]*)"|(\S+)/g)].map(match => match[1] ?? match[2]!)
        const command = words.map(word => word.replace(/<(\w+)>/, (_, other) => `${connections.get(other)!.id}`))
        await connections.get(name!)!.say(command)
      }
      // What others are sent for it has been written when the speaker has its answer.
      const heardBy = new Map<string, string>()
      const speaker = step.slice(0, step.indexOf('>'))
      for (const [name, connection] of [...connections].sort(([a]) => (a === speaker ? -1 : 0)))
        heardBy.set(name, await connection.hear())
      for (const name of connections.keys()) {
        const heard = heardBy.get(name)!
        if (heard !== '') lines.push(`${name}: ${JSON.stringify(withNames(heard, connections))}`)
      }
    }
  } finally {
    for (const connection of connections.values()) connection.close()
  }
  return lines
}

const withNames = (text: string, connections: ReadonlyMap<string, Conversation>): string => {
  let named = text
  for (const [name, { id }] of connections) named = named.replaceAll(`:${id}\r\n`, `:<${name}>\r\n`)
  return named
}

/** Numbers of connections begin here, so that no other number is taken for one. */
const FIRST_ID = 1000

/** Makes the numbers of the connections to come large. */
export async function raiseIds(server: RunningServer): Promise<void> {
  for (let id = 0; id < FIRST_ID; ) {
    const all = await Promise.all(Array.from({ length: 50 }, () => Conversation.open(server.port)))
    id = Math.max(...all.map(each => each.id))
    for (const each of all) each.close()
  }
}

class Conversation {
  id = 0
  private readonly socket: Socket
  private received = ''
  private wake: (() => void) | undefined
  private isQueueing = false
  private marks = 0
  private closed = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.received += text
      this.wake?.()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
      this.wake?.()
    })
  }

  static async open(port: number): Promise<Conversation> {
    const socket = await new Promise<Socket>((resolve, reject) => {
      const connecting = connect(port, '127.0.0.1', () => resolve(connecting))
      connecting.once('error', reject)
    })
    const conversation = new Conversation(socket)
    await conversation.say(['CLIENT', 'ID'])
    conversation.id = Number((await conversation.hear()).slice(1))
    return conversation
  }

  async say(command: readonly string[]): Promise<void> {
    const name = command[0]!.toUpperCase()
    this.socket.write(encode(command))
    if (name === 'MULTI') this.isQueueing = true
    if (['EXEC', 'DISCARD', 'RESET', 'QUIT'].includes(name)) this.isQueueing = false
    if (this.isQueueing) await this.until(() => this.received.endsWith('\r\n'))
  }

  /**
   * Everything that was sent before a PING of now was answered, or before the end. Two of them: Redis sends what
   * CLIENT TRACKING BCAST tells at the end of its turn, which may be behind the answer to the first.
   */
  async hear(): Promise<string> {
    for (let turn = 0; turn < 2 && !this.isQueueing && !this.closed; turn++) {
      const mark = `mark:${this.id}:${++this.marks}`
      this.socket.write(encode(['PING', mark]))
      await this.until(() => this.received.includes(`${mark}\r\n`))
      this.received = this.received.replace(
        new RegExp(`(\\*2\\r\\n\\$4\\r\\npong\\r\\n)?\\$\\d+\\r\\n${mark}\\r\\n`),
        '',
      )
    }
    const heard = this.received
    this.received = ''
    return this.closed && heard !== '' ? `${heard}(closed)` : heard
  }

  private async until(done: () => boolean): Promise<void> {
    const deadline = Date.now() + 5000
    while (!done() && !this.closed) {
      if (Date.now() > deadline) throw new Error(`nothing more after ${JSON.stringify(this.received.slice(-500))}`)
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, 1000)
        this.wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  close(): void {
    this.socket.destroy()
  }
}
