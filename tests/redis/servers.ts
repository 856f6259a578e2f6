/** Redis itself and `xenondb serve`, as processes of their own on free ports. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { pause } from '../support/child.ts'
import { freePort } from '../support/ports.ts'

export const hasRedis: boolean = spawnSync('redis-server', ['--version']).status === 0
export const hasRedisTools: boolean = spawnSync('redis-cli', ['--version']).status === 0
export const NO_REDIS = 'skipped: there is no redis-server here (apt-get install redis-server redis-tools)'

export interface RunningServer {
  readonly name: string
  readonly port: number
  readonly process: ChildProcess
  stop(): Promise<void>
}

/** Nothing on disk. */
export async function startRedis(directory: string, ...options: string[]): Promise<RunningServer> {
  const port = await freePort()
  const child = spawn('redis-server', ['--port', `${port}`, '--dir', directory, '--save', '', ...options], {
    stdio: 'ignore',
  })
  const server = running('redis-server', port, child)
  try {
    await answers(port, child)
  } catch (error) {
    await server.stop()
    throw error
  }
  return server
}

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

export const startXenon = (directory: string, ...options: string[]): Promise<RunningServer> =>
  startXenonWith([], directory, ...options)

/** `before`: what a shell is to say before, if anything. */
export async function startXenonWith(
  before: readonly string[],
  directory: string,
  ...options: string[]
): Promise<RunningServer> {
  const port0 = options.includes('--port') ? [] : ['--port', '0']
  const words = [process.execPath, MAIN, 'serve', directory, ...port0, ...options]
  const [program, ...args] =
    before.length === 0 ? words : ['sh', '-c', [...before, 'exec "$0" "$@"'].join('; '), ...words]
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      const found = /listening on \S*:(\d+)\n/.exec(output)
      if (found !== null) resolve(Number(found[1]))
    })
    child.once('close', status => reject(new Error(`xenondb serve ended with ${status}: ${errors}`)))
  })
  return running('xenondb', port, child)
}

function running(name: string, port: number, child: ChildProcess): RunningServer {
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()))
  return {
    name,
    port,
    process: child,
    async stop() {
      child.kill('SIGTERM')
      const killed = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await ended
      clearTimeout(killed)
    },
  }
}

async function answers(port: number, child: ChildProcess): Promise<void> {
  const { WireConnection } = await import('./wire.ts')
  for (let attempt = 0; attempt < 200 && child.exitCode === null; attempt++) {
    try {
      const connection = await WireConnection.open(port)
      const [reply] = await connection.send([['PING']])
      connection.close()
      if (reply?.kind === '+' || reply?.text?.startsWith('NOAUTH')) return
    } catch {
      // Not yet.
    }
    await pause(25)
  }
  throw new Error(`no answer on port ${port}`)
}
