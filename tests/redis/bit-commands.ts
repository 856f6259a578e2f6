/** Random commands on bits, and others on values that come with them: LCS, SUBSTR, OBJECT. */
import type { Random } from '../support/random.ts'
import type { Command } from './wire.ts'

type Make = (random: Random) => Command

const KEYS = ['a', 'b', 'c', 'long', 'new']
const TEXTS = [
  '',
  '\0',
  '\xff',
  '\xff\xff\xff',
  '\0\0\x01',
  'foobar',
  'ohmytext',
  'mynewtext',
  '12',
  '-7',
  '1'.repeat(45),
]
const WRONG = ['abc', '', '1.5', ' 1', '01', '99999999999999999999', '-']
const LARGE = ['9223372036854775807', '-9223372036854775808', '4294967295', '4294967296', '134217727', '134217728']
const UNITS = ['BIT', 'BYTE', 'bit', 'bytes', '']

const pick = <T>(random: Random, list: readonly T[]): T => list[random.below(list.length)]!
const several = <T>(random: Random, most: number, make: () => T): T[] =>
  Array.from({ length: random.between(1, most) }, make)
const key = (random: Random): string => pick(random, KEYS)
const place = (random: Random, least: number, most: number): string =>
  random.chance(0.93) ? String(random.between(least, most)) : pick(random, [...WRONG, ...LARGE])
/** Where a write may put it: large places would make large values. */
const offset = (random: Random): string =>
  random.chance(0.93)
    ? String(random.between(0, 300))
    : pick(random, [...WRONG, '-1', '4294967295', '9223372036854775807'])

const range: (random: Random) => string[] = random => {
  const words = [place(random, -12, 90), place(random, -12, 90), pick(random, UNITS)]
  return words.slice(0, pick(random, [0, 1, 2, 2, 2, 3, 3, 3]))
}

const TYPES = ['u1', 'u8', 'i8', 'u5', 'i5', 'i16', 'u63', 'i64', 'i1', 'u32', 'i33']
const WRONG_TYPES = ['u64', 'i65', 'u0', 'x8', '8', '', 'i08', 'U8', 'i8\0x']

const fieldOperation: (random: Random) => string[] = random => {
  const type = random.chance(0.97) ? pick(random, TYPES) : pick(random, WRONG_TYPES)
  const at = random.chance(0.3) ? `#${random.between(0, 6)}` : random.chance(0.03) ? '#x' : offset(random)
  const number = random.chance(0.5) ? String(random.between(-300, 300)) : pick(random, [...LARGE, ...LARGE, ...WRONG])
  return pick(random, [
    ['GET', type, at],
    ['SET', type, at, number],
    ['INCRBY', type, at, number],
    ['incrby', type, at, String(random.between(-9, 9))],
    ['OVERFLOW', pick(random, ['WRAP', 'SAT', 'FAIL', 'sat', 'fail', random.chance(0.1) ? 'none' : 'wrap'])],
  ])
}

const COMMANDS: readonly Make[] = [
  r => ['SET', key(r), Buffer.from(pick(r, TEXTS), 'latin1')],
  r => ['SET', key(r), Buffer.from(Array.from({ length: r.between(1, 70) }, () => r.below(256)))],
  r => ['SET', key(r), Buffer.from('abcab'.repeat(9).slice(r.below(30)))],
  r => ['DEL', key(r)],
  r => ['GET', key(r)],
  r => ['SETBIT', key(r), offset(r), r.chance(0.95) ? String(r.below(2)) : pick(r, ['2', '-1', 'x', ''])],
  r => ['SETBIT', key(r), offset(r), String(r.below(2))],
  r => ['GETBIT', key(r), place(r, 0, 300)],
  r => ['BITCOUNT', key(r), ...range(r)],
  r => ['BITCOUNT', key(r), ...range(r)],
  r => ['BITPOS', key(r), r.chance(0.95) ? String(r.below(2)) : pick(r, ['2', '-1', 'x']), ...range(r)],
  r => ['BITPOS', key(r), String(r.below(2)), ...range(r)],
  r => ['BITOP', pick(r, ['AND', 'OR', 'XOR', 'xor', 'and', 'nor']), key(r), ...several(r, 4, () => key(r))],
  r => ['BITOP', 'NOT', key(r), ...several(r, r.chance(0.9) ? 1 : 2, () => key(r))],
  r => ['BITFIELD', key(r), ...several(r, 4, () => fieldOperation(r)).flat()],
  r => ['BITFIELD', key(r), ...several(r, 4, () => fieldOperation(r)).flat()],
  r => ['BITFIELD_RO', key(r), ...several(r, 3, () => ['GET', pick(r, TYPES), place(r, 0, 400)]).flat()],
  r => ['BITFIELD_RO', key(r), ...fieldOperation(r)],
  r => ['LCS', key(r), key(r), ...lcsOptions(r)],
  r => ['SUBSTR', key(r), place(r, -12, 12), place(r, -12, 12)],
  r => ['OBJECT', pick(r, ['FREQ', 'bogus', 'ENCODING', 'REFCOUNT']), ...pick(r, [[], ['none'], ['none', 'b']])],
  r => ['GETEX', key(r), ...pick(r, [[], ['PERSIST'], ['EX', '100'], ['EX', '0'], ['BOGUS'], ['EX', '1', 'PX', '1']])],
]

function lcsOptions(random: Random): string[] {
  const options: string[] = []
  if (random.chance(0.4)) options.push('IDX')
  else if (random.chance(0.3)) options.push('LEN')
  if (random.chance(0.3)) options.push('WITHMATCHLEN')
  if (random.chance(0.3)) options.push('MINMATCHLEN', place(random, -1, 5))
  if (random.chance(0.05)) options.push(pick(random, ['LEN', 'IDX', 'bogus', 'MINMATCHLEN']))
  return options
}

export function randomBitCommand(random: Random): Command {
  const command = pick(random, COMMANDS)(random)
  if (random.chance(0.03)) return random.chance(0.5) ? command.slice(0, -1) : [...command, 'x']
  return command
}
