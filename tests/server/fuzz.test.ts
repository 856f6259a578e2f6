/**
 * Random requests of all commands, right, hostile and damaged, over several connections to one `xenondb serve`: it stays
 * alive, goes on to answer others, keeps its memory bounded, reports no fault of its own, and leaves a sound database.
 * `XENON_RUNS=50` sends 1,000,000; `XENON_SEED` replays (the order between the connections is the machine's).
 */
import { expect, test } from 'vitest'
import { open } from '../../src/index.ts'
import { startXenon } from '../redis/servers.ts'
import { pause } from '../support/child.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { firstSeed, Random, runs, runTimeout } from '../support/random.ts'
import { randomBytesOfRequest } from './requests.ts'
import { request, Wire } from './wire.ts'

const REQUESTS = 20_000 * runs
const CONNECTIONS = 8
/** A connection that says nothing for so long may be right (CLIENT REPLY OFF, half a request): it makes way for another. */
const SILENCE_MS = 300
const PING_LIMIT_MS = 10_000
const MEMORY_LIMIT = 768 * 2 ** 20

test(`${REQUESTS} random requests`, { timeout: runTimeout * 2 }, () =>
  withDirectory(async directory => {
    const seed = firstSeed()
    const server = await startXenon(`${directory}/db`, '--durability', 'none', '--log-level', 'warn')
    let log = ''
    server.process.stderr!.on('data', text => {
      log += text
    })
    const tally = { sent: 0, executed: 0, connections: 0, silent: 0, slowest: 0, memory: 0 }
    let done = false
    const watching = watch(server.port, tally, () => done)
    try {
      await Promise.all(
        Array.from({ length: CONNECTIONS }, (_, i) =>
          send(server.port, new Random(seed + i), REQUESTS / CONNECTIONS, tally),
        ),
      )
    } catch (error) {
      throw new Error(`[replay with XENON_SEED=${seed}] ${(error as Error).message}\n${log.slice(-2000)}`)
    } finally {
      done = true
      await watching
      await server.stop()
    }
    console.log(`XENON_SEED=${seed}: ${JSON.stringify(tally)}`)
    expect(server.process.exitCode, log).toBe(0)
    expect(log).not.toContain('internal error')
    expect(tally.sent).toBeGreaterThanOrEqual(REQUESTS)
    expect(tally.slowest).toBeLessThan(PING_LIMIT_MS)
    expect(tally.memory).toBeLessThan(MEMORY_LIMIT)
    const db = open<Uint8Array>(`${directory}/db`, { valueEncoding: 'binary' })
    await expectVerified(db)
    db.close()
  }),
)

interface Tally {
  sent: number
  /** As the server counts: what damage has cut off is missing, calls of scripts are not. */
  executed: number
  connections: number
  silent: number
  slowest: number
  memory: number
}

/** Sends so many requests in batches, over as many connections as it takes. */
async function send(port: number, random: Random, count: number, tally: Tally): Promise<void> {
  let wire: Wire | undefined
  let marks = 0
  for (let left = count; left > 0; ) {
    if (wire === undefined || wire.closed || random.chance(0.02)) {
      wire?.close()
      wire = await Wire.open(port)
      tally.connections++
    }
    const size = Math.min(left, random.between(1, 60))
    const mark = `mark:${++marks}:`
    wire.received = ''
    wire.write(Buffer.concat(Array.from({ length: size }, () => randomBytesOfRequest(random))))
    wire.write(request('PING', mark))
    left -= size
    tally.sent += size
    const answered = await wire
      .until(text => text.includes(mark), SILENCE_MS)
      .then(
        () => true,
        () => false,
      )
    if (!answered && !wire.closed) {
      tally.silent++
      wire.close()
    }
  }
  wire?.close()
}

/** Another client sees that the server answers, and how much memory it takes. */
async function watch(port: number, tally: Tally, done: () => boolean): Promise<void> {
  let wire: Wire | undefined
  let last = 0
  while (!done()) {
    if (wire === undefined || wire.closed) wire = await Wire.open(port)
    wire.received = ''
    const began = performance.now()
    wire.write('INFO stats\r\nINFO memory\r\n')
    // CLIENT KILL may have met it.
    const text = await wire
      .until(received => received.includes('mem_fragmentation_bytes'), PING_LIMIT_MS)
      .catch(error => {
        if (!wire!.closed) throw error
        return ''
      })
    tally.slowest = Math.max(tally.slowest, Math.round(performance.now() - began))
    tally.memory = Math.max(tally.memory, Number(/used_memory_rss:(\d+)/.exec(text)?.[1] ?? 0))
    const executed = Number(/total_commands_processed:(\d+)/.exec(text)?.[1] ?? last)
    // CONFIG RESETSTAT begins anew.
    tally.executed += executed >= last ? executed - last : executed
    last = executed
    await pause(50)
  }
  wire?.close()
}
