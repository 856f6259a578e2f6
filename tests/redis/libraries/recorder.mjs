/** Stands between a client and a server, and writes down what each of them says. */
import { connect, createServer } from 'node:net'

/** What was said on one connection, one character per byte. */
export class Conversation {
  sent = ''
  received = ''
}

/** Resolves to its port, the conversations in the order of their connections, and what ends it. */
export async function record(port) {
  const conversations = []
  const sockets = new Set()
  const server = createServer(client => {
    const conversation = new Conversation()
    conversations.push(conversation)
    const upstream = connect(port, '127.0.0.1')
    for (const [from, to, side] of [
      [client, upstream, 'sent'],
      [upstream, client, 'received'],
    ]) {
      sockets.add(from)
      from.setNoDelay(true)
      from.on('data', bytes => {
        conversation[side] += bytes.toString('latin1')
        to.write(bytes)
      })
      from.on('end', () => to.end())
      from.on('error', () => to.destroy())
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    port: server.address().port,
    conversations,
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
