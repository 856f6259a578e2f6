/** A server that answers as a test says: each command that comes goes to `onCommand`, which writes what it likes. */
import { createServer, type Server, type Socket } from 'node:net'
import { type Reply, ReplyReader } from '../../src/client/reader.ts'

export interface FakeServer {
  readonly port: number
  /** All commands that came, the greeting left out. */
  readonly commands: string[][]
  /** How often a socket handed over bytes, the greeting left out. */
  readonly writes: number[]
  readonly sockets: Set<Socket>
  close(): Promise<void>
}

export async function fakeServer(
  onCommand: (command: string[], socket: Socket) => void,
  port: number = 0,
  greeting: string = '+OK\r\n',
): Promise<FakeServer> {
  const commands: string[][] = []
  const writes: number[] = []
  const sockets = new Set<Socket>()
  const server: Server = createServer(socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    let count = 0
    const reader = new ReplyReader(
      reply => {
        const command = (reply as Reply[]).map(String)
        if (command[0] === 'HELLO') {
          socket.write(greeting)
          return
        }
        if (command[0] === 'LOCKWAIT') {
          if (greeting !== '') socket.write('+OK\r\n')
          return
        }
        count++
        commands.push(command)
        onCommand(command, socket)
      },
      () => {},
    )
    socket.on('data', chunk => {
      const before = count
      reader.push(chunk)
      if (count > before) writes.push(count - before)
    })
  })
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  return {
    port: (server.address() as { port: number }).port,
    commands,
    writes,
    sockets,
    close: () =>
      new Promise(resolve => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
}
