/**
 * Random conversations of several connections about channels, keyspace notifications and CLIENT TRACKING, as steps of
 * `transcript`. In what Redis tells in the order of a hash table there is one thing here: a connection has one pattern, and
 * leaves its channels by name.
 */
import type { Random } from '../support/random.ts'
import type { Step } from './transcript.ts'

const CHANNELS = ['news', 'n1', 'sport', '""', '__keyspace@0__:a', '__keyevent@1__:set']
/** The pattern of each connection; c and d speak RESP3. */
const PATTERNS: Readonly<Record<string, string>> = { a: 'n*', b: '__key*', c: '*', d: '__keyevent@?__:[se]*' }
const KEYS = ['a', 'b', 'prefix:1', 'prefix:2', 'n1']
const FLAGS = ['KEA', 'AK', 'E$g', 'K$', 'Eg', 'KEx', 'Kn', 'KEnm', '""', 'K', 'AKE', 'bogus']

const several = (random: Random, list: readonly string[]): string =>
  Array.from({ length: random.between(1, 3) }, () => random.pick(list)).join(' ')
const key = (random: Random): string => random.pick(KEYS)

const ABOUT_CHANNELS: readonly ((random: Random, name: string) => string)[] = [
  r => `SUBSCRIBE ${several(r, CHANNELS)}`,
  r => `UNSUBSCRIBE ${several(r, CHANNELS)}`,
  (_, name) => `PSUBSCRIBE ${PATTERNS[name]}`,
  (_, name) => `PUNSUBSCRIBE ${PATTERNS[name]}`,
  r => `SSUBSCRIBE ${r.pick(CHANNELS)}`,
  r => `SUNSUBSCRIBE ${r.pick(CHANNELS)}`,
  r => `PUBLISH ${r.pick(CHANNELS)} text`,
  r => `PUBLISH ${r.pick(CHANNELS)} ""`,
  r => `SPUBLISH ${r.pick(CHANNELS)} text`,
  r => `PUBSUB NUMSUB ${several(r, CHANNELS)}`,
  () => 'PUBSUB NUMPAT',
  () => 'PUBSUB CHANNELS sport',
  r => `PUBSUB SHARDNUMSUB ${several(r, CHANNELS)}`,
]

const ABOUT_KEYS: readonly ((random: Random) => string)[] = [
  r => `CONFIG SET notify-keyspace-events ${r.pick(FLAGS)}`,
  () => 'CONFIG GET notify-keyspace-events',
  r => `SELECT ${r.below(2)}`,
  r => `SET ${key(r)} ${r.below(3)}`,
  r => `SET ${key(r)} ${r.below(3)} EX 10000`,
  // Not GET: to whoever has subscribed to the event it comes before the value here (docs/server.md).
  r => `SET ${key(r)} x ${r.pick(['NX', 'XX'])}`,
  r => `GET ${key(r)}`,
  r => `MGET ${key(r)} ${key(r)}`,
  r => `DEL ${key(r)} ${key(r)}`,
  r => `MSET ${key(r)} 1 ${key(r)} 2`,
  r => `MSETNX ${key(r)} 1 ${key(r)} 2`,
  r => `INCR ${key(r)}`,
  r => `INCRBYFLOAT ${key(r)} 1.5`,
  r => `APPEND ${key(r)} x`,
  r => `SETRANGE ${key(r)} 1 x`,
  r => `SETBIT ${key(r)} 9 1`,
  r => `BITOP OR ${key(r)} ${key(r)} ${key(r)}`,
  r => `RENAME ${key(r)} ${key(r)}`,
  r => `RENAMENX ${key(r)} ${key(r)}`,
  r => `COPY ${key(r)} ${key(r)} REPLACE`,
  r => `MOVE ${key(r)} ${r.below(2)}`,
  r => `EXPIRE ${key(r)} ${r.pick(['1000', '-1'])}`,
  r => `PERSIST ${key(r)}`,
  r => `TOUCH ${key(r)}`,
  () => 'FLUSHDB',
  () => 'FLUSHALL',
]

/** What is told of an EXEC is told when it is committed: by the flags of then, and of a key that it flushed as well. */
const INSIDE = ABOUT_KEYS.slice(1, -2)

const TRACKING = [
  'ON',
  'ON',
  'ON NOLOOP',
  'ON BCAST',
  'ON BCAST PREFIX prefix:',
  'ON BCAST PREFIX prefix: PREFIX a NOLOOP',
  'ON BCAST PREFIX p PREFIX prefix:',
  'ON OPTIN',
  'ON OPTOUT',
  'ON OPTIN OPTOUT',
  'ON OPTIN BCAST',
  'OFF',
  'OFF',
  'ON REDIRECT <a>',
  'ON REDIRECT 0',
  'ON REDIRECT 999999999',
  'bogus',
]

const ABOUT_CLIENTS: readonly ((random: Random) => string)[] = [
  r => `CLIENT TRACKING ${r.pick(TRACKING)}`,
  r => `CLIENT CACHING ${r.pick(['YES', 'NO', 'maybe'])}`,
  () => 'CLIENT TRACKINGINFO',
  () => 'CLIENT GETREDIR',
  () => 'RESET',
  () => 'PING',
]

/** So many steps, after some that clear the server. */
export function randomSteps(random: Random, count: number): Step[] {
  const steps = ['a> FLUSHALL', 'a> CONFIG SET notify-keyspace-events ""', 'b> PING', 'c> HELLO 3', 'd> HELLO 3']
  while (steps.length < count) {
    const name = random.pick(Object.keys(PATTERNS))
    if (random.chance(0.1)) steps.push(...transaction(random, name))
    else {
      const said = one(random, name)
      steps.push(`${name}> ${said}`)
      if (said === 'RESET' && 'cd'.includes(name)) steps.push(`${name}> HELLO 3`)
    }
  }
  return steps
}

/**
 * One that publishes is `p`, which hears nothing itself: Redis 7.0 puts what a connection says to itself into the middle
 * of the reply to EXEC.
 */
function transaction(random: Random, listener: string): Step[] {
  const name = random.chance(0.7) ? 'p' : listener
  const inside = Array.from({ length: random.between(1, 4) }, () => {
    if (name !== 'p') return random.pick(ABOUT_CHANNELS.slice(0, 6))(random, name)
    return random.chance(0.7) ? random.pick(INSIDE)(random) : random.pick(ABOUT_CHANNELS.slice(6))(random, name)
  })
  return ['MULTI', ...inside, 'EXEC'].map(said => `${name}> ${said}`)
}

function one(random: Random, name: string): string {
  const kind = random.below(20)
  if (kind < 7) return random.pick(ABOUT_CHANNELS)(random, name)
  return kind < 17 ? random.pick(ABOUT_KEYS)(random) : random.pick(ABOUT_CLIENTS)(random)
}
