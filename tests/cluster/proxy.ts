/** A TCP proxy on loopback that can lose what the server answers, and cut connections. */
import { createConnection, createServer, type Socket } from 'node:net'

export interface TestProxy {
  /** `127.0.0.1:port` */
  readonly address: string
  /** From now on nothing that the server says reaches the client; what the client says arrives. */
  loseAnswers(): void
  /** From now on nothing passes, in either direction, nor does a new connection; nobody is told. */
  hold(): void
  /** Cuts all connections; new ones work again. */
  cut(): void
  close(): void
}

/** @param target port on loopback */
export async function startProxy(target: number): Promise<TestProxy> {
  let isLosing = false
  let isHolding = false
  const sockets = new Set<Socket>()
  const server = createServer(client => {
    const upstream = createConnection(target, '127.0.0.1')
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.on('data', chunk => {
        if (!isHolding && (from === client || !isLosing)) to.write(chunk)
      })
      from.on('error', () => {})
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const cut = (): void => {
    isLosing = false
    isHolding = false
    for (const socket of sockets) socket.destroy()
  }
  return {
    address: `127.0.0.1:${(server.address() as { port: number }).port}`,
    loseAnswers: () => {
      isLosing = true
    },
    hold: () => {
      isHolding = true
    },
    cut,
    close: () => {
      cut()
      server.close()
    },
  }
}
