/** SLOWLOG, MONITOR, LATENCY, INFO commandstats and errorstats: what commands have done, told as Redis tells it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasRedis, type RunningServer, startRedis, startXenon } from './servers.ts'
import { type Command, showWire, type Wire, WireConnection } from './wire.ts'

describe.runIf(hasRedis)('activity', () => {
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

  /** What `work` makes of each server, that of Redis first. */
  const both = <T>(work: (open: () => Promise<WireConnection>) => Promise<T>): Promise<T[]> =>
    Promise.all(
      servers.map(async ({ port }) => {
        const opened: WireConnection[] = []
        try {
          return await work(async () => {
            const connection = await WireConnection.open(port)
            opened.push(connection)
            return connection
          })
        } finally {
          for (const connection of opened) connection.close()
        }
      }),
    )

  const lines = (text: string): Command[] =>
    text.split(';').map(line =>
      line
        .trim()
        .split(' ')
        .map(word => word.replace('#', ' ')),
    )

  /** Without numbers that differ: times, ports. */
  const entry = ({ items }: Wire): unknown => [
    items![0]!.text,
    showWire(items![3]!),
    items![4]!.text!.replace(/\d+$/, ''),
    items![5]!.text,
  ]

  test('SLOWLOG keeps what took long, shortened, with who sent it', async () => {
    const [theirs, ours] = await both(async open => {
      const connection = await open()
      await connection.send(lines('CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 1000;SLOWLOG RESET'))
      await connection.send([
        ['CLIENT', 'SETNAME', 'me'],
        ['SET', 'long', 'x'.repeat(200)],
        ['MSET', ...Array.from({ length: 40 }, (_, i) => `${i}`)],
        ['AUTH', 'default', 'secret'],
        ['HELLO', '2', 'AUTH', 'default', 'secret', 'SETNAME', 'you'],
        ['GET'],
        ['MULTI'],
        ['GET', 'long'],
        ['INCR', 'long'],
        ['EXEC'],
        ['GET', 'a'],
        ['NOSUCH', 'a'],
        ['ping'],
        ['SLOWLOG', 'LEN'],
      ])
      const [all, ten, two, none] = await connection.send(
        lines('SLOWLOG GET -1;SLOWLOG GET;SLOWLOG GET 2;SLOWLOG GET 0'),
      )
      const rest = await connection.send(
        lines(
          'SLOWLOG GET x;SLOWLOG GET -2;SLOWLOG GET 1 2;SLOWLOG;SLOWLOG bogus;SLOWLOG LEN x;' +
            'CONFIG SET slowlog-max-len 3;SLOWLOG LEN;CONFIG GET slowlog-max-len;CONFIG SET slowlog-log-slower-than -1;' +
            'SLOWLOG RESET;GET a;SLOWLOG LEN;CONFIG SET slowlog-log-slower-than 10000 slowlog-max-len 128',
        ),
      )
      const first = Number(all!.items!.at(-1)!.items![0]!.text)
      return {
        all: all!
          .items!.map(entry)
          .map(each => [Number((each as string[])[0]) - first, ...(each as string[]).slice(1)]),
        counts: [ten, two, none].map(reply => reply!.items!.length),
        rest: rest.map(showWire),
      }
    })
    expect(ours!.all.length).toBeGreaterThan(10)
    expect(ours).toEqual(theirs)
  })

  test('commands of one pipeline that are slow together are told so', async () => {
    const xenon = await WireConnection.open(servers[1]!.port)
    // Less than 1 ms times each.
    await xenon.send(lines('CONFIG SET slowlog-log-slower-than 1000;SLOWLOG RESET;SET a 1'))
    await xenon.send(Array.from({ length: 2000 }, () => ['GET', 'a']))
    const [stats] = await xenon.send(lines('INFO commandstats;CONFIG SET slowlog-log-slower-than 10000'))
    expect(Number(/cmdstat_get:calls=(\d+)/.exec(stats!.text!)![1])).toBeGreaterThanOrEqual(2000)
    xenon.close()
  })

  test('MONITOR is sent each command, but for secrets and what administrators do', async () => {
    const [theirs, ours] = await both(async open => {
      const watching = await open()
      const connection = await open()
      await connection.send(lines('SET a 1'))
      await watching.send(lines('MONITOR'))
      await connection.send([
        ['SET', 'a', Buffer.from('\0\x07\b\t\n\r"\\ é\x7f\xff', 'latin1')],
        ['get', 'a'],
        ['AUTH', 'secret'],
        ['AUTH', 'default', 'secret'],
        ['HELLO', '2', 'AUTH', 'default', 'secret', 'SETNAME', 'you'],
        ['CONFIG', 'GET', 'timeout'],
        ['CLIENT', 'ID'],
        ['CLIENT', 'LIST'],
        ['CLIENT'],
        ['GET'],
        ['NOSUCH'],
        ['MULTI'],
        ['SET', 'b', '2'],
        ['EXEC'],
        ['MULTI'],
        ['DISCARD'],
        ['INCR', 'you'],
        ['EVAL', "redis.call('SET', KEYS[1], '1') return redis.pcall('GET')", '1', 's'],
        ['EVAL', "return redis.pcall('INCRBY', KEYS[1], 'x')", '1', 's'],
        ['LASTSAVE'],
        ['SLOWLOG', 'LEN'],
        ['PING'],
      ])
      const isMarked = (await connection.send(lines('CLIENT LIST')))[0]!.text!.includes('flags=O')
      const own = [await watching.read()]
      while (!own.at(-1)!.text!.endsWith('"PING"')) own.push(await watching.read())
      await watching.send(lines('RESET'))
      await connection.send(lines('SET c 3'))
      const [last] = await watching.send(lines('PING'))
      return {
        isMarked,
        own: own.map(({ text }) => text!.replace(/^\d+\.\d{6} \[(\d+) (?!lua)[^\]]*\]|^\d+\.\d{6}/, '[$1]')),
        last,
      }
    })
    expect(ours).toEqual(theirs)
  })

  test('a monitor that takes nothing is closed, and costs no more memory', async () => {
    const server = await startXenon(`${directory}/slow`, '--durability', 'none')
    try {
      const watching = await WireConnection.open(server.port)
      const connection = await WireConnection.open(server.port)
      await watching.send(lines('MONITOR'))
      watching.pause()
      const value = 'x'.repeat(100_000)
      let closed = false
      for (let i = 0; i < 40 && !closed; i++) {
        await connection.send(Array.from({ length: 20 }, () => ['ECHO', value]))
        const [list] = await connection.send(lines('CLIENT LIST'))
        closed = !list!.text!.includes('flags=O')
      }
      expect(closed).toBe(true)
      watching.close()
      connection.close()
    } finally {
      await server.stop()
    }
  })

  test('LATENCY tells when a command took longer than the threshold', async () => {
    const [theirs, ours] = await both(async open => {
      const connection = await open()
      const replies = await connection.send(
        lines(
          'LATENCY LATEST;LATENCY HISTORY command;LATENCY RESET;LATENCY RESET command x;LATENCY GRAPH command;' +
            'CONFIG GET latency-monitor-threshold;LATENCY;LATENCY HISTORY;LATENCY bogus;LATENCY LATEST x;' +
            'CONFIG SET latency-monitor-threshold 0',
        ),
      )
      return replies.map(showWire)
    })
    expect(ours).toEqual(theirs)

    const xenon = await WireConnection.open(servers[1]!.port)
    const value = 'ab'.repeat(900)
    await xenon.send([
      ['CONFIG', 'SET', 'latency-monitor-threshold', '1'],
      ['SET', 'x', value],
      ['SET', 'y', value],
    ])
    await xenon.send([['LCS', 'x', 'y', 'LEN']])
    const [latest, history, graph, doctor] = await xenon.send(
      lines('LATENCY LATEST;LATENCY HISTORY command;LATENCY GRAPH command;LATENCY DOCTOR'),
    )
    const [name, , last, most] = latest!.items!.map(({ items }) => items!.map(({ text }) => text!))[0]!
    expect(name).toBe('command')
    expect(Number(last)).toBeGreaterThanOrEqual(1)
    expect(Number(most)).toBeGreaterThanOrEqual(Number(last))
    expect(history!.items!.length).toBeGreaterThan(0)
    expect(graph!.text).toMatch(/command - most \d+ ms\n/)
    expect(doctor!.text).toMatch(/command: \d+ times 1 ms or more/)
    const [reset, empty] = await xenon.send(lines('LATENCY RESET;CONFIG SET latency-monitor-threshold 0'))
    expect([Number(reset!.text) > 0, empty!.text]).toEqual([true, 'OK'])
    xenon.close()
  })

  test.each([2, 3] as const)('INFO commandstats and errorstats, LATENCY HISTOGRAM, RESP%d', async protocol => {
    const [theirs, ours] = await both(async open => {
      const connection = await open()
      await connection.send([['HELLO', String(protocol)]])
      await connection.send(lines('FLUSHALL;CONFIG RESETSTAT'))
      await connection.send(
        lines(
          'SET a x;GET a;GET a;GET a;INCR a;INCR;CLIENT ID;CLIENT ID;CLIENT bogus;NOSUCH;EXISTS a b c d e f;' +
            'MULTI;SET b 1;INCR a;EXEC;EXEC;EVAL return#redis.call("incr","n")+redis.call("incr","n") 0;EVAL return#redis.call("incr","a") 0;AUTH a b;CONFIG GET timeout',
        ),
      )
      const [stats, errors, info] = await connection.send(lines('INFO commandstats;INFO errorstats;INFO stats'))
      const [some, none, within] = await connection.send(
        lines('LATENCY HISTOGRAM get;LATENCY HISTOGRAM nosuch;LATENCY HISTOGRAM client'),
      )
      const shown = (wire: Wire): string =>
        showWire({ ...wire, items: wire.items!.slice(0, 1) }) + wire.items![1]!.items!.slice(0, 3).map(showWire)
      return {
        stats: stats!
          .text!.replace(/usec=\d+,usec_per_call=[\d.]+/g, 'usec')
          .split('\r\n')
          .toSorted(),
        errors: errors!.text!.split('\r\n').toSorted(),
        total: /total_error_replies:\d+/.exec(info!.text!)?.[0],
        histograms: [shown(some!), showWire(none!), shown(within!)],
      }
    })
    expect(ours).toEqual(theirs)
  })
})
