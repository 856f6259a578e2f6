/**
 * How long a client waits for its GET while another one pipelines without pause: a server that executes all that has
 * arrived from one client before it turns to the next makes the others wait.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'

const PIPELINING = fileURLToPath(new URL('pipelining.js', import.meta.url))
/** The others, each of which sends a GET when it has the answer to the last one. */
const NEIGHBOURS = 4

export interface Waits {
  /** Of a neighbour's GET, in milliseconds. */
  p50: number
  p99: number
  /** GETs of all neighbours. */
  count: number
}

/**
 * The neighbours' waits during some seconds, while another client pipelines SETs or GETs. `keys`: they ask for one of so
 * many, as redis-benchmark names them.
 */
export async function measureWaits(
  port: number,
  command: 'set' | 'get',
  keys: number,
  seconds: number,
): Promise<Waits> {
  const pipelining = spawn(process.execPath, [PIPELINING, String(port), command], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    await once(pipelining.stdout, 'data')
    const until = performance.now() + 1000 * seconds
    const waits = (await Promise.all(Array.from({ length: NEIGHBOURS }, () => neighbour(port, keys, until)))).flat()
    if (pipelining.exitCode !== null) throw new Error('bench: the pipelining client has ended too early')
    waits.sort((a, b) => a - b)
    const quantile = (share: number): number => waits[Math.min(waits.length - 1, Math.floor(share * waits.length))]!
    return { p50: quantile(0.5), p99: quantile(0.99), count: waits.length }
  } finally {
    await end(pipelining)
  }
}

async function neighbour(port: number, keys: number, until: number): Promise<number[]> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.setNoDelay(true)
  const waits: number[] = []
  while (performance.now() < until) {
    const key = `key:${String(Math.floor(Math.random() * keys)).padStart(12, '0')}`
    const started = performance.now()
    socket.write(`*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`)
    await reply(socket)
    waits.push(performance.now() - started)
  }
  socket.destroy()
  return waits
}

/** One bulk string, or none. */
function reply(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = ''
    const settle = (done: () => void): void => {
      socket.off('data', onData).off('close', onClose)
      done()
    }
    const onClose = (): void => settle(() => reject(new Error('bench: the server has closed a connection')))
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1')
      const head = text.indexOf('\r\n')
      if (head < 0) return
      const length = Number(text.slice(1, head))
      if (length < 0 || text.length >= head + length + 4) settle(resolve)
    }
    socket.on('data', onData).on('close', onClose)
  })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'close')
  child.kill('SIGKILL')
  await ended
}
