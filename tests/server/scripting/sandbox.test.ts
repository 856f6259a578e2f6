/** What scripts must not reach, and what must not take the server down. */
import { expect, test } from 'vitest'
import { bulk, request, withServer } from '../wire.ts'

const script = (text: string): string => request('EVAL', text, 0)

test('nothing of the system is there', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    for (const name of [
      ...['os', 'io', 'debug', 'package', 'require', 'dofile', 'loadfile', 'print', 'module', 'js', 'process'],
      ...['utf8', 'warn', 'rawlen', 'setfenv', 'getfenv', 'newproxy'],
    ])
      await c.expect(
        script(`return ${name}`),
        new RegExp(`^-ERR user_script:1: Script attempted to access nonexistent global variable '${name}'`),
      )
    await c.expect(
      script(`local r = {}
        for _, name in ipairs({"dump", "pack", "unpack", "packsize"}) do r[#r + 1] = tostring(string[name]) end
        for _, name in ipairs({"move", "unpack", "pack"}) do r[#r + 1] = tostring(table[name]) end
        for _, name in ipairs({"close", "isyieldable"}) do r[#r + 1] = tostring(coroutine[name]) end
        return table.concat(r, ",")`),
      bulk(Array(9).fill('nil').join(',')),
    )
  }))

test('no byte code is loaded', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    await c.expect(script('return {loadstring("\\27Lua")}'), /^\*1\r\n\$-1|^\*0/)
    await c.expect(script('return type(select(2, loadstring("\\27LuaQ")))'), bulk('string'))
    await c.expect(
      script('local first = true return type((load(function() if first then first = false return "\\27Lua" end end)))'),
      bulk('nil'),
    )
    await c.expect(request('EVAL', '\x1bLua\x54\x00', 0), /^-ERR Error compiling script/)
  }))

test('what scripts share cannot be changed', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    for (const change of [
      'x = 1',
      '_G.x = 1',
      '_ENV.x = 1',
      'redis.call = 1',
      'string.rep = 1',
      'rawset(string, "rep", 1)',
      'rawset(_G, "redis", 1)',
      'table.insert(redis, 1)',
      'table.insert(redis, 1, 2)',
      'table.remove(redis)',
      'table.sort(KEYS and string, function() return true end) string.x = 1',
      'setmetatable(_G, nil)',
      'setmetatable(string, {})',
      'getmetatable("").__index = nil',
      'getmetatable("").__index.rep = nil',
      'rawset(getmetatable(""), "__index", nil)',
      'math.random = 1',
      'coroutine.wrap = 1',
      'cjson.encode = 1',
      'local f, t = pairs(string) t.rep = nil',
      'local f, t = pairs(_G) t.x = nil',
      'for k, v in pairs(_G) do if type(v) == "table" then v.x = 1 end end',
    ])
      await c.expect(script(change), /^-ERR (user_script:1: )?Attempt to modify a readonly table/)
    await c.expect(script('return {("x"):rep(2), type(redis.call), tostring(getmetatable(_G))}'), /xx/)
    await c.expect(script('local _, t = pairs(string) t.rep = nil'), /Attempt to modify a readonly table/)
    await c.expect(script('return string.rep("x", 2)'), bulk('xx'))
  }))

test('what takes too much memory is stopped, and the next script has it again', () =>
  withServer({ scriptMemoryBytes: 20 * 1048576, scriptTimeLimit: 200 }, async ({ client }) => {
    const c = await client()
    const before = process.memoryUsage().rss
    for (const bomb of [
      'local s = "x" while true do s = s .. s end',
      'local t = {} for i = 1, 1e9 do t[i] = i end',
      'local t = {} while true do t = {t} end',
      'local t = {} while true do t[#t + 1] = string.rep("x", 100000) end',
      'local function f() return 1 + f() end return f()',
      'local t = {} for i = 1, 1e9 do t[i] = coroutine.create(function() end) end',
      'local s = string.rep("x", 1e7) return s .. s .. s',
      'return table.concat(setmetatable({}, {__index = type}), "", 1, 1e9)',
      'return cjson.decode(string.rep("[", 1e6))',
      'return cjson.encode(string.rep("\\0", 1e7))',
      'return string.rep("x", 2^30)',
      'return string.rep("x", 2^53)',
      'return string.format("%99d", 1):rep(1e7)',
      'return unpack({}, 1, 1e7)',
      'return string.char(unpack({}, 1, 1e5))',
      'local s = "return " .. string.rep("(", 1e5) .. "1" return loadstring(s)()',
      'local s = "return " .. string.rep("{", 1e4) .. string.rep("}", 1e4) return loadstring(s)()',
      'return string.gsub(string.rep("x", 1e5), "x", string.rep("y", 1e5))',
      'return string.match(string.rep("(", 1e4), string.rep("(", 40))',
      'local t = {1} for i = 1, 40 do t = {t, t} end return cjson.encode(t)',
      'local t = {1} for i = 1, 15 do t = {t, t, t, t, t, t, t, t, t, t} end return cmsgpack.pack(t)',
      'local t = {1} for i = 1, 40 do t = {t, t} end return t',
      'local t = {} t[1] = t return t',
      'local t = {} t.x = t return cjson.encode(t)',
      'local t = {} for i = 1, 3000 do t = {t} end return t',
      'local t = {} t[1] = t return redis.sha1hex(cmsgpack.pack(t))',
      'return cmsgpack.unpack("\\221\\255\\255\\255\\255")',
      'return cmsgpack.unpack(string.rep("\\145", 1e6))',
      'return struct.unpack("c0", "x")',
      'return struct.pack("i33", 1)',
    ]) {
      c.write(script(`${bomb}`))
      await c.until(text => text.endsWith('\r\n'), 20_000)
      c.received = ''
      c.write('PING\r\n')
      await c.until(text => text.endsWith('+PONG\r\n'))
      c.received = ''
      await c.expect(script('return string.rep("x", 10)'), bulk('xxxxxxxxxx'))
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1048576)
  }))

test('finalizers are never run', () =>
  withServer({ scriptTimeLimit: 300 }, async ({ client }) => {
    const c = await client()
    await c.expect(
      script(`for i = 1, 1000 do setmetatable({}, {__gc = function() redis.call("SET", "k", "v") while true do end end}) end
        collectgarbage() return redis.call("GET", "k")`),
      '$-1\r\n',
    )
    await c.expect(
      script(`local mt = {} for i = 1, 1000 do setmetatable({}, mt) end mt.__gc = function() while true do end end
        for i = 1, 1000 do setmetatable({}, mt) end collectgarbage() return type(mt.__gc)`),
      bulk('function'),
    )
    await c.expect(script('local x <close> = nil'), /^-ERR Error compiling script/)
    await c.expect(script('collectgarbage("stop") collectgarbage("generational")'), /invalid option 'generational'/)
  }))

test('a coroutine, a sort or a replacement that goes on for ever ends with the script', () =>
  withServer({ scriptTimeLimit: 50 }, async ({ client }) => {
    const c = await client()
    for (const endless of [
      'local t = setmetatable({}, {__len = function() return 2^53 end, __index = type}) table.insert(t, 1, 1) while true do end',
      'local t = {} for i = 1, 100000 do t[i] = i % 7 end while true do table.sort(t) t[1] = 9 end',
      'local co co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end',
      'local f f = function() return pcall(f) end while true do f() end',
      'local f = string.rep f = coroutine.wrap(f) while true do pcall(f, "x", 1) end',
      'while true do string.rep("", 1e15) end',
      'while true do string.gsub(string.rep("a", 1000), "a", "b") end',
    ])
      await c.expect(script(endless), /^-ERR the script took longer than 50 ms/)
    await c.expect(script('return 1'), ':1\r\n')
  }))

test('long texts take no more time than scripts have', () =>
  withServer({ scriptTimeLimit: 100 }, async ({ client }) => {
    const c = await client()
    await c.expect(script('return 1'), ':1\r\n')
    const took = async (text: string, reply: RegExp): Promise<number> => {
      const start = performance.now()
      await c.expect(script(text), reply, 60_000)
      return performance.now() - start
    }
    const stopped = /^-ERR the script took longer than 100 ms.*\r\n$/
    for (const [text, reply] of [
      ['local x, e = pcall(error, string.rep("attempt to ", 20000), 0) return #e', /^:220000\r\n$/],
      ['return #redis.error_reply("x y" .. string.rep("\\n", 100000) .. "z").err', /^:100004\r\n$/],
      ['return #string.gsub(string.rep("x", 500), "(y*)", string.rep("%1", 100000))', stopped],
      ['local s = string.rep("x", 10000000) for i = 1, 1e6 do local t = s:upper() end', stopped],
      ['redis.call("setrange", "a", 15000000, "x") for i = 1, 1e6 do redis.call("get", "a") end', stopped],
      ['local s = string.rep("local a=1 ", 100000) for i = 1, 1e6 do loadstring(s) end', stopped],
      ['local s = string.rep(" ", 10000000) .. "x" for i = 1, 1e6 do pcall(cjson.decode, s) end', stopped],
    ] as const)
      expect(await took(text, reply), text).toBeLessThan(20_000)
  }))

test('scripts that were compiled before leave room for others', () =>
  withServer({ scriptMemoryBytes: 16 * 1048576 }, async ({ client }) => {
    const c = await client()
    for (let i = 0; i < 3; i++)
      await c.expect(request('SCRIPT', 'LOAD', `local a = ${i} ${'a();'.repeat(400_000)}`), /^\$40\r\n\w{40}\r\n$/)
    await c.expect(script('return 7'), ':7\r\n')
  }))

test('string.gsub puts together what it finds and what lies between', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    await c.expect(script('return #string.gsub(string.rep("x", 1000), "", "")'), ':1000\r\n')
    for (const [text, pattern, by, result] of [
      ['abcabc', 'b', 'xy', 'axycaxyc'],
      ['abc', '', '-', '-a-b-c-'],
      ['abc', 'x*', '-', '-a-b-c-'],
      ['aab', 'a*', '-', '--b-'],
      ['abc', '^a', '', 'bc'],
      ['abc', '^b', 'x', 'abc'],
      ['abc', '.', '%0%0', 'aabbcc'],
    ])
      await c.expect(script(`return (string.gsub("${text}", "${pattern}", "${by}"))`), bulk(result!))
    await c.expect(script('return {string.gsub("hello world", "o", "0", 1)}'), '*2\r\n$11\r\nhell0 world\r\n:1\r\n')
  }))
