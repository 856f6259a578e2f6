/**
 * A node of a cluster as a process of its own: `node node-process.js DIRECTORY NODE PORT OPTIONS`. It prints a line when
 * it listens, one at each change of its state, and is killed.
 */
import { createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { connectNats, patiently } from '../../../src/cluster/load.ts'
import { ClusterNode } from '../../../src/cluster/node.ts'
import type { NatsOptions } from '../../../src/cluster/services.ts'
import { type Answer, type ListStep, listOf, type Question } from './protocol.ts'
import { openStore } from './store.ts'

const [directory, number, port, json] = process.argv.slice(2)
const { cluster, nats, snapshots } = JSON.parse(json!) as { cluster: string; nats: NatsOptions; snapshots: boolean }

process.on('unhandledRejection', error => {
  console.log(`unhandled ${(error as Error).stack}`)
  process.exit(3)
})

const services = await patiently(() => connectNats(nats))
const place = { cluster, shard: 0, generation: 1 }
const store = openStore(directory!)
const node = new ClusterNode({
  node: Number(number),
  shard: 0,
  address: `127.0.0.1:${port}`,
  log: await patiently(() => services.openLog(place)),
  store: store.groups,
  peers: services.peers(cluster, 0, Number(number)),
  rank: Number(number) - 1,
  ...(snapshots ? {} : { snapshots: false as const }),
  onEvent: event => {
    if (event.kind === 'state') console.log(`state ${event.to} ${event.reason}`)
    else if (event.kind === 'warning') console.log(`warning ${event.message}`)
    else if (event.kind === 'snapshot') console.log(`snapshot ${event.sequence}`)
    else if (event.kind === 'purge') console.log(`purge ${event.below}`)
  },
})

const server = createServer(socket => {
  socket.setNoDelay(true)
  socket.on('error', () => {})
  createInterface({ input: socket }).on('line', line => void answer(socket, JSON.parse(line) as Question))
})

async function answer(socket: Socket, question: Question): Promise<void> {
  const { id } = question
  let told: Answer
  try {
    told = { id, value: await perform(question) }
  } catch (error) {
    const { code = 'defect', message } = error as { code?: string; message: string }
    told = { id, error: code, message }
  }
  socket.write(`${JSON.stringify(told)}\n`)
}

async function perform({ op, key = '', value = '', steps = [] }: Question): Promise<unknown> {
  switch (op) {
    case 'set':
      return await node.execute(() => store.put(key, value))
    case 'get':
      return await node.read('leader', () => store.get(key))
    case 'transact':
      return await node.execute(() => steps.map(readAndAppend))
    case 'local':
      return store.get(key)
    case 'entries':
      return store.entries()
    case 'status':
      return node.status()
    case 'transfer':
      return await node.transferTo(Number(value))
    case 'snapshot':
      return await node.takeSnapshot()
  }
}

function readAndAppend({ list, append }: ListStep): number[] {
  const found = listOf(store.get(list))
  if (append !== undefined) store.put(list, [...found, append].join(','))
  return found
}

server.listen(Number(port), '127.0.0.1')
console.log('listening')
await node.start()
