/** SELECT and the numbered databases. */
import { describe, expect, test } from 'vitest'
import { memoryStorage, open } from '../../../src/index.ts'
import { createServer } from '../../../src/server/index.ts'
import { pause } from '../../support/child.ts'
import { expectVerified } from '../../support/database.ts'
import { bulk, withServer } from '../wire.ts'

const OK = '+OK\r\n'
const NIL = '$-1\r\n'
const NO_DATABASE = '-ERR DB index is out of range\r\n'
const ONE = ':1\r\n'
const ZERO = ':0\r\n'
const queued = (count: number): string => `${OK}${'+QUEUED\r\n'.repeat(count)}`

describe('SELECT', () => {
  test('chooses among as many databases as there are, which share no keys', () =>
    withServer({ databases: 3 }, async ({ client, server }) => {
      const [c, other] = [await client(), await client()]
      await c.expect(
        'SET k root\r\nSELECT 1\r\nGET k\r\nSET k one\r\nSELECT 2\r\nGET k\r\n',
        OK + OK + NIL + OK + OK + NIL,
      )
      await c.expect('SELECT 3\r\nSELECT -1\r\n', NO_DATABASE + NO_DATABASE)
      await c.expect('SELECT x\r\n', '-ERR value is not an integer or out of range\r\n')
      await other.expect('GET k\r\nSELECT 1\r\nGET k\r\n', bulk('root') + OK + bulk('one'))
      await c.expect('DBSIZE\r\nSELECT 1\r\nDBSIZE\r\nFLUSHDB\r\nDBSIZE\r\n', ZERO + OK + ONE + OK + ZERO)
      await other.expect('RESET\r\nGET k\r\n', `+RESET\r\n${bulk('root')}`)
      await c.expect('CONFIG GET databases\r\n', `*2\r\n${bulk('databases')}${bulk('3')}`)
      expect(server.db.sub('redis-databases').subs()).toEqual(['1', '2'])
    }))

  test('a program finds them as sub-databases, encoded as the root', () =>
    withServer(
      {},
      async ({ client, server }) => {
        const c = await client()
        await c.expect('SELECT 7\r\nSET k "[7]"\r\n', OK + OK)
        const seven = server.db.sub('redis-databases').sub('7', { valueEncoding: 'json' })
        expect(seven.encodingNames).toEqual({ keyEncoding: 'tuple', valueEncoding: 'json' })
        await c.expect('IN inner GET k\r\nSUB OPEN inner\r\nIN inner SET k 1\r\n', /\+OK\r\n$/)
        expect(seven.subs()).toEqual(['inner'])
        // It is made anew when it was dropped.
        server.db.sub('redis-databases').drop('7')
        await c.expect('GET k\r\nDBSIZE\r\n', NIL + ZERO)
      },
      { keyEncoding: 'tuple', valueEncoding: 'json' } as object,
    ))

  test('inside MULTI and BEGIN it chooses for what follows', () =>
    withServer({}, async ({ client }) => {
      const c = await client()
      await c.expect('MULTI\r\nSET k 0\r\nSELECT 1\r\nSET k 1\r\nEXEC\r\n', `${queued(3)}*3\r\n${OK}${OK}${OK}`)
      await c.expect('GET k\r\nSELECT 0\r\nGET k\r\n', bulk('1') + OK + bulk('0'))
      await c.expect('BEGIN\r\nSELECT 2\r\nSET k 2\r\nSELECT 0\r\nSET k x\r\nROLLBACK\r\n', OK.repeat(6))
      await c.expect('GET k\r\nSELECT 2\r\nGET k\r\n', bulk('0') + OK + NIL)
      await c.expect('BEGIN\r\nSET k 2\r\nSELECT 3\r\nSET k 3\r\nCOMMIT\r\nGET k\r\n', OK.repeat(5) + bulk('3'))
    }))

  test('an EXEC that meets a lock begins again in the database where it began', () =>
    withServer({}, async ({ client }) => {
      const [c, holder] = [await client(), await client()]
      await holder.expect('BEGIN\r\nSELECT 1\r\nSET k held\r\n', OK.repeat(3))
      await c.expect('MULTI\r\nSET k 0\r\nSELECT 1\r\nSWAPDB 0 2\r\nSET k 1\r\n', queued(4))
      c.write('EXEC\r\n')
      await pause(30)
      expect(c.received).toBe('')
      await holder.expect('COMMIT\r\n', OK)
      await c.expect('', `*4\r\n${OK.repeat(4)}`)
      await c.expect('GET k\r\nSELECT 2\r\nGET k\r\nSELECT 0\r\nGET k\r\n', bulk('1') + OK + bulk('0') + OK + NIL)
    }))

  test('what waits for a lock under a number goes on in the database that was selected then', () =>
    withServer({}, async ({ client }) => {
      const [c, holder] = [await client(), await client()]
      await c.expect('HELLO 3\r\n', /modules\r\n\*0\r\n$/)
      await holder.expect('BEGIN\r\nSELECT 1\r\nSET k held\r\n', OK.repeat(3))
      await c.expect('LOCKWAIT PUSH\r\nSELECT 1\r\nSET k later\r\nSELECT 2\r\n', `${OK}${OK}-LOCKWAIT 1\r\n${OK}`)
      await holder.expect('COMMIT\r\n', OK)
      await c.expect('', `>3\r\n${bulk('lockwait')}${ONE}${OK}`)
      await c.expect('GET k\r\nSELECT 1\r\nGET k\r\n', `_\r\n${OK}${bulk('later')}`)
    }))

  test('a client cannot drop what holds them', () =>
    withServer({}, async ({ client }) => {
      const c = await client()
      await c.expect(
        'SELECT 1\r\nSET k 1\r\nSELECT 0\r\nSUB DROP redis-databases\r\n',
        /^(\+OK\r\n){3}-ERR 'redis-databases' has/,
      )
      await c.expect('SELECT 1\r\nGET k\r\nSUB DROP redis-databases\r\n', OK + bulk('1') + ZERO)
    }))

  test('a server for reading alone says that a database which nobody has made cannot be', () =>
    withServer({ readOnly: true }, async ({ client }) => {
      const c = await client()
      await c.expect('SELECT 0\r\nSELECT 1\r\n', /^\+OK\r\n-READONLY .*\r\n$/)
    }))
})

describe('MOVE, COPY and SWAPDB', () => {
  test('records go to other databases with their times', () =>
    withServer({}, async ({ client }) => {
      const c = await client()
      await c.expect(
        'SET a 1 EX 100\r\nMOVE a 1\r\nMOVE a 1\r\nGET a\r\nSELECT 1\r\nGET a\r\nTTL a\r\n',
        `${OK}${ONE}${ZERO}${NIL}${OK}${bulk('1')}:100\r\n`,
      )
      await c.expect('COPY a a DB 0\r\nCOPY a a DB 0\r\nCOPY a a DB 0 REPLACE\r\nMOVE a 0\r\n', ONE + ZERO + ONE + ZERO)
      const same = '-ERR source and destination objects are the same\r\n'
      await c.expect('MOVE a 1\r\nCOPY a a\r\nCOPY a a DB 1\r\n', same + same + same)
      await c.expect('MOVE a 16\r\nCOPY a a DB 16\r\n', NO_DATABASE + NO_DATABASE)
    }))

  test('SWAPDB exchanges two for all clients, and is remembered', async () => {
    const storage = memoryStorage()
    const db = open<Uint8Array>('db', { storage, valueEncoding: 'binary' })
    let server = createServer(db, { port: 0 })
    const { Wire } = await import('../wire.ts')
    const portOf = async (): Promise<number> => ((await server.listen()) as { port: number }).port
    let c = await Wire.open(await portOf())
    await c.expect(
      'SET k 0\r\nSELECT 5\r\nSET k 5\r\nSWAPDB 0 5\r\nGET k\r\nSELECT 0\r\nGET k\r\n',
      OK + OK + OK + OK + bulk('0') + OK + bulk('5'),
    )
    await c.expect(
      'SWAPDB 5 6\r\nSELECT 6\r\nGET k\r\nSWAPDB 5 16\r\nSWAPDB x 1\r\nSWAPDB 1 x\r\nSWAPDB 6 6\r\n',
      `${OK}${OK}${bulk('0')}${NO_DATABASE}-ERR invalid first DB index\r\n-ERR invalid second DB index\r\n${OK}`,
    )
    await c.expect('INFO keyspace\r\n', /db0:keys=1,expires=0\r\ndb6:keys=1,expires=0\r\n/)
    c.close()
    await server.close()
    server = createServer(db, { port: 0 })
    c = await Wire.open(await portOf())
    await c.expect('GET k\r\nSELECT 6\r\nGET k\r\nSELECT 5\r\nGET k\r\n', bulk('5') + OK + bulk('0') + OK + NIL)
    // The numbers keep their places when everything goes.
    await c.expect('FLUSHALL\r\nSET k x\r\nDBSIZE\r\n', OK + OK + ONE)
    expect(db.count()).toBe(0)
    c.close()
    await server.close()
    await expectVerified(db)
    db.sub('redis-databases').put('2', 'x')
    expect(() => createServer(db, { port: 0 })).toThrow("the record '2' of the sub-database 'redis-databases'")
    db.close()
  })

  test('while an EXEC with a SWAPDB waits for a lock everybody watches what he watched', () =>
    withServer({}, async ({ client }) => {
      const [c, holder, watching] = [await client(), await client(), await client()]
      await holder.expect('BEGIN\r\nSELECT 1\r\nSET held 1\r\n', OK.repeat(3))
      await watching.expect('WATCH k\r\n', OK)
      await c.expect('MULTI\r\nSWAPDB 0 2\r\nSELECT 1\r\nSET held 2\r\n', queued(3))
      c.write('EXEC\r\n')
      await pause(30)
      expect(c.received).toBe('')
      const other = await client()
      await other.expect('SELECT 0\r\nSET k 1\r\n', OK + OK)
      await watching.expect('MULTI\r\nPING\r\nEXEC\r\n', `${queued(1)}*-1\r\n`)
      await holder.expect('ROLLBACK\r\n', OK)
      await c.expect('', `*3\r\n${OK.repeat(3)}`)
      await other.expect('GET k\r\nSELECT 2\r\nGET k\r\n', NIL + OK + bulk('1'))
    }))

  test('who watches a key watches it in what has its number, and notices if either had it', () =>
    withServer({}, async ({ client }) => {
      const [c, other] = [await client(), await client()]
      await c.expect('WATCH k\r\n', OK)
      await other.expect('SWAPDB 0 1\r\nSELECT 1\r\nSET k was-there\r\n', OK + OK + OK)
      await c.expect('MULTI\r\nPING\r\nEXEC\r\n', `${queued(1)}*1\r\n+PONG\r\n`)
      await c.expect('WATCH k\r\n', OK)
      await other.expect('SWAPDB 0 2\r\nSELECT 0\r\nSET k here\r\n', OK + OK + OK)
      await c.expect('MULTI\r\nPING\r\nEXEC\r\n', `${queued(1)}*-1\r\n`)
      await c.expect('WATCH k\r\n', OK)
      await other.expect('SWAPDB 0 3\r\n', OK)
      await c.expect('MULTI\r\nPING\r\nEXEC\r\n', `${queued(1)}*-1\r\n`)
    }))
})

test('no client writes over the records that say where the databases are', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    await c.expect('SELECT 1\r\nSET a 1\r\nSELECT 0\r\n', '+OK\r\n+OK\r\n+OK\r\n')
    for (const write of ['SET 0 x', 'DEL 0', 'FLUSHDB', 'RENAME a 0'])
      await c.expect(`IN redis-databases ${write}\r\n`, /^-ERR what lies in 'redis-databases' itself says/)
    await c.expect('IN redis-databases IN 1 SET b 2\r\nIN redis-databases DBSIZE\r\n', '+OK\r\n:0\r\n')
    await c.expect('SELECT 1\r\nGET b\r\nSWAPDB 1 2\r\nDBSIZE\r\n', '+OK\r\n$1\r\n2\r\n+OK\r\n:0\r\n')
    // A sub-database of that name elsewhere is one as any other.
    await c.expect('SUB OPEN redis-databases\r\nIN redis-databases SET 0 x\r\n', /\+OK\r\n$/)
  }))
