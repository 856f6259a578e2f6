/** The two servers as processes of their own, with all that they keep on the real disk. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { repositoryRoot } from '../support/paths.ts'

export type ServerName = 'redis-server' | 'valkey-server' | 'xenondb'

export interface Server {
  name: ServerName
  port: number
  /** How it was started, for the results. */
  command: string
  stop(): Promise<void>
}

/** Every answered write survives power loss: Redis syncs its log before it answers, as xenondb does. */
export const REDIS_OPTIONS: readonly string[] = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always']

export function versionOf(name: 'redis-server' | 'valkey-server'): string | undefined {
  const { status, stdout } = spawnSync(name, ['--version'], { encoding: 'utf8' })
  return status === 0 ? /v=(\S+)/.exec(stdout)?.[1] : undefined
}

export async function startServer(name: ServerName, directory: string): Promise<Server> {
  const port = await freePort()
  const [program, args] =
    name !== 'xenondb'
      ? [name, ['--port', `${port}`, '--dir', directory, ...REDIS_OPTIONS]]
      : [
          process.execPath,
          [
            join(repositoryRoot, 'dist', 'cli', 'main.js'),
            'serve',
            join(directory, 'db'),
            '--port',
            `${port}`,
            '--log-level',
            'error',
          ],
        ]
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  await accepts(port, child)
  const command = [name === 'xenondb' ? 'xenondb' : program, ...args.slice(name === 'xenondb' ? 1 : 0)]
  return { name, port, command: command.join(' ').replace(directory, 'DIRECTORY'), stop: () => stop(child) }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise(resolve => child.once('close', resolve))
  child.kill('SIGTERM')
  const killed = setTimeout(() => child.kill('SIGKILL'), 60_000)
  await ended
  clearTimeout(killed)
}

async function accepts(port: number, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt++) {
    if (child.exitCode !== null) throw new Error(`bench: a server ended with status ${child.exitCode}`)
    const connected = await new Promise<boolean>(resolve => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
    if (connected) return
    await new Promise(resolve => setTimeout(resolve, 25))
  }
  throw new Error(`bench: nobody listens on port ${port}`)
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
