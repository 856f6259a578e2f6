/** What is measured of each server, and what it is to come to beside redis-server. */
import { Client, request } from './client.ts'
import { runNeighbours } from './fairness.ts'
import { type Load, type LoadResult, runLoad } from './load.ts'
import { runManyKeys } from './many-keys.ts'
import { runPublish, SUBSCRIBERS } from './publish.ts'

export const CLIENTS = 50
export const VALUE_BYTES = 100

/** One server, as far as a row goes. */
export interface Conditions {
  port: number
  /** Random keys are chosen from so many. */
  keys: number
  /** Time that a measurement is to take. */
  seconds: number
}

export interface Row {
  label: string
  /** What is compared: more requests per second are better, or a shorter wait. */
  figure: 'perSecond' | 'p99'
  /** Of redis-server's. */
  aim: number
  bound: number
  /** Before the servers are filled. */
  empty?: boolean
  /** Undefined if the server cannot do it. */
  run(conditions: Conditions): Promise<LoadResult | undefined>
}

/** A fixed window, as rate limiters have it: the count of a key, which expires. One line, as redis-benchmark repeats it. */
const RATE_LIMITER = [
  "local count = redis.call('INCR', KEYS[1])",
  "if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end",
  "if count > tonumber(ARGV[2]) then return {0, redis.call('PTTL', KEYS[1])} end",
  'return {1, count}',
].join(' ')

/** The most that redis-benchmark takes: hardly a key comes twice. */
const ALL_DIFFERENT = 2 ** 31 - 1

export const ROWS: readonly Row[] = [
  {
    label: 'SET of new keys into an empty server',
    figure: 'perSecond',
    aim: 0.9,
    bound: 0.9,
    empty: true,
    async run(conditions) {
      await ask(conditions.port, ['FLUSHALL'])
      return timed({ ...conditions, keys: ALL_DIFFERENT }, 'set', 1, 1)
    },
  },
  { label: 'durable SET', figure: 'perSecond', aim: 1.2, bound: 0.9, run: each => timed(each, 'set', 1) },
  { label: 'durable SET, -P 16', figure: 'perSecond', aim: 0.8, bound: 0.5, run: each => timed(each, 'set', 16) },
  { label: 'GET', figure: 'perSecond', aim: 0.95, bound: 0.8, run: each => timed(each, 'get', 1) },
  { label: 'GET, -P 16', figure: 'perSecond', aim: 0.6, bound: 0.4, run: each => timed(each, 'get', 16) },
  manyKeys('mset'),
  manyKeys('del'),
  {
    label: 'EVAL of a rate limiter',
    figure: 'perSecond',
    aim: 0.8,
    bound: 0.5,
    async run(conditions) {
      const script = ['EVAL', RATE_LIMITER, '1', 'limit:__rand_int__', '60000', '100']
      return (await knows(conditions.port, script)) ? timed(conditions, script, 1) : undefined
    },
  },
  {
    label: `PUBLISH to ${SUBSCRIBERS} subscribers`,
    figure: 'perSecond',
    aim: 0.8,
    bound: 0.5,
    async run({ port, seconds }) {
      if (!(await knows(port, ['PUBLISH', 'nobody', '']))) return undefined
      const warm = await runPublish(port, 500, CLIENTS)
      return runPublish(port, Math.ceil(warm.perSecond * seconds), CLIENTS)
    },
  },
  fairness('set'),
  fairness('get'),
]

/** A short run shows how many requests fill the time; it warms up too. */
async function timed(
  { port, keys, seconds }: Conditions,
  command: Load['command'],
  pipeline: number,
  warmUp = 5,
): Promise<LoadResult> {
  const load = { command, pipeline, keys, clients: CLIENTS, valueBytes: VALUE_BYTES }
  const warm = await runLoad(port, { ...load, requests: warmUp * 1000 * pipeline })
  return runLoad(port, { ...load, requests: Math.max(1000, Math.ceil(warm.perSecond * seconds)) })
}

function manyKeys(command: 'mset' | 'del'): Row {
  return {
    label: `${command.toUpperCase()} of 1,000 keys`,
    figure: 'perSecond',
    aim: 0.8,
    bound: 0.5,
    run: async ({ port, seconds }) => (await runManyKeys(port, 200 * seconds, VALUE_BYTES))[command],
  }
}

/** A neighbour's GET while one client pipelines without pause. */
function fairness(command: 'set' | 'get'): Row {
  return {
    label: `fairness: GET beside pipelined ${command.toUpperCase()}s of 1 KB`,
    figure: 'p99',
    aim: 1,
    bound: 3,
    run: ({ port, keys, seconds }) => runNeighbours(port, command, keys, seconds),
  }
}

async function ask(port: number, words: readonly string[]): Promise<void> {
  const client = await Client.open(port)
  try {
    await client.ask(request(words))
  } finally {
    client.close()
  }
}

async function knows(port: number, words: readonly string[]): Promise<boolean> {
  try {
    await ask(port, words)
    return true
  } catch (error) {
    if (/unknown command/.test(String(error))) return false
    throw error
  }
}
