/** Random commands: mostly right, some with too few or too many arguments, or others than a command wants. */
import type { Random } from '../support/random.ts'
import type { Command } from './wire.ts'

type Make = (random: Random) => string[]

const KEYS = ['a', 'b', 'c', 'user:1', 'user:2', 'key with spaces', 'ключ', 'n1', 'n2', '{tag}x', 'A']
const TEXTS = ['', 'x', 'hello', 'Hello World', 'ÄÖÜ', '\r\n', '3.0', ' 12', 'abc\0def', 'z'.repeat(100)]
const WHOLE = [
  '0',
  '1',
  '-1',
  '10',
  '42',
  '1000',
  '-5',
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775806',
]
const DECIMAL = ['0.5', '1.5', '-2.25', '3', '1e3', '0.1', '5.0e3', '1e-3', '10.50', '-0', '100000000000']
const NO_NUMBER = [
  'abc',
  '',
  '1.5',
  ' 1',
  '1 ',
  '+1',
  '0x10',
  '9223372036854775808',
  '99999999999999999999',
  'inf',
  'nan',
  '-',
  '01',
]
const PATTERNS = [
  '*',
  'a',
  '?',
  'user:*',
  '[ab]',
  '[^a]',
  '[a-c]',
  '*1',
  '\\a',
  'k*s',
  '**',
  '[',
  '[a',
  'ключ',
  '*r:?',
  '',
  '?*',
  '[^',
  '\\',
  'user:[0-9]',
  '*[1',
  '[b-a]',
]

const key: (random: Random) => string = random => pick(random, KEYS)
const text: (random: Random) => string = random =>
  random.chance(0.4) ? pick(random, WHOLE) : random.chance(0.3) ? pick(random, DECIMAL) : pick(random, TEXTS)
const number: (random: Random) => string = random =>
  random.chance(0.85) ? pick(random, WHOLE) : pick(random, NO_NUMBER)
const position: (random: Random) => string = random =>
  random.chance(0.85) ? String(random.between(-12, 12)) : pick(random, [...WHOLE.slice(0, 7), ...NO_NUMBER])

/** Never so soon that a slow run meets it. */
const seconds: Make = random => [random.chance(0.8) ? String(random.between(10_000, 1_000_000)) : pick(random, TIMES)]
const millis: Make = random => [
  random.chance(0.8) ? String(random.between(10_000_000, 1_000_000_000)) : pick(random, TIMES),
]
const TIMES = [
  '0',
  '-1',
  '-1000',
  'abc',
  '1.5',
  '',
  '9223372036854775807',
  '-9223372036854775808',
  '99999999999999999999',
]
const at: Make = random => [
  random.chance(0.7)
    ? String(2_000_000_000 + random.below(1_000_000))
    : pick(random, ['1', '0', '-5', '1000000', ...TIMES.slice(3)]),
]
const atMillis: Make = random => [
  random.chance(0.7)
    ? String(2_000_000_000_000 + random.below(1_000_000))
    : pick(random, ['1', '0', '-5', '1000000', ...TIMES.slice(3).filter(time => !/807$/.test(time))]),
]
/** Redis counts what SET lets expire in the past until somebody looks at it, and times beyond 2^48 are cut off here. */
const aheadOnly: Make = random => {
  const [name, time] = expiry(random) as [string, string]
  return /^\d{1,7}$/.test(time) && name.endsWith('AT') ? [name, '0'] : [name, time]
}

const expiry: Make = random =>
  pick<Make>(random, [
    r => ['EX', ...seconds(r)],
    r => ['PX', ...millis(r)],
    r => ['EXAT', ...at(r)],
    r => ['PXAT', ...atMillis(r)],
  ])(random)
const condition: Make = random => (random.chance(0.5) ? [] : [pick(random, ['NX', 'XX', 'GT', 'LT', 'nx', 'Xx'])])
const several = (random: Random, make: Make, most: number): string[] =>
  Array.from({ length: random.between(1, most) }, () => make(random)).flat()
const setOptions: Make = random => {
  const options: string[] = []
  if (random.chance(0.25)) options.push(pick(random, ['NX', 'XX', 'nx']))
  if (random.chance(0.2)) options.push('GET')
  if (random.chance(0.25)) options.push(...aheadOnly(random))
  else if (random.chance(0.2)) options.push('KEEPTTL')
  if (random.chance(0.03)) options.push(pick(random, ['NX', 'XX', 'GET', 'KEEPTTL', 'EX', 'bogus', 'PERSIST']))
  return options
}

/** The weight, and how a command is made. */
const COMMANDS: readonly (readonly [weight: number, make: Make])[] = [
  [14, r => ['SET', key(r), text(r), ...setOptions(r)]],
  [8, r => ['GET', key(r)]],
  [2, r => ['SETNX', key(r), text(r)]],
  [2, r => ['SETEX', key(r), ...seconds(r), text(r)]],
  [2, r => ['PSETEX', key(r), ...millis(r), text(r)]],
  [3, r => ['MGET', ...several(r, x => [key(x)], 4)]],
  [3, r => ['MSET', ...several(r, x => [key(x), text(x)], 3)]],
  [2, r => ['MSETNX', ...several(r, x => [key(x), text(x)], 3)]],
  [2, r => ['GETSET', key(r), text(r)]],
  [2, r => ['GETDEL', key(r)]],
  [3, r => ['GETEX', key(r), ...(r.chance(0.6) ? expiry(r) : r.chance(0.5) ? ['PERSIST'] : [])]],
  [3, r => ['APPEND', key(r), text(r)]],
  [2, r => ['STRLEN', key(r)]],
  [3, r => ['GETRANGE', key(r), position(r), position(r)]],
  [
    3,
    r => [
      'SETRANGE',
      key(r),
      r.chance(0.9) ? String(r.below(20)) : pick(r, ['-1', 'abc', '536870912', '1.5', '']),
      text(r),
    ],
  ],
  [4, r => ['INCR', key(r)]],
  [3, r => ['DECR', key(r)]],
  [4, r => ['INCRBY', key(r), number(r)]],
  [4, r => ['DECRBY', key(r), number(r)]],
  [
    5,
    r => [
      'INCRBYFLOAT',
      key(r),
      r.chance(0.8) ? pick(r, DECIMAL) : pick(r, [...NO_NUMBER, '1e300', '-1e300', '5e-324']),
    ],
  ],
  [4, r => ['DEL', ...several(r, x => [key(x)], 3)]],
  [2, r => ['UNLINK', ...several(r, x => [key(x)], 3)]],
  [3, r => ['EXISTS', ...several(r, x => [key(x)], 3)]],
  [2, r => ['TYPE', key(r)]],
  [2, r => ['KEYS', pick(r, PATTERNS)]],
  [3, r => ['SCAN', r.chance(0.9) ? '0' : pick(r, ['abc', '', '1.5', '99999999999999999999']), ...scanOptions(r)]],
  [1, () => ['RANDOMKEY']],
  [2, r => ['RENAME', key(r), key(r)]],
  [2, r => ['RENAMENX', key(r), key(r)]],
  [
    3,
    r => [
      'COPY',
      key(r),
      key(r),
      ...pick(r, [[], [], ['REPLACE'], ['DB', '0'], ['DB', '1'], ['DB', 'x'], ['DB', '0', 'REPLACE'], ['BOGUS']]),
    ],
  ],
  [2, r => ['TOUCH', ...several(r, x => [key(x)], 3)]],
  [2, () => ['DBSIZE']],
  [0.3, r => ['FLUSHDB', ...pick(r, [[], ['SYNC'], ['ASYNC'], ['bogus']])]],
  [0.3, r => ['FLUSHALL', ...pick(r, [[], ['SYNC'], ['ASYNC'], ['bogus'], ['SYNC', 'ASYNC']])]],
  [3, r => ['EXPIRE', key(r), ...seconds(r), ...condition(r)]],
  [2, r => ['PEXPIRE', key(r), ...millis(r), ...condition(r)]],
  [3, r => ['EXPIREAT', key(r), ...at(r), ...condition(r)]],
  [2, r => ['PEXPIREAT', key(r), ...atMillis(r), ...condition(r)]],
  [1, r => ['EXPIRE', key(r), ...seconds(r), ...condition(r), ...condition(r)]],
  [3, r => ['TTL', key(r)]],
  [3, r => ['PTTL', key(r)]],
  [2, r => ['EXPIRETIME', key(r)]],
  [2, r => ['PEXPIRETIME', key(r)]],
  [2, r => ['PERSIST', key(r)]],
  [5, () => ['MULTI']],
  [9, () => ['EXEC']],
  [1.5, () => ['DISCARD']],
  [2, r => ['WATCH', ...several(r, x => [key(x)], 2)]],
  [1, () => ['UNWATCH']],
  [1, r => ['PING', ...pick(r, [[], ['hello'], ['']])]],
  [1, r => ['ECHO', text(r)]],
  [0.5, r => ['SELECT', pick(r, ['0', '0', '1', '2', '-1', '16', 'abc', '99999999999'])]],
  [0.5, r => ['MOVE', key(r), pick(r, ['0', '1', '2', '16', 'x'])]],
  [0.1, r => ['SWAPDB', pick(r, ['0', '1', '2', '16', 'x']), pick(r, ['0', '1', '2', '-1', 'x'])]],
  [0.3, () => ['TIME']],
  [0.5, () => ['CLIENT', 'GETNAME']],
  [0.5, r => ['CLIENT', 'SETNAME', pick(r, ['me', '', 'with space', 'ä'])]],
  [0.3, () => ['CLIENT', 'ID']],
  [0.3, r => ['CLIENT', 'NO-EVICT', pick(r, ['on', 'off', 'maybe'])]],
  [0.3, r => ['CLIENT', pick(r, ['bogus', 'KILL', 'LIST', 'INFO'])]],
  [0.3, r => ['CONFIG', pick(r, ['bogus', 'GET', 'SET'])]],
  [0.3, r => ['CONFIG', 'GET', pick(r, ['maxmemory-policy', 'nothing', 'databases'])]],
  [0.3, r => ['CONFIG', 'SET', pick(r, ['nothing', 'bogus']), '1']],
  [0.3, () => ['MEMORY', 'bogus']],
  [0.3, () => ['COMMAND', 'COUNT']],
  [0.3, r => ['COMMAND', pick(r, ['bogus'])]],
  [0.3, () => ['LASTSAVE']],
  [0.3, r => ['AUTH', ...pick(r, [['x'], ['default', 'x'], ['who', 'x'], ['a', 'b', 'c']])]],
  [0.3, r => ['HELLO', pick(r, ['1', '4', 'abc', ''])]],
  [0.3, () => ['RESET']],
  [
    1,
    r => [
      pick(r, ['NOSUCH', 'get2', 'SETS', '', 'GE T', 'x'.repeat(150)]),
      ...several(r, x => [text(x)], 4).slice(r.below(2)),
    ],
  ],
]

function scanOptions(random: Random): string[] {
  const options: string[] = []
  if (random.chance(0.5)) options.push('MATCH', pick(random, PATTERNS))
  // Fewer could be answered in several parts, which are the server's own.
  options.push('COUNT', random.chance(0.9) ? '1000' : pick(random, ['0', '-1', 'abc', '1.5']))
  if (random.chance(0.3)) options.push('TYPE', pick(random, ['string', 'STRING', 'list', 'hash', 'bogus']))
  if (random.chance(0.03)) options.push(pick(random, ['MATCH', 'COUNT', 'bogus']))
  return options
}

const total = COMMANDS.reduce((sum, [weight]) => sum + weight, 0)

export function randomCommand(random: Random): Command {
  let at = (random.next() / 2 ** 32) * total
  const make = COMMANDS.find(([weight]) => {
    at -= weight
    return at < 0
  })![1]
  const command = make(random)
  const name = command[0]!
  if (random.chance(0.2)) command[0] = random.chance(0.5) ? name.toLowerCase() : mixed(name)
  if (random.chance(0.05)) {
    if (random.chance(0.5)) command.pop()
    else command.push(pick(random, ['x', 'EX', 'a', 'NX', '0']))
  }
  return command.length === 0 ? [name] : command
}

function mixed(name: string): string {
  return [...name].map((letter, i) => (i % 2 === 0 ? letter.toLowerCase() : letter)).join('')
}

function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.below(list.length)]!
}
