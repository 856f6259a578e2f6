/**
 * How long a client waits for its GET while another one pipelines without pause: a server that executes all that has
 * arrived from one client before it turns to the next makes the others wait.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { percentile } from '../support/statistics.ts'
import { Client, request } from './client.ts'
import type { LoadResult } from './load.ts'

const PIPELINING = fileURLToPath(new URL('pipelining.js', import.meta.url))
/** The others, each of which sends a GET when it has the answer to the last one. */
const NEIGHBOURS = 4

/**
 * The neighbours' GETs during some seconds, while another client pipelines SETs or GETs. `keys`: they ask for one of so
 * many, as redis-benchmark names them.
 */
export async function runNeighbours(
  port: number,
  command: 'set' | 'get',
  keys: number,
  seconds: number,
): Promise<LoadResult> {
  const pipelining = spawn(process.execPath, [PIPELINING, String(port), command], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    await once(pipelining.stdout, 'data')
    const until = performance.now() + 1000 * seconds
    const waits = (await Promise.all(Array.from({ length: NEIGHBOURS }, () => neighbour(port, keys, until)))).flat()
    if (pipelining.exitCode !== null) throw new Error('bench: the pipelining client has ended too early')
    waits.sort((a, b) => a - b)
    return { perSecond: waits.length / seconds, p50: percentile(waits, 0.5), p99: percentile(waits, 0.99) }
  } finally {
    await end(pipelining)
  }
}

async function neighbour(port: number, keys: number, until: number): Promise<number[]> {
  const client = await Client.open(port)
  const waits: number[] = []
  while (performance.now() < until) {
    const key = `key:${String(Math.floor(Math.random() * keys)).padStart(12, '0')}`
    const started = performance.now()
    await client.ask(request(['GET', key]))
    waits.push(performance.now() - started)
  }
  client.close()
  return waits
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'close')
  child.kill('SIGKILL')
  await ended
}
