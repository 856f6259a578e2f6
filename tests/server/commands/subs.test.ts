/** IN and SUB: sub-databases over the wire. */
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { pause } from '../../support/child.ts'
import { bulk, request, type Wire, withServer } from '../wire.ts'

const OK = '+OK\r\n'
const QUEUED = '+QUEUED\r\n'
const NIL = '$-1\r\n'
const one = (n: number): string => `:${n}\r\n`
const list = (...items: string[]): string => `*${items.length}\r\n${items.map(bulk).join('')}`
const none = (name: string): string => `-ERR there is no sub-database '${name}' [XENON_NOT_FOUND]\r\n`

const OPENED = list('utf8', 'utf8')

describe('SUB', () => {
  test('OPEN makes one, says its encodings, and refuses others; LIST and DROP', () =>
    withServer({}, async ({ client, server }) => {
      const c = await client()
      await c.expect('SUB LIST\r\n', '*0\r\n')
      await c.expect('SUB OPEN users KEYS tuple VALUES json\r\n', list('tuple', 'json'))
      await c.expect('sub open users\r\n', list('tuple', 'json'))
      await c.expect('SUB OPEN own VALUES cbor\r\n', list('utf8', 'cbor'))
      await c.expect(
        'SUB OPEN users VALUES utf8\r\n',
        "-ERR the sub-database 'users' was made with valueEncoding 'json'; open it with that, not with 'utf8'. If its values are of the other one all the same, storedEncoding: 'replace' stores that name, and 'ignore' does not look [XENON_ENCODING]\r\n",
      )
      await c.expect(
        'SUB OPEN new KEYS json\r\n',
        "-ERR keyEncoding must be 'utf8', 'binary' or 'tuple', not 'json' [XENON_INVALID_ARGUMENT]\r\n",
      )
      await c.expect('SUB OPEN new KEYS\r\n', '-ERR syntax error\r\n')
      await c.expect('SUB OPEN new TTL 1\r\n', '-ERR syntax error\r\n')
      await c.expect(request('SUB', 'OPEN', '\xff'), '-ERR the name of a sub-database must be UTF-8\r\n')
      await c.expect(request('SUB', 'OPEN', 'a b\xc3\xa4'), OPENED)
      await c.expect('SUB LIST\r\n', list('a b\xc3\xa4', 'own', 'users'))
      expect(server.db.sub('users').async).toBeDefined()
      await c.expect('SUB DROP own\r\nSUB DROP own\r\n', one(1) + one(0))
      await c.expect('SUB LIST\r\n', list('a b\xc3\xa4', 'users'))
      await c.expect('SUB\r\n', "-ERR wrong number of arguments for 'sub' command\r\n")
      await c.expect('SUB MAKE a\r\n', "-ERR unknown subcommand 'MAKE'. Try SUB HELP.\r\n")
      await c.expect('MULTI\r\nSUB LIST\r\nDISCARD\r\n', `${OK}-ERR Command not allowed inside a transaction\r\n${OK}`)
    }))

  test('DROP is refused while a transaction is open that has changed something, and ends who watches', () =>
    withServer({}, async ({ client }) => {
      const [c, other, watching] = [await client(), await client(), await client()]
      await c.expect('SUB OPEN s\r\nIN s SUB OPEN t\r\nIN s SET a 1\r\n', OPENED + OPENED + OK)
      await watching.expect('IN s WATCHRANGE - +\r\n', OK)
      await other.expect('BEGIN\r\nIN s SET b 1\r\n', OK + OK)
      c.write('SUB DROP s\r\n')
      expect(await c.until(text => text.endsWith('\r\n'))).toMatch(/^-LOCKTIMEOUT transaction \d+ is open/)
      c.received = ''
      await other.expect('ROLLBACK\r\n', OK)
      await c.expect('WATCH x\r\nIN s IN t WATCH x\r\nSUB DROP s\r\n', OK + OK + one(1))
      await c.expect('IN s GET a\r\nIN s IN t GET a\r\n', none('s') + none('s'))
      await c.expect('MULTI\r\nSET x 1\r\nEXEC\r\n', `${OK}${QUEUED}*-1\r\n`)
      expect(await watching.untilClosed()).toBe(`*2\r\n${bulk('change')}${bulk('end')}`)
    }))
})

describe('IN', () => {
  test('runs a command in a sub-database, and in what lies in it', () =>
    withServer({}, async ({ client }) => {
      const c = await client()
      await c.expect('IN users GET a\r\n', none('users'))
      await c.expect('SUB OPEN users\r\nIN users SUB OPEN posts\r\n', OPENED + OPENED)
      await c.expect('IN users SUB LIST\r\n', list('posts'))
      await c.expect('SET a root\r\nIN users SET a user PX 100000\r\nIN users IN posts SET a post\r\n', OK + OK + OK)
      await c.expect(
        'GET a\r\nIN users GET a\r\nin users in posts get a\r\n',
        bulk('root') + bulk('user') + bulk('post'),
      )
      await c.expect(
        'IN users MSET b 2 c 3\r\nIN users MGET a b c d\r\n',
        `${OK}*4\r\n${bulk('user')}${bulk('2')}${bulk('3')}${NIL}`,
      )
      await c.expect('DBSIZE\r\nIN users DBSIZE\r\nIN users IN posts DBSIZE\r\n', one(1) + one(3) + one(1))
      await c.expect('IN users RANGE - + KEYS\r\n', list('a', 'b', 'c'))
      await c.expect('IN users RANGE (a + COUNT\r\n', one(2))
      await c.expect('IN users IN posts KEYS *\r\n', list('a'))
      await c.expect('IN users IN posts RANDOMKEY\r\n', bulk('a'))
      await c.expect('IN users IN posts SCAN 0\r\n', `*2\r\n${bulk('0')}${list('a')}`)
      await c.expect('IN users INCR n\r\nIN users RENAME n m\r\nIN users DEL m nobody\r\n', one(1) + OK + one(1))
      await c.expect('IN users PERSIST a\r\nIN users TTL a\r\nTTL a\r\n', one(1) + one(-1) + one(-1))
    }))

  test('takes no name for a command, and no command for a name', () =>
    withServer({}, async ({ client }) => {
      const c = await client()
      await c.expect('SUB OPEN IN\r\nSUB OPEN GET\r\n', OPENED + OPENED)
      await c.expect('IN IN SET IN 1\r\nIN GET SET GET 2\r\n', OK + OK)
      await c.expect('IN IN GET IN\r\nIN GET GET GET\r\nGET IN\r\n', bulk('1') + bulk('2') + NIL)
    }))

  test('refuses what is not about records, and what is none', () =>
    withServer({}, async ({ client }) => {
      const c = await client()
      await c.expect('SUB OPEN s\r\n', OPENED)
      for (const name of ['PING', 'MULTI', 'EXEC', 'BEGIN', 'COMMIT', 'INFO', 'HELLO', 'SHUTDOWN', 'AUTH x', 'COMPACT'])
        await c.expect(`IN s ${name}\r\n`, `-ERR '${name.split(' ')[0]!.toLowerCase()}' cannot stand behind IN\r\n`)
      await c.expect('IN s NOTHING a\r\n', "-ERR unknown command 'NOTHING', with args beginning with: 'a' \r\n")
      await c.expect('IN s GET\r\n', "-ERR wrong number of arguments for 'get' command\r\n")
      for (const request of ['IN', 'IN s', 'IN s IN s'])
        await c.expect(`${request}\r\n`, "-ERR wrong number of arguments for 'in' command\r\n")
      await c.expect(`${'IN s '.repeat(32)}GET a\r\n`, none('s'))
      await c.expect(`${'IN s '.repeat(33)}GET a\r\n`, '-ERR IN may stand 32 times before a command\r\n')
      await c.expect(request('IN', '\xff', 'GET', 'a'), '-ERR the name of a sub-database must be UTF-8\r\n')
      await c.expect(
        'MULTI\r\nIN s PING\r\nEXEC\r\n',
        `${OK}-ERR 'ping' cannot stand behind IN\r\n-EXECABORT Transaction discarded because of previous errors.\r\n`,
      )
    }))

  test('is for those alone who have authenticated', () =>
    withServer({ password: 'secret' }, async ({ client }) => {
      const c = await client()
      const refused = '-NOAUTH Authentication required.\r\n'
      await c.expect('IN s GET a\r\nSUB LIST\r\n', refused + refused)
    }))

  test('in an EXEC is part of one transaction with the root', () =>
    withServer({}, async ({ client, server }) => {
      const [c, other] = [await client(), await client()]
      await c.expect('SUB OPEN s\r\nSUB OPEN t\r\n', OPENED + OPENED)
      const { commits } = server.db.stats().transactions
      await c.expect(
        'MULTI\r\nSET a 1\r\nIN s SET a 2\r\nIN t INCR n\r\nIN s GET a\r\nIN s DBSIZE\r\nDBSIZE\r\nIN nobody GET a\r\nEXEC\r\n',
        `${OK}${QUEUED.repeat(7)}*7\r\n${OK}${OK}${one(1)}${bulk('2')}${one(1)}${one(1)}${none('nobody')}`,
      )
      expect(server.db.stats().transactions.commits - commits).toBe(1)
      await other.expect('BEGIN\r\nIN t SET n 5\r\n', OK + OK)
      c.write('MULTI\r\nSET a x\r\nIN s SET a x\r\nIN t INCR n\r\nEXEC\r\n')
      await c.until(text => text.length >= (OK + QUEUED.repeat(3)).length)
      await other.expect('GET a\r\nIN s GET a\r\nCOMMIT\r\n', bulk('1') + bulk('2') + OK)
      await c.expect('', `${OK}${QUEUED.repeat(3)}*3\r\n${OK}${OK}${one(6)}`)
      await c.expect('GET a\r\nIN s GET a\r\nIN t GET n\r\n', bulk('x') + bulk('x') + bulk('6'))
    }))

  test('WATCH tells the same key in two key spaces apart', () =>
    withServer({}, async ({ client }) => {
      const [c, other] = [await client(), await client()]
      await c.expect('SUB OPEN s\r\n', OPENED)
      const exec = async (watch: string, change: string, reply: string): Promise<void> => {
        await c.expect(`${watch}\r\n`, OK)
        await other.expect(`${change}\r\n`, OK)
        await c.expect('MULTI\r\nEXEC\r\n', OK + reply)
      }
      await exec('WATCH k', 'IN s SET k 1', '*0\r\n')
      await exec('IN s WATCH k', 'SET k 1', '*0\r\n')
      await exec('IN s WATCH k', 'IN s SET k 2', '*-1\r\n')
      await exec('WATCH k', 'SET k 2', '*-1\r\n')
      await c.expect('IN s WATCH k\r\nUNWATCH\r\n', OK + OK)
      await other.expect('BEGIN\r\nIN s SET k 3\r\n', OK + OK)
      await exec('IN s WATCH k', 'COMMIT', '*-1\r\n')
    }))

  test('between BEGIN and COMMIT is part of the transaction', () =>
    withServer({}, async ({ client }) => {
      const [c, other] = [await client(), await client()]
      await c.expect('SUB OPEN s\r\nIN s SET a 1\r\n', OPENED + OK)
      await c.expect(
        'BEGIN\r\nSET a 2\r\nIN s SET a 2\r\nSAVEPOINT\r\nIN s DEL a\r\nIN s RANGE - + COUNT\r\n',
        OK + OK + OK + one(1) + one(1) + one(0),
      )
      await other.expect('IN s GET a\r\nGET a\r\n', bulk('1') + NIL)
      await c.expect(
        'ROLLBACK TO 1\r\nIN s GET a\r\nIN s SCAN 0\r\n',
        `${OK}${bulk('2')}-ERR SCAN is not allowed between BEGIN and COMMIT\r\n`,
      )
      await c.expect('FLUSHALL\r\nIN s DBSIZE\r\nDBSIZE\r\nROLLBACK TO 1\r\nCOMMIT\r\n', OK + one(0) + one(0) + OK + OK)
      await other.expect('IN s GET a\r\nGET a\r\n', bulk('2') + bulk('2'))
    }))

  test('waits for locks, and keeps nobody waiting in another key space', () =>
    withServer({}, async ({ client }) => {
      const [c, other] = [await client(), await client()]
      await c.expect('SUB OPEN s\r\n', OPENED)
      await c.expect('HELLO 3\r\n', await helloOf(c))
      await c.expect('LOCKWAIT PUSH\r\n', OK)
      await other.expect('BEGIN\r\nIN s SET k 1\r\n', OK + OK)
      await c.expect('IN s SET k 2\r\n', '-LOCKWAIT 1\r\n')
      await c.expect('IN s APPEND k x\r\n', '-LOCKWAIT 2\r\n')
      await c.expect('SET k root\r\n', OK)
      await other.expect('COMMIT\r\n', OK)
      const push = (number: number, reply: string): string => `>3\r\n${bulk('lockwait')}:${number}\r\n${reply}`
      await c.expect('', push(1, OK) + push(2, one(2)))
      await c.expect('IN s GET k\r\nGET k\r\n', bulk('2x') + bulk('root'))
    }))
})

test('an index that the serving program keeps never misses a change', () =>
  withServer({}, async ({ client, server }) => {
    const c = await client()
    const { db } = server
    const bytes = db.sub<Uint8Array>('bytes', { keyEncoding: 'binary', valueEncoding: 'binary' })
    const byFirst = bytes.index('first', value => value[0])
    await c.expect('IN bytes SET k abc\r\nIN bytes SET l bcd\r\nIN bytes DEL l\r\n', OK + OK + one(1))
    expect([...byFirst.entries()].map(([key]) => key)).toEqual([97])
    await c.expect('SUB OPEN texts\r\nIN texts SET k abc PX 1\r\n', OPENED + OK)
    const texts = db.sub('texts')
    texts.put('l', 'bcd')
    const byText = texts.index('text', value => value)
    await pause(60)
    await c.expect('IN texts SET k x\r\nIN texts DEL l\r\n', OK + one(1))
    expect([...byText.keys()]).toEqual([['x', 'k']])
    await c.expect('IN texts FLUSHDB\r\nIN texts SET m y\r\n', OK + OK)
    expect([...byText.keys()]).toEqual([['y', 'm']])
    expect((await byText.verify()).ok).toBe(true)
  }))

describe('FLUSHDB and FLUSHALL', () => {
  test('clear one key space, or that and what lies in it, by blocks', () =>
    withServer({}, async ({ client, server }) => {
      const c = await client()
      await c.expect('SUB OPEN s\r\nIN s SUB OPEN t\r\n', OPENED + OPENED)
      const [root, s] = [server.db, server.db.subAsBytes('s')!]
      const t = s.subAsBytes('t')!
      const fill = (): void => {
        for (const store of [root, s, t])
          store.batch(
            Array.from({ length: 5000 }, (_, i) => ({ type: 'put', key: `k${i}`, value: new Uint8Array(50) })),
          )
      }
      const counts = (): number[] => [root, s, t].map(store => store.count())
      const logged = async (command: string): Promise<number> => {
        const before = server.db.stats().log.bytes
        await c.expect(`${command}\r\n`, OK)
        return server.db.stats().log.bytes - before
      }
      fill()
      expect(await logged('IN s FLUSHDB')).toBeLessThan(20_000)
      expect(counts()).toEqual([5000, 0, 5000])
      fill()
      expect(await logged('FLUSHDB ASYNC')).toBeLessThan(100_000)
      expect(counts()).toEqual([0, 5000, 5000])
      expect(await logged('IN s FLUSHALL')).toBeLessThan(20_000)
      expect(counts()).toEqual([0, 0, 0])
      fill()
      expect(await logged('FLUSHALL')).toBeLessThan(100_000)
      expect(counts()).toEqual([0, 0, 0])
      await c.expect('SUB LIST\r\nIN s SUB LIST\r\n', list('s') + list('t'))
    }))

  test.each(['FLUSHALL', 'FLUSHDB'])('%s ASYNC waits for open transactions, so as to go by blocks', command =>
    withServer({ lockTimeout: 200 }, async ({ client, server }) => {
      const [c, holder] = [await client(), await client()]
      server.db.batch(
        Array.from({ length: 5000 }, (_, i) => ({ type: 'put', key: `k${i}`, value: new Uint8Array(50) })),
      )
      // A clear by records would not meet this lock.
      await holder.expect('BEGIN\r\nGET other\r\n', OK + NIL)
      c.write(`${command} ASYNC\r\n`)
      await c.until(text => /^-LOCKTIMEOUT transaction \d+ is open and may have read/.test(text))
      c.received = ''
      expect(server.db.count()).toBe(5000)
      const before = server.db.stats().log.bytes
      c.write(`${command} ASYNC\r\n`)
      await pause(50)
      await holder.expect('COMMIT\r\n', OK)
      await c.until(text => text === OK)
      c.received = ''
      expect(server.db.stats().log.bytes - before).toBeLessThan(100_000)
      expect(server.db.count()).toBe(0)
      // Inside of a transaction it is part of that.
      await c.expect(`SET a 1\r\nMULTI\r\n${command} ASYNC\r\nEXEC\r\n`, `${OK}${OK}+QUEUED\r\n*1\r\n${OK}`)
      await c.expect(`SET a 1\r\nBEGIN\r\n${command} ASYNC\r\nCOMMIT\r\nGET a\r\n`, OK.repeat(4) + NIL)
    }),
  )

  test('FLUSHALL behind a lock clears all key spaces or none', () =>
    withServer({ lockTimeout: 50 }, async ({ client }) => {
      const [c, other] = [await client(), await client()]
      await c.expect('SUB OPEN s\r\nSET a 1\r\nIN s SET a 1\r\n', OPENED + OK + OK)
      await other.expect('BEGIN\r\nIN s SET a 2\r\n', OK + OK)
      c.write('FLUSHALL\r\n')
      expect(await c.until(text => text.endsWith('\r\n'))).toMatch(/^-LOCKTIMEOUT/)
      c.received = ''
      await c.expect('GET a\r\n', bulk('1'))
      await other.expect('ROLLBACK\r\n', OK)
      await c.expect('FLUSHALL\r\nGET a\r\nIN s GET a\r\n', OK + NIL + NIL)
    }))
})

test('ioredis: pipelined commands for several key spaces over one connection', () =>
  withServer({}, async ({ port }) => {
    const redis = new Redis(port)
    try {
      for (const name of ['a', 'b']) await redis.call('SUB', 'OPEN', name)
      const replies = await Promise.all(
        Array.from({ length: 300 }, async (_, i) => {
          const place = [[], ['IN', 'a'], ['IN', 'b']][i % 3]!
          const key = `k${i % 10}`
          const value = `${i % 3}:${i % 10}`
          const call = (...words: string[]): Promise<unknown> => {
            const [first, ...rest] = [...place, ...words]
            return redis.call(first!, ...rest)
          }
          await call('SET', key, value)
          return [value, await call('GET', key)]
        }),
      )
      for (const [expected, found] of replies) expect(found).toBe(expected)
      expect(await redis.select(0)).toBe('OK')
      expect(await redis.dbsize()).toBe(10)
    } finally {
      redis.disconnect()
    }
  }))

/** What HELLO 3 answers with, but for the number of the connection. */
const helloOf = async (c: Wire): Promise<string> => {
  c.write('HELLO 3\r\n')
  const text = await c.until(received => received.endsWith('*0\r\n'))
  c.received = ''
  return text
}
