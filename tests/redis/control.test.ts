/** CLIENT REPLY, PAUSE, UNBLOCK, NO-TOUCH, WAIT, ROLE, MEMORY and others that say something of the server: as Redis. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pause } from '../support/child.ts'
import { hasRedis, type RunningServer, startRedis, startXenon } from './servers.ts'
import { type Command, showWire, WireConnection } from './wire.ts'

/** Long enough to be told from at once on a busy machine. */
const SOME_TIME_MS = 150

describe.runIf(hasRedis)('control', () => {
  let servers: RunningServer[]
  let directory: string

  beforeAll(async () => {
    directory = mkdtempSync(join(process.env.XENON_TMP ?? tmpdir(), 'xenon-test-'))
    servers = [await startRedis(directory), await startXenon(`${directory}/db`)]
  })

  afterAll(async () => {
    for (const server of servers) await server.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  const lines = (text: string): Command[] => text.split(';').map(line => line.trim().split(' '))

  /** What `work` makes of each server has to be the same. */
  const expectSame = async (
    work: (open: (protocol?: 2 | 3) => Promise<WireConnection>) => Promise<unknown>,
  ): Promise<void> => {
    const [theirs, ours] = await Promise.all(
      servers.map(async ({ port }) => {
        const opened: WireConnection[] = []
        try {
          return await work(async (protocol = 2) => {
            const connection = await WireConnection.open(port)
            opened.push(connection)
            if (protocol === 3) await connection.send([['HELLO', '3']])
            return connection
          })
        } finally {
          for (const connection of opened) connection.close()
        }
      }),
    )
    expect(ours).toEqual(theirs)
  }

  const send = async (connection: WireConnection, text: string): Promise<string[]> =>
    (await connection.send(lines(text))).map(showWire)

  test.each([2, 3] as const)('replies and errors, RESP%d', protocol =>
    expectSame(async open => {
      const connection = await open(protocol)
      return send(
        connection,
        'ROLE;ROLE x;WAIT 0 0;WAIT -1 0;WAIT 0 -1;WAIT 1 -1;WAIT x 0;WAIT 0 x;WAIT 0;WAIT 1 1;MULTI;WAIT 1 0;WAIT x 0;' +
          'EXEC;REPLICAOF NO ONE;slaveof no one;REPLICAOF x;MEMORY PURGE;MEMORY STATS x;MEMORY PURGE x;MEMORY bogus;' +
          'MEMORY;DEBUG;LOLWUT x;CLIENT REPLY;CLIENT REPLY x;CLIENT REPLY ON;CLIENT PAUSE;CLIENT PAUSE x;' +
          'CLIENT PAUSE -1;CLIENT PAUSE 0;CLIENT PAUSE 1 bogus;CLIENT PAUSE x bogus;CLIENT PAUSE 1 WRITE x;' +
          'CLIENT UNPAUSE;CLIENT UNPAUSE x;CLIENT UNBLOCK;CLIENT UNBLOCK x;CLIENT UNBLOCK 12345;CLIENT UNBLOCK 0 ERROR;' +
          'CLIENT UNBLOCK 1 bogus;CLIENT UNBLOCK x bogus;CLIENT UNBLOCK 0 TIMEOUT x;CLIENT NO-EVICT on;GET a',
      )
    }),
  )

  test.each([2, 3] as const)('MEMORY STATS and LOLWUT have the same shape, RESP%d', protocol =>
    expectSame(async open => {
      const connection = await open(protocol)
      const [stats, lolwut] = await connection.send(lines('MEMORY STATS;LOLWUT'))
      const names: string[] = []
      for (let i = 0; i < stats!.items!.length; i += 2) {
        const [name, value] = [stats!.items![i]!.text!, stats!.items![i + 1]!]
        // Tables of each database, which a B+tree has not.
        if (!name.startsWith('db.')) names.push(`${name} ${value.kind}`)
      }
      return [stats!.kind, names, lolwut!.kind, lolwut!.text!.split('\n').at(-2)]
    }),
  )

  test('CLIENT REPLY: OFF, SKIP and ON', () =>
    expectSame(async open => {
      const told: unknown[] = []
      const sequences = [
        'CLIENT REPLY SKIP;SET a 1;GET a',
        'CLIENT REPLY SKIP;CLIENT REPLY SKIP;SET a 2;GET a;GET b',
        'CLIENT REPLY OFF;SET a 3;GET a;NOSUCH;CLIENT REPLY SKIP;GET;CLIENT REPLY ON;GET a',
        'CLIENT REPLY SKIP;CLIENT REPLY ON;GET a',
        'CLIENT REPLY SKIP;CLIENT REPLY OFF;GET a;CLIENT REPLY ON;GET a',
        'CLIENT REPLY SKIP;WAIT 1 1;GET a',
        'CLIENT REPLY OFF;MULTI;INCR a;EXEC;CLIENT REPLY ON;GET a',
        'CLIENT REPLY OFF;PING;RESET;GET a',
        'CLIENT REPLY SKIP;NOSUCH;GET a',
        'CLIENT REPLY SKIP;SET a;GET a',
      ]
      for (const sequence of sequences) {
        const connection = await open()
        const found: string[] = []
        // Their number is what is to be known: the last one is told by its mark.
        await connection.send([...lines(sequence), ['ECHO', 'the end']], 20_000, 0)
        do found.push(showWire(await connection.read()))
        while (found.at(-1) !== '"the end"')
        told.push([sequence, found])
      }
      return told
    }))

  test('CLIENT UNBLOCK ends a WAIT, and a client that goes leaves nothing', () =>
    expectSame(async open => {
      const [waiting, other, gone] = [await open(), await open(), await open()]
      const told: string[] = []
      for (const reason of ['', ' TIMEOUT', ' ERROR']) {
        const [id] = await waiting.send(lines('CLIENT ID'))
        const answers = send(waiting, 'WAIT 1 0;PING')
        await isBlocked(other, id!.text!)
        told.push(...(await send(other, `CLIENT UNBLOCK ${id!.text}${reason};CLIENT UNBLOCK ${id!.text}`)))
        told.push(...(await answers))
      }
      void gone.send(lines('WAIT 1 0')).catch(() => {})
      gone.close()
      told.push(...(await send(other, 'PING')))
      return told
    }))

  const isBlocked = async (other: WireConnection, id: string): Promise<void> => {
    for (;;) {
      const [list] = await other.send(lines(`CLIENT LIST ID ${id}`))
      if (/ flags=b/.test(list!.text!)) return
      await pause(2)
    }
  }

  /** Whether replies come at once, or when the pause has ended. */
  const paused =
    (
      kind: string,
      commands: readonly string[],
    ): ((open: (protocol?: 2 | 3) => Promise<WireConnection>) => Promise<unknown>) =>
    async open => {
      const told: unknown[] = []
      const admin = await open()
      await send(admin, 'FLUSHALL;SET a 1')
      for (const command of commands) {
        const connection = await open()
        if (command.startsWith('EXEC')) await send(connection, `MULTI;${command.slice(5)}`)
        await send(admin, `CLIENT PAUSE ${SOME_TIME_MS} ${kind}`)
        const began = performance.now()
        const replies = await send(connection, `${command.startsWith('EXEC') ? 'EXEC' : command};PING`)
        const waited = performance.now() - began
        told.push([command, replies, waited > SOME_TIME_MS * 0.8])
        await pause(Math.max(0, SOME_TIME_MS + 10 - waited))
      }
      return told
    }

  test('CLIENT PAUSE WRITE holds what may write', () =>
    expectSame(
      paused('WRITE', ['GET a', 'SET a 2', 'EXEC GET a', 'EXEC INCR a', 'PUBLISH c m', 'MULTI', 'DEL a', 'TTL a']),
    ))

  test('CLIENT PAUSE holds everything', () => expectSame(paused('ALL', ['GET a', 'SET a 2', 'PING'])))

  test('UNPAUSE ends it, a second pause does not shorten it, and who waits has its turn in order', () =>
    expectSame(async open => {
      const [admin, writer] = [await open(), await open()]
      await send(admin, 'CLIENT PAUSE 100000 WRITE;CLIENT PAUSE 1 WRITE')
      const replies = send(writer, 'SET b 1;INCR b;GET b;SET b 7;GET b')
      await pause(30)
      const before = await send(admin, 'GET b')
      const unpaused = await send(admin, 'CLIENT UNPAUSE')
      return [before, unpaused, await replies, await send(admin, 'GET b')]
    }))
})
