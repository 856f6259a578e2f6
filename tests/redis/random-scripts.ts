/** Random scripts: short programs on numbers, strings, tables and keys, whose every error is caught and shown. */
import type { Random } from '../support/random.ts'

const KEYS = ['a', 'b', 'c']
const NAMES = ['x', 'y', 'z']

const pick = <T>(random: Random, from: readonly T[]): T => from[random.below(from.length)]!

const number = (random: Random): string =>
  pick(random, [
    () => String(random.between(-20, 20)),
    () => String(random.between(0, 1000) / 8),
    () => `${random.between(1, 9)}e${random.between(-5, 18)}`,
    () => `0x${random.below(65536).toString(16)}`,
  ])()

const text = (random: Random): string =>
  pick(random, ['""', '"abc"', '"10"', '"3.5"', '" 7 "', '"a,b,c"', '"x1y22"', "'it\\'s'", '"z\\255"', '[[long]]'])

const PATTERNS = [
  '%a',
  '%d+',
  '.',
  '(%a)(%d*)',
  '^.',
  '.$',
  '[a-c]+',
  '[^,]*',
  '%s*',
  '()',
  '%f[%w]%w',
  'b',
  '%w-',
  ',',
]
const pattern = (random: Random): string => `"${pick(random, PATTERNS)}"`

/** An expression, of any type. */
const expression = (random: Random, depth: number): string => {
  if (depth <= 0)
    return pick(random, [number, text, () => pick(random, NAMES), () => pick(random, ['nil', 'true'])])(random)
  const e = (): string => expression(random, depth - 1)
  return pick(random, [
    () => `(${e()} ${pick(random, ['+', '-', '*', '/', '%', '^'])} ${e()})`,
    () => `(${e()} .. ${e()})`,
    () => `(${e()} ${pick(random, ['==', '~=', '<', '<=', '>', '>='])} ${e()})`,
    () => `(${e()} ${pick(random, ['and', 'or'])} ${e()})`,
    () => `${pick(random, ['-', 'not ', '#'])}${e()}`,
    () => `tostring(${e()})`,
    () => `tonumber(${e()})`,
    () => `math.${pick(random, ['floor', 'ceil', 'abs', 'sqrt'])}(${e()})`,
    () => `math.${pick(random, ['max', 'min'])}(${e()}, ${e()})`,
    () => `string.${pick(random, ['len', 'upper', 'lower', 'reverse', 'byte'])}(${e()})`,
    () => `string.sub(${e()}, ${random.between(-4, 4)}, ${random.between(-4, 4)})`,
    () => `string.rep(${e()}, ${random.between(-1, 4)})`,
    () =>
      `string.${pick(random, ['find', 'match'])}(${e()}, ${pattern(random)}${random.chance(0.3) ? `, ${random.between(-4, 6)}` : ''})`,
    () =>
      `string.gsub(${e()}, ${pattern(random)}, ${pick(random, ['"<%0>"', '"%1"', '"%%"', '""', 'string.upper', '{a = "A"}'])})`,
    () =>
      `string.format("${pick(random, ['%d', '%s', '%5.2f', '%g', '%x', '%5s', '%-6d|', '%03d', '%i', '%.3s', '%e'])}", ${e()})`,
    // Where a list with nil in it ends, and in which order named fields come, is for each Lua to say.
    () => `table.concat({tostring(${e()}), (${e()})}, ${text(random)})`,
    () => `select(${random.between(-2, 3)}, ${e()}, ${e()})`,
    () => `({${e()}, ${e()}, k = ${e()}})${pick(random, ['[1]', '[2]', '.k', '[3]'])}`,
    () => `type(${e()})`,
    () => `bit.${pick(random, ['band', 'bor', 'bxor', 'lshift', 'rshift', 'arshift', 'rol'])}(${e()}, ${e()})`,
    () => `bit.${pick(random, ['tobit', 'bnot', 'bswap', 'tohex'])}(${e()})`,
    () => `cjson.encode(${pick(random, [`plain(${e()})`, `{plain(${e()}), plain(${e()})}`, `{k = plain(${e()})}`])})`,
    () => `cjson.decode(${pick(random, ['"[1,2]"', '"{}"', '"1e3"', '"nul"', '"\\"a\\\\u0041\\""', e()])})`,
    () => `redis.sha1hex(cmsgpack.pack(plain(${e()}), {plain(${e()}), plain(${e()})}))`,
    () => `redis.sha1hex(struct.pack("${pick(random, ['>I2', '<i4', 'b', 'd', 'f', 'h', '>l', 's'])}", ${e()}))`,
    () => `redis.call(${command(random, e)})`,
    () => `redis.pcall(${command(random, e)})`,
    () => `(function(...) return ... end)(${e()}, ${e()})`,
    () => `loadstring("return " .. ${text(random)})`,
  ])()
}

const command = (random: Random, e: () => string): string => {
  const key = `"${pick(random, KEYS)}"`
  return pick(random, [
    `"GET", ${key}`,
    `"SET", ${key}, ${e()}`,
    `"INCR", ${key}`,
    `"INCRBY", ${key}, ${e()}`,
    `"APPEND", ${key}, ${e()}`,
    `"DEL", ${key}`,
    `"EXISTS", ${key}`,
    `"MGET", "a", "b", ${e()}`,
    `"STRLEN", ${key}`,
    `"GETRANGE", ${key}, ${e()}, 3`,
    `"TYPE", ${key}`,
    `"NOTHING", ${key}`,
    `"SET", ${key}`,
  ])
}

/** Shows each value with its type, tables by their lists and the fields that replies have. */
const SHOW = `local told = tostring
local function tostring(v)
  local t = type(v)
  if t == 'table' or t == 'function' or t == 'userdata' then return t end
  return told(v)
end
local function plain(v)
  if type(v) == 'table' then return 'table' end
  return v
end
local function show(v, depth)
  if type(v) ~= 'table' then
    if type(v) == 'function' or type(v) == 'userdata' then return type(v) end
    return type(v) .. ':' .. tostring(v)
  end
  if depth > 3 then return 'deep' end
  local r = {}
  for i = 1, 3 do if v[i] ~= nil then r[#r + 1] = show(v[i], depth + 1) end end
  for _, k in ipairs({'ok', 'err', 'k'}) do if v[k] ~= nil then r[#r + 1] = k .. '=' .. show(v[k], depth + 1) end end
  return '{' .. table.concat(r, ' ') .. '}'
end
`

export const randomScript = (random: Random): string => {
  const lines: string[] = [`local x, y, z = ${number(random)}, ${text(random)}, {${number(random)}, ${text(random)}}`]
  const count = random.between(1, 4)
  for (let i = 0; i < count; i++) {
    const e = expression(random, random.between(1, 3))
    lines.push(
      pick(random, [
        `${pick(random, NAMES)} = ${e}`,
        `if ${e} then x = 1 else y = 2 end`,
        `for i = 1, 3 do z = {i, ${e}} end`,
        `local ok, e${i} = pcall(function() return ${e} end) y = tostring(e${i})`,
      ]),
    )
  }
  const last = expression(random, 3)
  return `${SHOW}${lines.join('\n')}\n${
    random.chance(0.8)
      ? `local r = {pcall(function() return ${last} end)}\nlocal s = {} for i = 1, 4 do s[i] = show(r[i], 0) end return table.concat(s, ' ')`
      : `return ${last}`
  }`
}
