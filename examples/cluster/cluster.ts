/**
 * A whole cluster on this machine, with one command: a nats-server, one shard, three nodes. It counts up while the leader
 * is killed, and says how long no write was acknowledged, and that no acknowledged one was lost.
 *
 *     node build/examples/cluster/cluster.js               a nats-server of your PATH, or NATS_SERVER=/path/to/nats-server
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connect } from 'xenondb/client'
import { type ClusterClient, connectCluster } from 'xenondb/cluster'

const NODES = 3
const WRITERS = 8
const XENONDB = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })

interface Node {
  readonly port: number
  readonly child: ChildProcess
}

/** Every process that was started. */
const children: ChildProcess[] = []

const start = (directory: string, name: string, program: string, words: readonly string[]): ChildProcess => {
  const output = openSync(join(directory, `${name}.log`), 'a')
  const child = spawn(program, words, { stdio: ['ignore', output, output] })
  children.push(child)
  return child
}

const startNats = async (directory: string): Promise<{ url: string; monitor: string }> => {
  const [port, monitor] = [await freePort(), await freePort()]
  const file = join(directory, 'nats.conf')
  // What is acknowledged is on the disk: a node starts with nothing less.
  writeFileSync(
    file,
    `listen: "127.0.0.1:${port}"
http: "127.0.0.1:${monitor}"
ping_interval: "1s"
ping_max: 2
write_deadline: "2s"
max_payload: 8MB
jetstream { store_dir: "${join(directory, 'nats')}", sync_interval: always }
`,
  )
  const child = start(directory, 'nats-server', process.env.NATS_SERVER ?? 'nats-server', ['-c', file])
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', () => resolve())
    child.once('error', () =>
      reject(new Error('there is no nats-server on the PATH; NATS_SERVER=/path/to/nats-server says where one is')),
    )
  })
  for (let i = 0; i < 200; i++) {
    if ((await fetch(`http://127.0.0.1:${monitor}/healthz`).catch(() => undefined))?.ok === true) break
    await pause(50)
  }
  return { url: `nats://127.0.0.1:${port}`, monitor: `http://127.0.0.1:${monitor}` }
}

/** The node that leads, once one does. */
const leaderOf = async (nodes: readonly Node[]): Promise<Node> => {
  for (;;) {
    for (const node of nodes) {
      const client = await connect({ port: node.port, reconnect: false }).catch(() => undefined)
      const role = await client?.command('ROLE').catch(() => undefined)
      await client?.close()
      if (Array.isArray(role) && role[0] === 'master') return node
    }
    await pause(50)
  }
}

/** Each writer counts up in a key of its own. */
const count = async (client: ClusterClient, nodes: readonly Node[]): Promise<string> => {
  const acknowledged: number[] = new Array(WRITERS).fill(0)
  let longest = 0
  let last = performance.now()
  let over = false
  const write = async (writer: number): Promise<void> => {
    for (let number = 1; !over; number++) {
      try {
        await client.put(`writer:${writer}`, `${number}`)
      } catch {
        // The connection was lost before the answer came: nobody knows whether it was written. The next number goes on.
        continue
      }
      acknowledged[writer] = number
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
    }
  }
  const writers = acknowledged.map((_, writer) => write(writer))
  await pause(1000)
  const leader = await leaderOf(nodes)
  console.log(`node ${nodes.indexOf(leader) + 1} leads, and is killed`)
  leader.child.kill('SIGKILL')
  const next = await leaderOf(nodes.filter(node => node !== leader))
  console.log(`node ${nodes.indexOf(next) + 1} leads now`)
  await pause(1000)
  over = true
  await Promise.all(writers)
  const lost = []
  for (const [writer, number] of acknowledged.entries())
    if (Number(await client.get(`writer:${writer}`)) < number) lost.push(writer)
  const sum = acknowledged.reduce((total, each) => total + each, 0)
  if (lost.length > 0) throw new Error(`writers ${lost.join(', ')} have lost what was acknowledged`)
  return `${sum} writes were acknowledged, none was lost; the longest time without one: ${(longest / 1000).toFixed(1)} s`
}

const main = async (): Promise<void> => {
  const directory = mkdtempSync(join(tmpdir(), 'xenondb-cluster-'))
  try {
    const { url, monitor } = await startNats(directory)
    const access = ['--nats', url, '--nats-monitor', monitor]
    const create = ['cluster', 'create', 'example', '--log-bytes', '100000000']
    process.stdout.write(execFileSync(process.execPath, [XENONDB, ...create, ...access], { encoding: 'utf8' }))
    const nodes: Node[] = []
    for (let i = 1; i <= NODES; i++) {
      const port = await freePort()
      const words = ['serve', join(directory, `node${i}`), '--cluster', 'example', '--port', `${port}`, ...access]
      nodes.push({ port, child: start(directory, `node${i}`, process.execPath, [XENONDB, ...words]) })
      // They number themselves in the order in which they come.
      await pause(300)
    }
    await leaderOf(nodes)
    const client = await connectCluster({ nodes: nodes.map(({ port }) => `127.0.0.1:${port}`) })
    try {
      console.log(await count(client, nodes))
    } finally {
      await client.close()
    }
  } finally {
    for (const child of children) child.kill('SIGKILL')
    await Promise.all(
      children.map(child => child.exitCode ?? child.signalCode ?? new Promise(end => child.once('exit', end))),
    )
    rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}

await main()
