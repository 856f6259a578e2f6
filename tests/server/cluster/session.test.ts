/** A3 to A5 of cluster-session.ts: where a request runs, when its reply leaves, and what a group does to it. */
import { expect, test } from 'vitest'
import { pause } from '../../support/child.ts'
import { TWO_SHARDS, withShard } from './fake-shard.ts'

const CROSS = "-CROSSSLOT Keys in request don't hash to the same slot\r\n"

test('a key of another shard is answered with where its leader is', async () => {
  await withShard(async ({ client }) => {
    const c = await client()
    // Slots: foo 12182, bar 5061.
    await c.expect('SET foo 1\r\n', '-MOVED 12182 127.0.0.1:7004\r\n')
    await c.expect('GET foo\r\n', '-MOVED 12182 127.0.0.1:7004\r\n')
    await c.expect('SET bar 1\r\n', '+OK\r\n')
    await c.expect('GET bar\r\n', '$1\r\n1\r\n')
    await c.expect('OBJECT ENCODING foo\r\n', '-MOVED 12182 127.0.0.1:7004\r\n')
    await c.expect('SSUBSCRIBE foo\r\n', '-MOVED 12182 127.0.0.1:7004\r\n')
    await c.expect('RANGE [{foo}a [{foo}z\r\n', '-MOVED 12182 127.0.0.1:7004\r\n')
  }, TWO_SHARDS)
})

test('keys of several slots are refused, alone, in MULTI and in a script', async () => {
  await withShard(async ({ client }) => {
    const c = await client()
    await c.expect('MSET a 1 b 2\r\n', CROSS)
    await c.expect('MSET {t}a 1 {t}b 2\r\n', '+OK\r\n')
    await c.expect('MULTI\r\nSET a 1\r\nSET b 1\r\nEXEC\r\n', `+OK\r\n+QUEUED\r\n+QUEUED\r\n${CROSS}`)
    await c.expect('EXEC\r\n', '-ERR EXEC without MULTI\r\n')
    await c.expect(
      'MULTI\r\nMSET a 1 b 2\r\nEXEC\r\n',
      `+OK\r\n${CROSS}-EXECABORT Transaction discarded because of previous errors.\r\n`,
    )
    await c.expect(
      'MULTI\r\nSET {t}a 3\r\nGET {t}a\r\nEXEC\r\n',
      '+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n$1\r\n3\r\n',
    )
    await c.expect('EVAL "return 1" 2 a b\r\n', CROSS)
  })
})

test('what needs several databases is refused', async () => {
  await withShard(async ({ client }) => {
    const c = await client()
    await c.expect('SELECT 0\r\n', '+OK\r\n')
    await c.expect('SELECT 1\r\n', '-ERR SELECT is not allowed in cluster mode\r\n')
    await c.expect('SUB OPEN users\r\n', /^-ERR .*cluster mode\r\n$/)
    await c.expect('IN users GET a\r\n', /^-ERR .*cluster mode\r\n$/)
    await c.expect('WATCHRANGE - +\r\n', /^-ERR .*cluster mode.*\r\n$/)
  })
})

test('A3: what comes in one piece runs in one group, and is answered when that is stored', async () => {
  await withShard(async ({ client, node, db }) => {
    const c = await client()
    node.held = true
    c.write('SET a 1\r\nGET a\r\nINCR a\r\nGET nothing\r\nPING\r\nGET a\r\n')
    await pause(30)
    expect([c.received, db.count()]).toEqual(['', 0])
    node.release()
    await c.expect('', '+OK\r\n$1\r\n1\r\n:2\r\n$-1\r\n+PONG\r\n$1\r\n2\r\n')
    expect(node.groups).toEqual([1])
  })
})

test('clients share a group', async () => {
  await withShard(async ({ client, node }) => {
    const clients = [await client(), await client(), await client()]
    for (const c of clients) await c.expect('PING\r\n', '+PONG\r\n')
    node.held = true
    for (const [i, c] of clients.entries()) c.write(`SET k${i} ${i}\r\nGET k${i}\r\n`)
    while (node.status().queued < 3) await pause(2)
    node.release()
    for (const [i, c] of clients.entries()) await c.expect('', `+OK\r\n$1\r\n${i}\r\n`)
    expect(node.groups).toEqual([3])
  })
})

test('reads under a lease need no group; without one they wait for it', async () => {
  await withShard(async ({ client, node }) => {
    const c = await client()
    await c.expect('SET a 1\r\n', '+OK\r\n')
    await c.expect('GET a\r\n', '$1\r\n1\r\n')
    expect([node.groups.length, node.reads]).toEqual([1, 0])
    node.hasLease = false
    c.write('GET a\r\nEXISTS a\r\n')
    await pause(30)
    expect(c.received).toBe('')
    node.hasLease = true
    await c.expect('', '$1\r\n1\r\n:1\r\n')
    expect([node.groups.length, node.reads]).toEqual([1, 1])
  })
})

test('A4: a lease that ends while a read runs makes it wait', async () => {
  await withShard(async ({ client, node, cluster }) => {
    const c = await client()
    await c.expect('SET a 1\r\n', '+OK\r\n')
    let asked = 0
    Object.defineProperty(cluster, 'hasLease', { get: () => asked++ % 2 === 0 })
    await c.expect('GET a\r\n', '$1\r\n1\r\n')
    expect([asked, node.reads]).toEqual([2, 1])
  })
})

test('A5: a group that was superseded is run again, and answered once', async () => {
  await withShard(async ({ client, node }) => {
    const c = await client()
    await c.expect('SET a 5\r\n', '+OK\r\n')
    node.fates.push('superseded', 'superseded')
    await c.expect('INCR a\r\nAPPEND a x\r\n', ':6\r\n:2\r\n')
    expect(node.groups).toEqual([1, 1, 1, 1])
    await c.expect('GET a\r\n', '$2\r\n6x\r\n')
  })
})

test('A5: EXEC that watched is given up when its group was superseded, one that did not is run again', async () => {
  await withShard(async ({ client, node }) => {
    const c = await client()
    await c.expect('WATCH a\r\nMULTI\r\nINCR a\r\n', '+OK\r\n+OK\r\n+QUEUED\r\n')
    node.fates.push('superseded')
    await c.expect('EXEC\r\n', '*-1\r\n')
    await c.expect('MULTI\r\nINCR a\r\n', '+OK\r\n+QUEUED\r\n')
    node.fates.push('superseded')
    await c.expect('EXEC\r\n', '*1\r\n:1\r\n')
    await c.expect('GET a\r\n', '$1\r\n1\r\n')
  })
})

test('superseded by another leader: the client is sent there, and nothing was done', async () => {
  await withShard(async ({ client, node, changed }) => {
    const c = await client()
    node.fates.push('superseded')
    node.onSuperseded = () => {
      node.state = 'follow'
      node.leader = { node: 2, address: '127.0.0.1:7002', epoch: 2 }
      changed()
      node.release()
    }
    await c.expect('SET a 1\r\nGET a\r\n', '-MOVED 15495 127.0.0.1:7002\r\n-MOVED 15495 127.0.0.1:7002\r\n')
    await c.expect('READONLY\r\nGET a\r\n', '+OK\r\n$-1\r\n')
  })
})

test('an outcome that nobody knows is an error of its own, and the connection goes on', async () => {
  await withShard(async ({ client, node }) => {
    const c = await client()
    node.fates.push('unknown')
    await c.expect('SET a 1\r\nSET a 2\r\n', /^(-OUTCOMEUNKNOWN .*\r\n){2}$/)
    await c.expect('MULTI\r\nSET a 1\r\n', '+OK\r\n+QUEUED\r\n')
    node.fates.push('unknown')
    await c.expect('EXEC\r\n', /^-OUTCOMEUNKNOWN .*\r\n$/)
    await c.expect('EXEC\r\n', '-ERR EXEC without MULTI\r\n')
    node.fates.push('full')
    await c.expect('SET a 1\r\n', /^-LOGFULL .*\r\n$/)
  })
})

test('of a batch that is too large for a message each call has a group of its own', async () => {
  await withShard(async ({ client, node }) => {
    const c = await client()
    node.fates.push('too large', 'stored', 'too large')
    await c.expect('SET a 1\r\nSET b 2\r\n', /^\+OK\r\n-ERR the changes do not fit.*\r\n$/)
    await c.expect('MGET a\r\n', '*1\r\n$1\r\n1\r\n')
  })
})

test('while there is no leader requests are held, and then refused', async () => {
  await withShard(async ({ client, node, changed }) => {
    const c = await client()
    node.state = 'candidate'
    node.leader = undefined
    changed()
    c.write('SET a 1\r\n')
    await pause(50)
    expect(c.received).toBe('')
    node.state = 'lead'
    node.leader = { node: 1, address: '127.0.0.1:7001', epoch: 2 }
    changed()
    node.release()
    await c.expect('', '+OK\r\n')
    node.state = 'candidate'
    node.leader = undefined
    changed()
    await c.expect('SET a 2\r\n', /^-CLUSTERDOWN .*\r\n$/)
    await c.expect('GET a\r\n', /^-CLUSTERDOWN .*\r\n$/)
  })
})

test('a node that follows answers reads after READONLY alone, and no older ones than XMAXLAG allows', async () => {
  await withShard(async ({ client, node, changed }) => {
    const c = await client()
    await c.expect('SET a 1\r\n', '+OK\r\n')
    node.state = 'follow'
    node.leader = { node: 2, address: '127.0.0.1:7002', epoch: 2 }
    changed()
    await c.expect('GET a\r\n', '-MOVED 15495 127.0.0.1:7002\r\n')
    await c.expect('READONLY\r\nGET a\r\n', '+OK\r\n$1\r\n1\r\n')
    await c.expect('SET a 2\r\n', '-MOVED 15495 127.0.0.1:7002\r\n')
    await c.expect('MULTI\r\nGET a\r\nEXEC\r\n', '+OK\r\n+QUEUED\r\n*1\r\n$1\r\n1\r\n')
    await c.expect('FLUSHALL\r\n', "-READONLY You can't write against a read only replica.\r\n")
    await c.expect('DBSIZE\r\n', ':1\r\n')
    node.behindMs = 400
    await c.expect('XMAXLAG 100\r\n', '+OK\r\n')
    c.write('GET a\r\n')
    await pause(30)
    expect(c.received).toBe('')
    node.behindMs = 50
    await c.expect('', '$1\r\n1\r\n')
    await c.expect('READWRITE\r\nGET a\r\n', '+OK\r\n-MOVED 15495 127.0.0.1:7002\r\n')
  })
})

test('XTOKEN and XWAIT: a node that follows answers once it has what was written', async () => {
  await withShard(async ({ client, node, changed }) => {
    const c = await client()
    await c.expect('SET a 1\r\nXTOKEN\r\n', '+OK\r\n$4\r\n0:11\r\n')
    node.state = 'follow'
    node.leader = { node: 2, address: '127.0.0.1:7002', epoch: 2 }
    changed()
    await c.expect('XWAIT 0:11\r\n', '+OK\r\n')
    c.write('XWAIT 0:12 5000\r\n')
    await pause(20)
    expect(c.received).toBe('')
    node.sequence = 12
    await c.expect('', '+OK\r\n')
    await c.expect('XWAIT 0:13 1\r\n', /^-LAGGING this node has not come so far: [^A-Z].*\r\n$/)
    await c.expect('XWAIT 1:1\r\n', /^-ERR the token is one of shard 1, this node is of shard 0\r\n$/)
    await c.expect('XWAIT x\r\n', '-ERR not a token of XTOKEN\r\n')
  })
})

test('WAIT counts the nodes that have applied it; ROLE and FAILOVER', async () => {
  await withShard(async shard => {
    const { client, node, changed } = shard
    const c = await client()
    const peer = { node: 2, address: '127.0.0.1:7002', shard: 0, epoch: 1, leaseLeft: 0, lag: 0 } as const
    shard.others = [{ ...peer, state: 'follow', sequence: 9 }]
    await c.expect('WAIT 1 50\r\n', ':0\r\n')
    await c.expect('ROLE\r\n', '*3\r\n$6\r\nmaster\r\n:10\r\n*1\r\n*3\r\n$9\r\n127.0.0.1\r\n$4\r\n7002\r\n$1\r\n9\r\n')
    shard.others = [{ ...peer, state: 'follow', sequence: 10 }]
    await c.expect('WAIT 1 0\r\n', ':1\r\n')
    await c.expect('FAILOVER TO 127.0.0.1 7009\r\n', '-ERR FAILOVER target HOST and PORT is not a replica.\r\n')
    await c.expect('FAILOVER\r\n', '+OK\r\n')
    expect(node.transferredTo).toBe(2)
    node.state = 'follow'
    node.leader = { node: 2, address: '127.0.0.1:7002', epoch: 2 }
    changed()
    await c.expect('ROLE\r\n', '*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:7002\r\n$9\r\nconnected\r\n:10\r\n')
    await c.expect('WAIT 1 10\r\n', /^-ERR WAIT cannot be used with replica instances\..*\r\n$/)
  })
})

test('a new leader makes what was watched count as changed', async () => {
  await withShard(async ({ client, node, changed }) => {
    const c = await client()
    await c.expect('WATCH a\r\nMULTI\r\nSET a 1\r\n', '+OK\r\n+OK\r\n+QUEUED\r\n')
    node.state = 'follow'
    changed()
    node.state = 'lead'
    changed()
    await c.expect('EXEC\r\n', '*-1\r\n')
  })
})

test('CLIENT REPLY and CLIENT PAUSE hold for groups too', async () => {
  await withShard(async ({ client, node }) => {
    const c = await client()
    await c.expect('CLIENT REPLY SKIP\r\nSET a 1\r\nGET a\r\n', '$1\r\n1\r\n')
    await c.expect(
      'CLIENT REPLY OFF\r\nSET a 2\r\nGET a\r\nINCR a\r\nCLIENT REPLY ON\r\nGET a\r\n',
      '+OK\r\n$1\r\n3\r\n',
    )
    node.fates.push('unknown')
    await c.expect('CLIENT REPLY SKIP\r\nSET a 1\r\nPING\r\n', '+PONG\r\n')
    await c.expect('CLIENT PAUSE 60 WRITE\r\nSET a 4\r\nGET a\r\n', '+OK\r\n+OK\r\n$1\r\n4\r\n')
  })
})

test('events of keys and messages of a group are told when it is stored', async () => {
  await withShard(
    async ({ client, node }) => {
      const [c, listener] = [await client(), await client()]
      await listener.expect('SUBSCRIBE __keyevent@0__:set\r\n', /:1\r\n$/)
      node.held = true
      c.write('SET a 1\r\n')
      while (node.status().queued < 1) await pause(2)
      await pause(20)
      expect(listener.received).toBe('')
      node.fates.push('superseded')
      node.release()
      await c.expect('', '+OK\r\n')
      await listener.expect('', '*3\r\n$7\r\nmessage\r\n$18\r\n__keyevent@0__:set\r\n$1\r\na\r\n')
      await pause(20)
      expect(listener.received).toBe('')
    },
    undefined,
    { notifyKeyspaceEvents: 'KEA' },
  )
})

test('what breaks the protocol behind requests leaves them undone', async () => {
  await withShard(async ({ client, db }) => {
    const c = await client()
    c.write('SET a 1\r\n*1\r\nx')
    expect(await c.untilClosed()).toMatch(/^-ERR Protocol error.*\r\n$/)
    expect(db.count()).toBe(0)
  })
})

test('BEGIN, and commands that meet its locks', async () => {
  await withShard(async ({ client }) => {
    const [a, b] = [await client(), await client()]
    await a.expect('BEGIN\r\nSET {t}a 1\r\nGET {t}a\r\nRANGE [{t} [{t}a\r\n', /\$4\r\n\{t\}a\r\n\$1\r\n1\r\n$/)
    b.write('GET {t}a\r\nSET {t}b 2\r\nSET {t}a 2\r\nGET {t}a\r\n')
    await b.until(text => text === '$-1\r\n+OK\r\n')
    await pause(40)
    expect(b.received).toBe('$-1\r\n+OK\r\n')
    b.received = ''
    await a.expect('COMMIT\r\n', '+OK\r\n')
    await b.expect('', '+OK\r\n$1\r\n2\r\n')
    await a.expect('BEGIN\r\nSET {t}a 3\r\n', '+OK\r\n+OK\r\n')
    await b.expect('LOCKTIMEOUT 30\r\nSET {t}a 4\r\nPING\r\n', /^\+OK\r\n-LOCKTIMEOUT .*\r\n\+PONG\r\n$/)
    await b.expect('MULTI\r\nSET {t}a 5\r\n', '+OK\r\n+QUEUED\r\n')
    b.write('EXEC\r\n')
    await pause(30)
    await a.expect('ROLLBACK\r\n', '+OK\r\n')
    await b.expect('', '*1\r\n+OK\r\n')
    await a.expect('BEGIN ISOLATION SNAPSHOT READONLY\r\nGET {t}a\r\nCOMMIT\r\n', '+OK\r\n$1\r\n5\r\n+OK\r\n')
  })
})

test('LOCKWAIT PUSH is refused, and whoever is told so waits', async () => {
  await withShard(async ({ client }) => {
    const [a, b] = [await client(), await client()]
    await a.expect('BEGIN\r\nSET a 1\r\n', '+OK\r\n+OK\r\n')
    b.write('HELLO 3\r\nLOCKWAIT PUSH\r\nSET a 2\r\n')
    await b.until(text =>
      text.endsWith('-ERR LOCKWAIT PUSH is not for a node of a cluster: commands wait for locks there\r\n'),
    )
    await a.expect('COMMIT\r\n', '+OK\r\n')
    await b.until(text => text.endsWith('\r\n+OK\r\n'))
  })
})

test('/metrics and /health tell how the node is', async () => {
  await withShard(
    async ({ server, node, changed }) => {
      const get = async (path: string): Promise<[number, string]> => {
        const response = await fetch(`http://127.0.0.1:${server.metricsAddress!.port}${path}`)
        return [response.status, await response.text()]
      }
      const [, text] = await get('/metrics')
      expect(text).toContain('xenondb_cluster_state{state="lead"} 1\n')
      expect(text).toContain('xenondb_cluster_state{state="halted"} 0\n')
      expect(text).toContain('xenondb_cluster_lease_left_seconds 1\n')
      expect((await get('/health'))[0]).toBe(200)
      node.state = 'follow'
      changed()
      expect((await get('/health'))[0]).toBe(200)
      node.behindMs = 60_000
      expect(await get('/health')).toEqual([503, '{"status":"stuck","behindMs":60000}\n'])
      node.state = 'halted'
      expect(await get('/health')).toEqual([503, '{"status":"halted","reason":"as the test says"}\n'])
    },
    undefined,
    { metricsPort: 0 },
  )
})
