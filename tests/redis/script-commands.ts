/** Random scripts: what Lua returns, what redis.call and redis.pcall answer, and what a script that fails leaves. */
import { createHash } from 'node:crypto'
import type { Random } from '../support/random.ts'
import type { Command } from './wire.ts'

type Make = (random: Random) => string

const KEYS = ['a', 'b', 'c', 'n1', 'n2']
const TEXTS = ['x', '12', '', 'hello', '-3', '3.5', 'a\\0b', '\\255\\254', 'not a number']

const line: Make = random => `'${random.pick(['FINE', 'some words', ''])}'`
const text: Make = random => `'${random.pick(TEXTS)}'`
const number: Make = random => random.pick(['0', '1', '-1', '7', '42', '2.5', '-2.5', '1e3', '0.1', '2^31', '2^53'])
const key: Make = random => random.pick(['KEYS[1]', 'KEYS[2]'])
const argument: Make = random => random.pick(['ARGV[1]', 'ARGV[2]', 'ARGV[3]'])

/** Words of a call: most are right. */
const words: Make = random =>
  random.pick<Make>([
    r => `'GET', ${key(r)}`,
    r => `'get', ${key(r)}`,
    r => `'SET', ${key(r)}, ${argument(r)}`,
    r => `'SET', ${key(r)}, ${number(r)}`,
    r => `'SET', ${key(r)}, ${text(r)}, 'NX', 'EX', 10000`,
    r => `'INCR', ${key(r)}`,
    r => `'INCRBY', ${key(r)}, ${argument(r)}`,
    r => `'INCRBYFLOAT', ${key(r)}, '0.5'`,
    r => `'APPEND', ${key(r)}, ${argument(r)}`,
    r => `'STRLEN', ${key(r)}`,
    r => `'DEL', ${key(r)}`,
    r => `'EXISTS', ${key(r)}, ${key(r)}`,
    r => `'MGET', ${key(r)}, ${key(r)}, 'none'`,
    r => `'MSET', ${key(r)}, '1', ${key(r)}, '2'`,
    r => `'EXPIRE', ${key(r)}, 100000`,
    r => `'PERSIST', ${key(r)}`,
    () => `'TTL', 'none'`,
    r => `'TYPE', ${key(r)}`,
    r => `'GETRANGE', ${key(r)}, 0, 2`,
    r => `'SETRANGE', ${key(r)}, 3, 'abc'`,
    r => `'SETBIT', ${key(r)}, ${r.below(40)}, 1`,
    r => `'BITCOUNT', ${key(r)}`,
    r => `'RENAME', ${key(r)}, ${key(r)}`,
    r => `'SELECT', ${r.below(3)}`,
    () => `'DBSIZE'`,
    r => `'ECHO', ${text(r)}`,
    () => `'PING'`,
    r => `'NOSUCH', ${key(r)}`,
    () => `'GET'`,
    () => `'MULTI'`,
    () => `'SUBSCRIBE', 'c'`,
    () => `'EVAL', 'return 1', 0`,
    () => `'FLUSHDB'`,
    r => `${key(r)}`,
  ])(random)

const call: Make = random => `redis.${random.chance(0.7) ? 'call' : 'pcall'}(${words(random)})`

const value: Make = random =>
  random.pick<Make>([
    number,
    text,
    call,
    call,
    call,
    argument,
    key,
    r => `{${value(r)}, ${value(r)}}`,
    r => `{${value(r)}, nil, ${number(r)}}`,
    () => 'true',
    () => 'false',
    () => 'nil',
    () => '{}',
    r => `redis.status_reply(${line(r)})`,
    r => `redis.error_reply(${r.pick(["'MINE oh'", "'-WITH dash'", "''", "'single'"])})`,
    r => `{ok = ${line(r)}}`,
    () => `{err = 'CODE text'}`,
    r => `tostring(${number(r)})`,
    r => `tonumber(${argument(r)})`,
    r => `#${argument(r)}`,
    r => `${text(r)} .. ${argument(r)}`,
    r => `string.rep(${text(r)}, ${r.below(4)})`,
    r => `string.format('%d %s %5.2f', ${r.below(100)}, ${argument(r)}, ${r.below(100)} / 7)`,
    r => `string.upper(${argument(r)}) .. string.sub(${argument(r)}, 2, -2)`,
    r => `math.floor(${number(r)} / 2)`,
    r => `table.concat({${text(r)}, ${argument(r)}}, '-')`,
    r => `type(${value(r)})`,
    r => `select('#', ${value(r)}, ${value(r)})`,
    r => `redis.sha1hex(${text(r)})`,
    r => `cjson.encode({${text(r)}, ${r.below(100)}, true})`,
    () => `cjson.decode('{"a": [1, 2, {"b": null}]}').a[2]`,
    r => `cmsgpack.unpack(cmsgpack.pack(${argument(r)}))`,
    r => `bit.band(${r.below(1000)}, ${r.below(1000)})`,
    r => `string.byte(struct.pack('>I2', ${r.below(1000)}), 2)`,
  ])(random)

const statement: Make = random =>
  random.pick<Make>([
    call,
    call,
    call,
    r => `local x = ${value(r)}`,
    r => `for i = 1, ${r.below(4)} do ${call(r)} end`,
    r => `for i, word in ipairs(ARGV) do redis.call('APPEND', ${key(r)}, word) end`,
    r => `if redis.call('EXISTS', ${key(r)}) == ${r.below(2)} then ${call(r)} else ${call(r)} end`,
    r => `local ok, problem = pcall(redis.call, ${words(r)}); if not ok then ${call(r)} end`,
    r => (r.chance(0.15) ? `error(${r.pick(["'thrown'", "{err = 'MINE thrown'}", "'ERR thrown'"])})` : call(r)),
    r =>
      r.chance(0.1) ? r.pick(['undeclared = 1', 'return undeclared.x', 'local y = nil; y()', 'syntax error']) : call(r),
    r => (r.chance(0.2) ? 'redis.setresp(3)' : call(r)),
  ])(random)

function script(random: Random): string {
  const lines = Array.from({ length: random.below(4) }, () => statement(random))
  if (random.chance(0.9)) lines.push(`return ${value(random)}`)
  return lines.join(random.chance(0.5) ? '\n' : ' ')
}

/** None has a zero byte: Lua 5.1 in C ends a `%s` of string.format there, and Redis a status. */
const ARGUMENTS = ['1', '5', 'x', '', '-2', '3.5', 'longer text', '\xff\xfe']

/** A script, or what belongs to scripts; few of them, so that EVALSHA meets some again. */
export function randomScriptCommand(random: Random): Command {
  const body = script(random)
  const sha = createHash('sha1').update(body).digest('hex')
  const keys = [random.pick(KEYS), random.pick(KEYS)]
  const given = Array.from({ length: 3 }, () => random.pick(ARGUMENTS))
  const count = random.chance(0.96) ? '2' : random.pick(['0', '1', '5', '6', '-1', 'x', ''])
  const tail = [count, ...keys, ...given]
  return random.pick<() => Command>([
    () => ['EVAL', body, ...tail],
    () => ['EVAL', body, ...tail],
    () => ['EVAL', body, ...tail],
    () => ['EVAL', body, ...tail],
    () => ['EVAL_RO', body, ...tail],
    () => ['SCRIPT', 'LOAD', body],
    () => ['EVALSHA', random.pick(LOADED).sha, ...tail],
    () => ['EVALSHA', random.pick(LOADED).sha.toUpperCase(), ...tail],
    () => ['SCRIPT', 'LOAD', random.pick(LOADED).body],
    () => ['EVALSHA_RO', random.pick(LOADED).sha, ...tail],
    () => ['EVALSHA', random.pick([sha, 'abc', '']), ...tail],
    () => ['SCRIPT', 'EXISTS', sha, random.pick(LOADED).sha, 'x'],
    () =>
      random.chance(0.2)
        ? ['SCRIPT', ...random.pick([['FLUSH'], ['FLUSH', 'SYNC'], ['BOGUS'], ['LOAD']])]
        : ['GET', keys[0]!],
  ])()
}

const LOADED: readonly { readonly body: string; readonly sha: string }[] = [
  "return redis.call('INCR', KEYS[1])",
  "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end",
  'return {KEYS, ARGV}',
].map(body => ({ body, sha: createHash('sha1').update(body).digest('hex') }))
