/** EVAL and what belongs to it: transactions, locks, databases, the cache. What scripts may say: tests/redis. */
import { expect, test } from 'vitest'
import { bulk, request, type Wire, withServer } from '../wire.ts'

const script = (text: string, ...keys: string[]): string => request('EVAL', text, keys.length, ...keys)

test('a script reads and writes, and its keys and arguments stand in KEYS and ARGV', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    await c.expect(request('EVAL', 'return redis.call("SET", KEYS[1], ARGV[1])', 1, 'k', 'v'), '+OK\r\n')
    await c.expect('GET k\r\n', bulk('v'))
    await c.expect(
      request('EVAL', 'return {#KEYS, #ARGV, KEYS[2]}', 2, 'a', 'b', 'c'),
      `*3\r\n:2\r\n:1\r\n${bulk('b')}`,
    )
    await c.expect(request('EVAL', 'return 1', 2, 'a'), "-ERR Number of keys can't be greater than number of args\r\n")
    await c.expect(request('EVAL', 'return 1', -1), "-ERR Number of keys can't be negative\r\n")
    await c.expect(request('EVAL', 'return 1', 'x'), '-ERR value is not an integer or out of range\r\n')
    await c.expect('EVAL\r\n', "-ERR wrong number of arguments for 'eval' command\r\n")
  }))

test('a script is known by its SHA1 until SCRIPT FLUSH', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    const sha = 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db'
    await c.expect(request('EVALSHA', sha, 0), '-NOSCRIPT No matching script. Please use EVAL.\r\n')
    await c.expect(request('SCRIPT', 'LOAD', 'return 1'), bulk(sha))
    await c.expect(request('EVALSHA', sha.toUpperCase(), 0), ':1\r\n')
    await c.expect(request('EVALSHA_RO', sha, 0), ':1\r\n')
    await c.expect(request('SCRIPT', 'EXISTS', sha, 'nothing'), '*2\r\n:1\r\n:0\r\n')
    await c.expect('SCRIPT FLUSH NOW\r\n', '-ERR SCRIPT FLUSH only support SYNC|ASYNC option\r\n')
    await c.expect('SCRIPT FLUSH ASYNC\r\n', '+OK\r\n')
    await c.expect(request('EVALSHA', sha, 0), '-NOSCRIPT No matching script. Please use EVAL.\r\n')
    await c.expect(script('return 1'), ':1\r\n')
    await c.expect(request('EVALSHA', sha, 0), ':1\r\n')
    await c.expect('SCRIPT KILL\r\n', '-NOTBUSY No scripts in execution right now.\r\n')
    await c.expect('SCRIPT DEBUG NO\r\n', '+OK\r\n')
    await c.expect('SCRIPT DEBUG YES\r\n', '-ERR there is no debugger of scripts here (xenondb)\r\n')
    await c.expect(
      request('SCRIPT', 'LOAD', 'return +'),
      /^-ERR Error compiling script \(new function\): user_script:1: /,
    )
  }))

test('what a script has written before an error stays', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    await c.expect(script('redis.call("SET", "k", "1") error("after")'), /^-ERR user_script:1: after script: .*\.\r\n$/)
    await c.expect('GET k\r\n', bulk('1'))
  }))

test('a script that takes too long is stopped and undone, whatever it catches', () =>
  withServer({ scriptTimeLimit: 50 }, async ({ client }) => {
    const c = await client()
    const stopped =
      "-ERR the script took longer than 50 ms, the server's scriptTimeLimit, so nothing of it was done\r\n"
    await c.expect('SET k before\r\n', '+OK\r\n')
    for (const endless of [
      'while true do end',
      'while true do pcall(function() while true do end end) end',
      'while true do redis.pcall("GET", "k") end',
      'local f = coroutine.wrap(function() while true do end end) f()',
      'while true do pcall(coroutine.wrap(function() while true do end end)) end',
      'xpcall(function() while true do end end, function() while true do end end)',
      'setmetatable({}, {__index = function() while true do end end}).x = 1 return setmetatable({}, {__index = function() while true do end end}).x',
      'table.sort({1, 2, 3}, function() while true do end end)',
      'string.gsub("x", "x", function() while true do end end)',
      'return string.find(string.rep("a", 5000), string.rep("a*", 12) .. "b")',
      'return string.match(string.rep("x", 100000), ".-.-.-.-b")',
      'return string.gsub(string.rep("x", 100000), ".-.-.-b", "")',
      'for _ in string.gmatch(string.rep("x", 100000), ".-.-.-b") do end',
      'return loadstring("while true do end")()',
      'load(function() return " " end)',
    ])
      await c.expect(script(`redis.call("SET", "k", "inside") ${endless}`), stopped)
    await c.expect('GET k\r\n', bulk('before'))
    await c.expect(script('return redis.call("GET", "k")'), bulk('before'))
    // In EXEC the others stay.
    await c.expect(
      `MULTI\r\nSET a 1\r\n${script('redis.call("SET", "k", "x") while true do end')}SET b 2\r\nEXEC\r\n`,
      `+OK\r\n${'+QUEUED\r\n'.repeat(3)}*3\r\n+OK\r\n${stopped}+OK\r\n`,
    )
    await c.expect('MGET a k b\r\n', `*3\r\n${bulk('1')}${bulk('before')}${bulk('2')}`)
  }))

test('in MULTI and in BEGIN a script is part of the transaction', () =>
  withServer({}, async ({ client }) => {
    const [c, other] = [await client(), await client()]
    const incr = script('return redis.call("INCR", KEYS[1])', 'n')
    await c.expect(`MULTI\r\n${incr}${incr}EXEC\r\n`, '+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:2\r\n')
    await c.expect(`BEGIN\r\n${incr}`, '+OK\r\n:3\r\n')
    await other.expect('GET n\r\n', bulk('2'))
    await c.expect(script('return redis.call("SCAN", 0)'), /^-ERR SCAN is not allowed between BEGIN and COMMIT/)
    await c.expect('ROLLBACK\r\nGET n\r\n', `+OK\r\n${bulk('2')}`)
    await c.expect(`BEGIN\r\n${incr}COMMIT\r\nGET n\r\n`, `+OK\r\n:3\r\n+OK\r\n${bulk('3')}`)
    await c.expect(`WATCH n\r\nMULTI\r\n${incr}`, '+OK\r\n+OK\r\n+QUEUED\r\n')
    await other.expect(incr, ':4\r\n')
    await c.expect('EXEC\r\n', '*-1\r\n')
  }))

test('a script that meets a lock is undone, waits, and runs again', () =>
  withServer({}, async ({ client, keysApart }) => {
    const [c, other, reader] = [await client(), await client(), await client()]
    const [a, b] = keysApart(2) as [string, string]
    await other.expect(`BEGIN\r\nSET ${b} locked\r\n`, '+OK\r\n+OK\r\n')
    c.write(script('redis.call("INCR", KEYS[1]) return redis.call("SET", KEYS[2], "mine")', a, b))
    await reader.expect(`GET ${a}\r\n`, '$-1\r\n')
    await other.expect('COMMIT\r\n', '+OK\r\n')
    await c.until(text => text === '+OK\r\n')
    await reader.expect(`MGET ${a} ${b}\r\n`, `*2\r\n${bulk('1')}${bulk('mine')}`)
    // pcall does not catch it either.
    c.received = ''
    await other.expect(`BEGIN\r\nSET ${b} again\r\n`, '+OK\r\n+OK\r\n')
    c.write(script('redis.call("INCR", KEYS[1]) return {pcall(redis.call, "GETDEL", KEYS[2])}', a, b))
    await reader.expect(`GET ${a}\r\n`, bulk('1'))
    await other.expect('ROLLBACK\r\n', '+OK\r\n')
    await c.until(text => text === `*2\r\n:1\r\n${bulk('mine')}`)
    await reader.expect(`GET ${a}\r\n`, bulk('2'))
  }))

test('SELECT in a script holds until it ends', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    await c.expect(script('redis.call("SELECT", 3) redis.call("SET", "k", "in 3") return 1'), ':1\r\n')
    await c.expect('GET k\r\n', '$-1\r\n')
    await c.expect(script('redis.call("SELECT", 3) error("x")'), /^-ERR user_script:1: x/)
    await c.expect('GET k\r\n', '$-1\r\n')
    await c.expect('SELECT 3\r\nGET k\r\n', `+OK\r\n${bulk('in 3')}`)
    await c.expect(script('return redis.call("GET", "k")'), bulk('in 3'))
  }))

test('scripts for reading alone write nothing', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    await c.expect(
      request('EVAL_RO', 'return redis.call("SET", "k", "v")', 0),
      /^-ERR Write commands are not allowed from read-only scripts\. script: /,
    )
    await c.expect(request('EVAL_RO', 'return redis.call("GET", "k")', 0), '$-1\r\n')
    await c.expect(
      request('EVAL', '#!lua flags=no-writes\nreturn redis.call("SET", "k", "v")', 0),
      /^-ERR Write commands/,
    )
    await c.expect(
      request('EVAL_RO', '#!lua\nreturn 1', 0),
      '-ERR Can not execute a script with write flag using *_ro command.\r\n',
    )
  }))

test('on a server for reading alone scripts read', () =>
  withServer({ readOnly: true }, async ({ client }) => {
    const c = await client()
    await c.expect(script('return redis.call("GET", "k")'), '$-1\r\n')
    await c.expect(
      script('return redis.call("SET", "k", "v")'),
      /^-READONLY You can't write against a read only database\. script: /,
    )
  }))

test('a reply above the limit is an error, and the script is undone', () =>
  withServer({ maxOutputBytes: 4096 }, async ({ client }) => {
    const c = await client()
    await c.expect(
      script('redis.call("SET", "k", "v") return string.rep("x", 5000)'),
      /^-ERR the reply takes more than/,
    )
    await c.expect('GET k\r\n', '$-1\r\n')
    await c.expect(script('return 1'), ':1\r\n')
  }))

test('scripts in RESP3', () =>
  withServer({}, async ({ client }) => {
    const c: Wire = await client()
    c.write('HELLO 3\r\n')
    await c.until(text => text.endsWith('*0\r\n'))
    c.received = ''
    await c.expect(script('return {map = {a = 1}}'), `%1\r\n${bulk('a')}:1\r\n`)
    await c.expect(script('redis.setresp(3) return {true, {double = 1.5}}'), '*2\r\n#t\r\n,1.5\r\n')
    await c.expect(script('redis.setresp(3) return redis.call("GET", "k") == nil'), '#t\r\n')
    await c.expect('GET k\r\n', '_\r\n')
  }))

test('there is no end of scripts', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    const count = 1200
    let replies = ''
    let requests = ''
    for (let i = 0; i < count; i++) {
      requests += script(`return ${i}`)
      replies += `:${i}\r\n`
    }
    await c.expect(requests, replies)
    // Those that are not compiled any more are compiled again.
    await c.expect(script('return 0'), ':0\r\n')
    expect(replies.length).toBeGreaterThan(count)
  }))

test('MONITOR, INFO and CONFIG tell of scripts', () =>
  withServer({ scriptTimeLimit: 1000 }, async ({ client }) => {
    const [c, monitor] = [await client(), await client()]
    await monitor.expect('MONITOR\r\n', '+OK\r\n')
    await c.expect(script('return redis.call("SET", KEYS[1], "v")', 'k'), '+OK\r\n')
    await monitor.until(text => /"EVAL" "return.*" "1" "k"\r\n.* \[0 lua\] "SET" "k" "v"\r\n$/.test(text))
    c.write('INFO commandstats\r\n')
    expect(await c.until(text => text.includes('cmdstat_set'))).toMatch(/cmdstat_set:calls=1/)
    c.received = ''
    c.write('INFO memory\r\n')
    expect(await c.until(text => text.includes('xenondb_pool_bytes'))).toMatch(/number_of_cached_scripts:1\r\n/)
    c.received = ''
    await c.expect('CONFIG GET lua-time-limit\r\n', `*2\r\n${bulk('lua-time-limit')}${bulk('1000')}`)
    await c.expect('CONFIG SET lua-time-limit 2000\r\n', /^-ERR CONFIG SET failed .* between 0 and 1000/)
    await c.expect('CONFIG SET busy-reply-threshold 20\r\n', '+OK\r\n')
    await c.expect(script('while true do end'), /^-ERR the script took longer than 20 ms/)
  }))

test('PUBLISH and SPUBLISH: not in scripts for reading alone, but on a server for reading alone', () =>
  withServer({ readOnly: true }, async ({ client }) => {
    const c = await client()
    for (const name of ['publish', 'spublish']) {
      const text = `return redis.call('${name}', 'a', 'b')`
      await c.expect(request('EVAL', text, 0), ':0\r\n')
      await c.expect(request('EVAL_RO', text, 0), /^-ERR Write commands are not allowed from read-only scripts/)
    }
  }))
