/**
 * A shared database (`openShared`): what calls cost in the process that has it open and in one that follows, in turn, and
 * how long a follower is without an owner that was killed.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openShared, type SharedStore } from 'xenondb/shared'
import type { Chart } from './support/chart/chart.ts'
import { short } from './support/format.ts'
import { type Options, outputDirectory, positiveInteger } from './support/options.ts'
import { writeResults } from './support/results.ts'
import { median } from './support/statistics.ts'
import { printTable } from './support/table.ts'
import { makeTemporaryDirectory, removeTemporaryDirectory } from './support/temp.ts'

const IN_FLIGHT = 64
const VALUE = 'x'.repeat(100)
/** Bytes of a GET and of its answer. */
const ECHOED = 140

interface Figures {
  /** Microseconds of one call after the other. */
  get: number
  put: number
  /** Puts a second, so many in flight. */
  puts: number
}

export async function run(options: Options): Promise<number> {
  const calls = positiveInteger('calls', options.calls, options.quick ? 500 : 20_000)
  const repeats = positiveInteger('repeats', options.repeats, options.quick ? 1 : 5)
  const temporary = makeTemporaryDirectory()
  const directory = join(temporary, 'database')
  try {
    const owner = await startOwner(directory)
    const store = await openShared(directory)
    const samples: { owner: Figures; follower: Figures }[] = []
    for (let i = 0; i < repeats; i++)
      samples.push({ owner: await ask(owner, calls), follower: await measure(store, calls) })
    const echo = await measureEcho(echoIn(directory), Math.ceil(calls / 4))
    const takeover = await killed(owner, store)
    await store.close()
    report(samples, echo, takeover)
    writeResults(outputDirectory(options), {
      benchmark: 'shared',
      options: { calls, repeats, inFlight: IN_FLIGHT },
      data: { samples, echoMicros: echo, takeoverMs: takeover },
      charts: [chart(samples)],
    })
  } finally {
    removeTemporaryDirectory(temporary)
  }
  return 0
}

async function measure(store: SharedStore, calls: number): Promise<Figures> {
  for (let i = 0; i < calls / 10; i++) await store.put(`key ${i}`, VALUE)
  const alone = Math.ceil(calls / 20)
  const get = await each(calls, i => store.get(`key ${i % alone}`))
  const put = await each(alone, i => store.put(`key ${i}`, VALUE))
  let next = 0
  const start = performance.now()
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      while (next < calls) await store.put(`key ${next++}`, VALUE)
    }),
  )
  return { get, put, puts: (calls / (performance.now() - start)) * 1000 }
}

/** Microseconds of a call. */
async function each(calls: number, call: (i: number) => Promise<unknown>): Promise<number> {
  const start = performance.now()
  for (let i = 0; i < calls; i++) await call(i)
  return ((performance.now() - start) / calls) * 1000
}

async function startOwner(directory: string): Promise<ChildProcess> {
  const child = fork(fileURLToPath(import.meta.url), [directory])
  await once(child, 'message')
  return child
}

async function ask(owner: ChildProcess, calls: number): Promise<Figures> {
  owner.send(calls)
  const [figures] = (await once(owner, 'message')) as [Figures]
  return figures
}

/** Where the owner's process sends back what it gets. */
const echoIn = (directory: string): string => `${directory}.echo`

/** Microseconds until a few bytes have come back. Where the machine is idle most of that is waking up, twice. */
async function measureEcho(path: string, times: number): Promise<number> {
  const socket = connect(path)
  await once(socket, 'connect')
  const bytes = Buffer.alloc(ECHOED)
  let back: () => void = () => {}
  socket.on('data', () => back())
  const taken = await each(
    times,
    () =>
      new Promise<void>(resolve => {
        back = resolve
        socket.write(bytes)
      }),
  )
  socket.destroy()
  return taken
}

/** Milliseconds from the death of the owner to the first answer. */
async function killed(owner: ChildProcess, store: SharedStore): Promise<number> {
  const lost = new Promise<void>(resolve => store.on('lost', resolve))
  owner.kill('SIGKILL')
  await lost
  const start = performance.now()
  await store.get('key 1')
  return performance.now() - start
}

function report(samples: readonly { owner: Figures; follower: Figures }[], echo: number, takeover: number): void {
  const of = (who: 'owner' | 'follower', figure: keyof Figures): number =>
    median(samples.map(sample => sample[who][figure]))
  const ratio = of('follower', 'puts') / of('owner', 'puts')
  const get = of('follower', 'get')
  printTable(
    ['', 'owner', 'follower', 'wanted', ''],
    [
      [
        'get, one after the other',
        `${of('owner', 'get').toFixed(1)} µs`,
        `${get.toFixed(1)} µs`,
        '≤ 60 µs',
        pass(get <= 60),
      ],
      [
        'put, one after the other',
        `${of('owner', 'put').toFixed(0)} µs`,
        `${of('follower', 'put').toFixed(0)} µs`,
        '',
        '',
      ],
      [
        `puts a second, ${IN_FLIGHT} in flight`,
        short(of('owner', 'puts')),
        `${short(of('follower', 'puts'))} (${ratio.toFixed(2)})`,
        '≥ 0.5',
        pass(ratio >= 0.5),
      ],
    ],
  )
  console.log(`${ECHOED} bytes to another process and back, over such a socket: ${echo.toFixed(1)} µs`)
  console.log(`the owner was killed: the first answer of the next one after ${takeover.toFixed(0)} ms`)
}

const pass = (holds: boolean): string => (holds ? 'PASS' : 'SHORT')

function chart(samples: readonly { owner: Figures; follower: Figures }[]): Chart {
  return {
    kind: 'bars',
    title: 'A database shared by two processes',
    note: `durable puts of 100-byte values, ${IN_FLIGHT} in flight. Higher is better`,
    xLabel: '',
    yLabel: 'puts per second',
    logY: false,
    categories: ['puts'],
    series: (['owner', 'follower'] as const).map(name => ({
      name,
      values: [median(samples.map(sample => sample[name].puts))],
    })),
  }
}

/** As a process of its own it is the owner. */
if (process.send !== undefined && process.argv[2] !== undefined && process.argv[1] === fileURLToPath(import.meta.url)) {
  const store = await openShared(process.argv[2])
  const echo = createServer(socket => socket.on('error', () => {}).on('data', bytes => socket.write(bytes)))
  echo.listen(echoIn(process.argv[2]))
  await once(echo, 'listening')
  process.on('message', async (calls: number) => process.send!(await measure(store, calls)))
  process.on('disconnect', () => process.exit())
  process.send(store.role)
}
