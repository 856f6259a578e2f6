/** `xenondb serve --cluster` as an operator meets it: what is refused, what waits, and that it ends when it is told to. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { WireConnection } from '../redis/wire.ts'
import { pause } from '../support/child.ts'
import { withDirectory } from '../support/directory.ts'
import { freePort } from '../support/ports.ts'
import { MAIN, type Run, run } from './command.ts'
import { NO_NATS, natsProgram, USER } from './nats-servers.ts'
import { type RunningCluster, startCluster } from './nodes.ts'

async function shows({ output }: Run, words: string): Promise<void> {
  for (let i = 0; i < 2400 && !output().includes(words); i++) await pause(25)
  expect(output()).toContain(words)
}

const credentials = ['--nats-user', USER.user, '--nats-password', USER.pass]

describe.skipIf(natsProgram === undefined)(`serve --cluster (else ${NO_NATS})`, () => {
  const withNode = (work: (cluster: RunningCluster, directory: string) => Promise<void>): Promise<void> =>
    withDirectory(async directory => {
      const cluster = await startCluster(directory, { nodesPerShard: 1 })
      try {
        await work(cluster, directory)
      } finally {
        await cluster.close()
      }
    })

  test('a leader that does not reach the log refuses after some seconds, and ends when it is told to', () =>
    withNode(async cluster => {
      const [node] = cluster.nodes
      const connection = await WireConnection.open(node!.port)
      await cluster.nats.kill(0)
      await pause(2500)
      const [write] = await connection.send([['SET', 'a', '1']], 12_000)
      expect(write!.text).toMatch(/^(CLUSTERDOWN|OUTCOMEUNKNOWN) /)
      const [read] = await connection.send([['GET', 'a']], 12_000)
      expect(read!.text).toMatch(/^CLUSTERDOWN /)
      connection.close()
      await cluster.end(node!, 'SIGTERM')
    }))

  test('what cannot start is not in the map', () =>
    withNode(async (cluster, directory) => {
      const [node] = cluster.nodes
      const access = ['--cluster', cluster.name, '--nats', cluster.nats.urls.join(','), ...credentials, '--nats-trust']
      const locked = run('serve', node!.directory, ...access, '--port', `${await freePort()}`)
      expect(await locked.status).toBe(1)
      expect(locked.output()).toContain('is open in process')
      const twin = run('serve', join(directory, 'twin'), ...access, '--port', '0', '--advertise', cluster.addresses[0]!)
      expect(await twin.status).toBe(1)
      expect(twin.output()).toContain('runs already, with another directory')
      // The port of the node that runs.
      const taken = run('serve', join(directory, 'late'), ...access, '--port', `${node!.port}`, '--advertise', 'late:1')
      expect(await taken.status).toBe(1)
      expect(taken.output()).toContain('EADDRINUSE')
      expect(await cluster.cli('status')).not.toContain('late:1')
      expect(await cluster.cli('snapshot')).toMatch(/^shard 0: node \d+ has made a snapshot at message \d+/)
      await cluster.end(node!, 'SIGTERM')
      // Nowhere to make the next one.
      rmSync(`${node!.directory}.snapshots`, { recursive: true })
      writeFileSync(`${node!.directory}.snapshots`, 'mine')
      const blocked = run('serve', node!.directory, ...access, '--port', `${node!.port}`)
      expect(await blocked.status).toBe(1)
      expect(blocked.output()).toContain(`makes its snapshots in ${node!.directory}.snapshots, which cannot be written`)
      expect(readFileSync(`${node!.directory}.snapshots`, 'utf8')).toBe('mine')
      rmSync(`${node!.directory}.snapshots`)
      await promisify(execFile)(process.execPath, [
        ...[MAIN, 'cluster', 'create', 'second', '--nats', cluster.nats.urls.join(','), ...credentials],
        ...['--nats-trust', '--log-bytes', '67108864'],
      ])
      const foreign = ['serve', node!.directory, ...access, '--cluster=second', '--port', `${node!.port}`]
      const other = run(...foreign.filter(word => word !== '--cluster' && word !== cluster.name))
      expect(await other.status).toBe(1)
      expect(other.output()).toContain('has followed another log')
      const second = run('cluster', 'status', 'second', '--json', ...access.slice(2))
      await second.status
      expect(JSON.parse(second.output()).shards[0].nodes).toEqual([])
      await cluster.start(node!)
      await cluster.leaderOf(0)
      expect(await cluster.cli('status')).toContain('all is well')
    }))

  test('nobody but the node changes its records', () =>
    withNode(async (cluster, directory) => {
      const [node] = cluster.nodes
      await cluster.end(node!, 'SIGTERM')
      const [own, backup, rescued] = [node!.directory, join(directory, 'backup'), join(directory, 'rescued')]
      expect(await run('backup', own, backup).status).toBe(0)
      for (const [instead, ...words] of [
        ['xenondb keys', 'put', own, 'a', '1'],
        ['xenondb keys', 'delete', own, 'a', '--yes'],
        ['xenondb keys', 'repl', own],
        ['say COMPACT to the node', 'compact', own],
        ['with an empty directory', 'convert', own, '--unordered'],
        ['with an empty directory', 'restore', backup, own, '--overwrite'],
        ['with an empty directory', 'salvage', own, rescued],
        ['leave --write away', 'explore', own, '--write'],
      ] as const) {
        const refused = run(...words)
        expect([words[0], await refused.status]).toEqual([words[0], 1])
        expect(refused.output()).toContain('which alone may change it')
        expect(refused.output()).toContain(instead)
      }
      for (const words of [
        ['keys', own],
        ['verify', own],
        ['salvage', own, rescued, '--force'],
      ])
        expect(await run(...words).status).toBe(0)
    }))

  test('ends by SIGTERM while it waits for NATS, or for the servers to say how they are', () =>
    withNode(async (cluster, directory) => {
      const path = join(directory, 'other')
      const own = ['serve', path, '--cluster', cluster.name, '--port', `${await freePort()}`, ...credentials]
      const waits = run(...own, '--nats', `127.0.0.1:${await freePort()}`, '--nats-trust')
      await shows(waits, 'waiting for NATS')
      waits.child.kill('SIGTERM')
      expect(await waits.status).toBe(0)
      expect(existsSync(join(path, 'lock'))).toBe(false)

      const nats = ['--nats', cluster.nats.urls.join(',')]
      const asks = run(...own, ...nats, '--nats-monitor', `http://127.0.0.1:${await freePort()}`)
      await shows(asks, 'the log cannot be checked yet')
      await pause(1200)
      asks.child.kill('SIGTERM')
      expect(await asks.status).toBe(0)
      // Said once, not twice a second.
      expect(asks.output().split('the log cannot be checked yet')).toHaveLength(2)

      const silent = run(...own, ...nats)
      expect(await silent.status).toBe(1)
      expect(silent.output()).toContain('give a user of the system account, or their monitors')
    }))

  test('wrong addresses, and a log too small for anything, are refused', async () => {
    for (const [words, problem] of [
      [['--nats', '127.0.0.1:99999'], 'nats://HOST:PORT'],
      [['--nats', '127.0.0.1:4222', '--nats-monitor', 'bad'], 'http://HOST:PORT'],
      [['--nats', '127.0.0.1:1', '--host', '0.0.0.0', '--password', 'x'], '--advertise takes the HOST:PORT'],
      [['--nats', '127.0.0.1:1', '--advertise', 'host:99999'], '--advertise takes the HOST:PORT'],
    ] as const)
      await withDirectory(async directory => {
        const wrong = run('serve', join(directory, 'node'), '--cluster', 'test', ...words)
        expect(await wrong.status).not.toBe(0)
        expect(wrong.output()).toContain(problem)
      })
    const small = run('cluster', 'create', 'test', '--nats', '127.0.0.1:1', '--log-bytes', '0')
    expect(await small.status).toBe(2)
    expect(small.output()).toContain('--log-bytes')
    const many = run('cluster', 'create', 'test', '--nats', '127.0.0.1:1', '--shards', 'x')
    expect(await many.status).toBe(2)
    expect(many.output()).toContain('--shards must be a whole number from 1 to 1000')
  })
})
