/** Random requests of every command, right and hostile, as bytes. */
import { commands } from '../../src/server/commands/index.ts'
import type { Random } from '../support/random.ts'

const KEYS = ['a', 'b', 'c', 'k1', 'k2', 'k3', 'user:1', '{x}', 'ключ', ' ', '\0']
const NUMBERS = ['0', '1', '-1', '2', '3', '10', '100', '-100', '1000', '0.5', '-2.5', '1e10']
const HOSTILE = [
  '',
  '\0',
  '\r\n',
  '*',
  '$-1',
  '-inf',
  'nan',
  '1e400',
  '00',
  '+1',
  ' 1',
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
  '18446744073709551616',
  '4294967295',
  '4294967296',
  '2147483648',
  '536870912',
  '9007199254740993',
  '[a-',
  '[^]',
  '\\',
  `${'*a'.repeat(20)}b`,
  '\xff\xfe',
  '%s%n',
  '__proto__',
  'constructor',
  '../../etc/passwd',
  'x'.repeat(1024),
  'x'.repeat(1025),
  'v'.repeat(20_000),
]
/** What commands take for words of their own, so that their branches are met. */
const WORDS =
  `NX XX GT LT EX PX EXAT PXAT KEEPTTL GET PERSIST MATCH COUNT TYPE LIMIT BYTES REV KEYS REPLACE DB ASYNC SYNC
IDX LEN WITHMATCHLEN MINMATCHLEN AND OR XOR NOT BIT BYTE GET SET INCRBY OVERFLOW WRAP SAT FAIL u8 i16 #1 ON OFF BCAST
PREFIX NOLOOP OPTIN OPTOUT REDIRECT YES NO LIST INFO ID SETNAME GETNAME KILL SKIPME TYPE normal pubsub master LADDR ADDR
USER default CHANNELS NUMSUB NUMPAT SHARDCHANNELS SHARDNUMSUB LOAD EXISTS FLUSH DOCS GETKEYS GETKEYSANDFLAGS FILTERBY
ACLCAT MODULE PATTERN RESETSTAT HELP ENCODING FREQ IDLETIME REFCOUNT USAGE SAMPLES STATS DOCTOR RESET HISTORY LATEST
GRAPH ISOLATION snapshot serializable READONLY LOCKTIMEOUT TO OPEN DROP VALUES utf8 PUSH CANCEL - + [a (b * ? a* AUTH
2 3 string hash timeout slowlog-log-slower-than notify-keyspace-events KEA NOSAVE NOW ABORT`.split(/\s+/)
const SCRIPTS = [
  "return redis.call('GET', KEYS[1])",
  "return redis.call('SET', KEYS[1], ARGV[1])",
  "for i = 1, 20 do redis.call('INCR', 'n' .. i) end return {1, {2, {3}}, 'x', false}",
  "return redis.pcall('NOSUCH', KEYS[1], ARGV[1])",
  'return {err = ARGV[1]}',
  "return cjson.decode(ARGV[1] or '[')",
  'local t = {} for i = 1, 1000 do t[i] = ("x"):rep(i) end return t',
  'return string.rep("x", 1000000)',
  'local t = {} t[1] = t return t',
  'return ARGV[1]:rep(10)',
  'local function f(n) return f(n + 1) + 1 end return f(1)',
  'return setmetatable({}, {__index = function(t, k) return error(k) end})',
  "redis.call('FLUSHDB') error('gone')",
  'return #KEYS + #ARGV',
  'syntax error here',
  'return tostring(_G) .. tostring(redis) .. type(os) .. type(io) .. type(require) .. type(load)',
  "return string.format('%99999999d', 1)",
  "return ('x'):find(('a?'):rep(20) .. ('a'):rep(20))",
  'return cmsgpack.unpack(ARGV[1])',
  "return struct.unpack('>I4', ARGV[1])",
]

/** What would stop the server or the fuzzing, or makes it wait for what never comes. */
function isExcluded([name, second, third, ...rest]: readonly string[]): boolean {
  switch (name!.toLowerCase()) {
    case 'shutdown':
      return true
    case 'client':
      // Some milliseconds are enough for PAUSE.
      return /^pause$/i.test(second ?? '') && !(Number(third) <= 10)
    case 'config':
      return /^set$/i.test(second ?? '') && !/^(no|slow|note)/i.test(third ?? '')
    case 'wait':
      return !(Number(third) > 0 && Number(third) <= 10) && Number(second) > 0
    case 'waitaof':
      return !(Number(rest[0]) > 0 && Number(rest[0]) <= 10)
    case 'in':
      return isExcluded([third ?? '', ...rest])
    default:
      return false
  }
}

const NAMES = [...commands.keys()]
/** That hold locks or end the connection: now and then is enough. */
const RARE = new Set(['begin', 'quit', 'compact', 'backup', 'flushall', 'flushdb', 'monitor', 'watchrange', 'in'])

const USUAL = ['get', 'set', 'incr', 'eval', 'exec', 'publish'].filter(name => commands.has(name))

function randomWord(random: Random): string {
  const kind = random.below(100)
  if (kind < 40) return random.pick(KEYS)
  if (kind < 60) return random.pick(NUMBERS)
  if (kind < 80) return random.pick(WORDS)
  if (kind < 92) return random.pick(HOSTILE)
  if (kind < 96) return random.pick(SCRIPTS)
  return Buffer.from(random.bytes(random.below(200))).toString('latin1')
}

function randomRequest(random: Random): string[] {
  let name = random.pick(NAMES)
  if (RARE.has(name) && random.chance(0.8)) name = random.pick(USUAL)
  const { arity, keys, subcommands } = commands.get(name)!
  const least = Math.abs(arity) - 1
  const count = random.chance(0.1) ? random.below(6) : arity > 0 ? least : least + random.below(5)
  const words = Array.from({ length: count }, (_, i) =>
    i + 1 === keys[0]?.first && random.chance(0.9) ? random.pick(KEYS) : randomWord(random),
  )
  if (subcommands !== undefined && count > 0 && random.chance(0.9)) words[0] = random.pick(Object.keys(subcommands))
  if (/^(eval|evalsha)(_ro)?$/.test(name) && count > 1 && random.chance(0.9)) {
    if (name.startsWith('eval_') || name === 'eval') words[0] = random.pick(SCRIPTS)
    words[1] = String(random.below(3))
  }
  if (name === 'script' && count > 1) words[1] = random.pick(SCRIPTS)
  return [random.chance(0.2) ? name.toUpperCase() : name, ...words]
}

/** The bytes of one request; one in sixty is damaged. */
export function randomBytesOfRequest(random: Random): Buffer {
  let words = randomRequest(random)
  while (isExcluded(words)) words = randomRequest(random)
  const bytes = Buffer.from(
    `*${words.length}\r\n${words.map(word => `$${word.length}\r\n${latin1(word)}\r\n`).join('')}`,
    'latin1',
  )
  return random.chance(1 / 60) ? damaged(bytes, random) : bytes
}

const latin1 = (word: string): string =>
  [...word].map(letter => String.fromCharCode(letter.charCodeAt(0) & 255)).join('')

const PIECES = ['\r\n', '\n', '*', '$', '-1', '999999999999', '2147483648', '"', '\\x', '\0', '*3\r\n', '$3\r\n', ' ']

function damaged(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length + 1)
  const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)]
  switch (random.below(4)) {
    case 0:
      return Buffer.concat([head, Buffer.from([random.below(256)]), tail.subarray(1)])
    case 1:
      return Buffer.concat([head, tail.subarray(1 + random.below(4))])
    case 2:
      return Buffer.concat([head, Buffer.from(random.pick(PIECES)), tail])
    default:
      return Buffer.concat([head, bytes.subarray(random.below(bytes.length)), tail])
  }
}
