/**
 * A node, as its callers see it: what it answers, what it refuses and with which error (X1 to X6, X12), driven step by
 * step over a simulated log.
 */
import { expect, test } from 'vitest'
import { decodeMessage } from '../../src/cluster/message.ts'
import { ClusterNode } from '../../src/cluster/node.ts'
import type { NodeEvent, NodeOptions } from '../../src/cluster/node-types.ts'
import type { PeerReport } from '../../src/cluster/peers.ts'
import type { NotLeaderError, XenonError } from '../../src/errors.ts'
import { failureOf } from '../support/errors.ts'
import { type Connection, MajorityLog } from './simulator/majority-log.ts'
import { MapStore } from './simulator/map-store.ts'
import { Machine, Process, World } from './simulator/world.ts'

interface Member {
  readonly node: ClusterNode
  readonly store: MapStore
  readonly machine: Machine
  readonly process: Process
  readonly connection: Connection
  readonly events: NodeEvent[]
}

/** Its failure is looked at later. */
const heed = <T>(promise: Promise<T>): Promise<T> => {
  promise.catch(() => {})
  return promise
}

/** Nodes over a log that answers at once, without faults. */
class Bench {
  readonly world: World = new World(1)
  readonly log: MajorityLog
  readonly members: Member[] = []

  constructor({ messageBytes = 4096, batch = 1 } = {}) {
    this.log = new MajorityLog(this.world, { loss: 0, twice: 0, delay: 1, lies: false }, { messageBytes, batch })
  }

  add(
    options: Partial<NodeOptions> = {},
    store: MapStore = new MapStore({ items: new Map(), mark: undefined }),
  ): Member {
    const number = options.node ?? this.members.length + 1
    const machine = new Machine(this.world, number, 1, 0)
    const process = new Process(machine)
    const connection = this.log.connect(process)
    const events: NodeEvent[] = []
    const node = new ClusterNode({
      node: number,
      shard: 0,
      address: `host-${number}:7001`,
      log: connection,
      store,
      clock: process,
      rank: number - 1,
      snapshots: false,
      peers: {
        ask: async () =>
          this.members
            .filter(member => member.node.settings.node !== number && !member.process.hasEnded)
            .map(({ node }): PeerReport => {
              const { address, shard, state, sequence, epoch, leaseLeft, lag } = node.status()
              return { node: node.settings.node, address, shard, state, sequence, epoch, leaseLeft, lag }
            }),
        answer: () => () => {},
      },
      onEvent: event => events.push(event),
      ...options,
    })
    const member: Member = { node, store, machine, process, connection, events }
    this.members.push(member)
    return member
  }

  async run(ms: number): Promise<void> {
    await this.world.runUntil(this.world.now + ms)
  }

  /** Until a node has a message on its way. */
  async sent({ appender }: ClusterNode): Promise<void> {
    await this.world.runUntil(this.world.now, () => appender.isBusy)
    expect(appender.isBusy).toBe(true)
  }

  /** What a promise comes to within that time. */
  async settle<T>(promise: Promise<T>, ms: number = 10_000): Promise<T> {
    let isDone = false
    const end = (): void => {
      isDone = true
    }
    promise.then(end, end)
    for (let i = 0; i < ms && !isDone; i += 10) await this.run(10)
    expect(isDone).toBe(true)
    return await promise
  }

  async failure(promise: Promise<unknown>, ms?: number): Promise<XenonError> {
    heed(promise)
    return (await failureOf(() => this.settle(promise, ms))) as XenonError
  }

  /** A node that leads, and others that follow. */
  async leading(followers: number = 0, options: Partial<NodeOptions> = {}): Promise<Member> {
    const first = this.add(options)
    for (let i = 0; i < followers; i++) this.add(options)
    for (const { node } of this.members) void node.start()
    await this.run(3_000)
    expect(this.members.map(({ node }) => node.state)).toEqual(['lead', ...Array(followers).fill('follow')])
    return first
  }
}

test('a node alone leads after D, and answers when its message is in the log', async () => {
  const bench = new Bench()
  const { node, store } = bench.add()
  await bench.settle(node.start())
  expect([node.state, node.status().leader]).toEqual(['follow', undefined])
  // It waits for a leader, that is for itself.
  const put = node.execute(() => {
    store.put('a', '1')
    return 'done'
  })
  await bench.run(1_900)
  expect([node.state, node.mayRead('leader')]).toEqual(['follow', false])
  expect(await bench.settle(put)).toBe('done')
  expect(node.status()).toMatchObject({ state: 'lead', epoch: 1, sequence: 2, leader: { node: 1 }, lag: 0 })
  expect(await node.read('leader', () => store.read('a'))).toBe('1')
  expect(bench.log.last).toBe(2)
})

test('what waits while a message is on its way becomes one group', async () => {
  const bench = new Bench()
  const { node, store } = await bench.leading()
  const { last } = bench.log
  const put = (i: number): Promise<void> => node.execute(() => store.put(`key ${i % 10}`, `${i}`))
  // Those that come together go together.
  const first = [put(0), put(1)]
  await bench.sent(node)
  await bench.settle(Promise.all([...first, ...Array.from({ length: 98 }, (_, i) => put(i + 2))]))
  expect([bench.log.last - last, node.counts.commands, node.counts.groups]).toEqual([2, 100, 2])
})

test('nothing is seen before its message is in the log (X2)', async () => {
  const bench = new Bench()
  const { node, store } = await bench.leading()
  const { last } = bench.log
  bench.log.leader = undefined
  let isAnswered = false
  void node
    .execute(() => store.put('a', '1'))
    .then(() => {
      isAnswered = true
    })
  await bench.run(1_000)
  expect([isAnswered, store.read('a'), bench.log.last, node.mayRead('leader')]).toEqual([false, undefined, last, true])
  bench.log.leader = 0
  await bench.run(3_000)
  expect([isAnswered, store.read('a')]).toEqual([true, '1'])
})

test('a command that throws is refused alone', async () => {
  const bench = new Bench()
  const { node, store } = await bench.leading()
  const one = node.execute(() => store.put('a', '1'))
  const two = node.execute(() => {
    store.put('b', '2')
    throw new Error('not this one')
  })
  const three = node.execute(() => store.get('b'))
  expect(((await bench.failure(two)) as Error).message).toBe('not this one')
  await bench.settle(one)
  expect([await bench.settle(three), store.read('a')]).toEqual([undefined, '1'])
})

test('another node says who leads, and reads as far as it is asked to', async () => {
  const bench = new Bench()
  const { node, store } = await bench.leading(1)
  const { node: other, store: copy } = bench.members[1]!
  await bench.settle(node.execute(() => store.put('a', '1')))
  const token = node.status().sequence
  const error = (await bench.failure(other.execute(() => 1))) as NotLeaderError
  expect([error.code, error.leader]).toMatchObject(['XENON_NOT_LEADER', { node: 1, address: 'host-1:7001' }])
  expect((await bench.failure(other.read('leader', () => 1))).code).toBe('XENON_NOT_LEADER')
  expect(await bench.settle(other.read({ after: token }, () => copy.read('a')))).toBe('1')
  expect(await other.read({ maxLagMs: 2_000 }, () => copy.read('a'))).toBe('1')
  bench.members[1]!.machine.isCut = true
  await bench.run(3_000)
  expect(other.mayRead({ maxLagMs: 2_000 })).toBe(false)
  expect((await bench.failure(other.read({ maxLagMs: 2_000 }, () => 1, { holdMs: 500 }))).code).toBe('XENON_NOT_READY')
  expect(await other.read('stale', () => copy.read('a'))).toBe('1')
})

test('a node that starts behind an EPOCH record learns who leads from the others', async () => {
  const bench = new Bench()
  await bench.leading(1)
  const second = bench.members[1]!
  second.process.hasEnded = true
  const again = bench.add({ node: 2 }, new MapStore(second.store.committed))
  await bench.settle(again.node.start())
  await bench.run(1_000)
  expect(again.node.status().leader).toEqual({ node: 1, address: 'host-1:7001', epoch: 1 })
})

test('a lease ends with the log’s answers, reads wait for it, and then for a leader', async () => {
  const bench = new Bench()
  const { node } = await bench.leading()
  bench.log.leader = undefined
  await bench.run(2_500)
  expect([node.state, node.mayRead('leader'), node.status().leaseLeft]).toEqual(['lead', false, 0])
  const read = node.read('leader', () => 'read')
  await bench.run(1_000)
  bench.log.leader = 0
  expect(await bench.settle(read)).toBe('read')
  bench.log.leader = undefined
  await bench.run(2_500)
  expect((await bench.failure(node.read('leader', () => 1))).code).toBe('XENON_NOT_LEADER')
})

test('a lease counts from the first attempt, whichever was confirmed (X5)', async () => {
  const bench = new Bench()
  const { node, store, machine } = await bench.leading()
  // No heartbeat is on its way.
  await bench.run(100)
  const { last } = bench.log
  let left = -1
  const put = node
    .execute(() => store.put('a', '1'))
    .then(() => {
      left = node.status().leaseLeft
    })
  await bench.sent(node)
  // The answer is lost, and so are the first questions after it.
  machine.isCut = true
  await bench.run(10)
  expect(bench.log.last).toBe(last + 1)
  const { attempts } = node.appender
  while (node.appender.attempts === attempts) {
    await bench.run(1)
    if (!node.mayRead('leader')) machine.isCut = false
  }
  await bench.settle(put)
  expect([store.read('a'), left]).toEqual(['1', 0])
  await bench.run(1_000)
  expect(node.mayRead('leader')).toBe(true)
})

test('a write without an outcome in time says so, and is there when the log has it (X4)', async () => {
  const bench = new Bench()
  const { node, store } = await bench.leading()
  bench.log.leader = undefined
  const open = heed(node.execute(() => store.put('a', '1')))
  await bench.sent(node)
  const waiting = heed(node.execute(() => store.put('b', '1')))
  await bench.run(100)
  expect((await bench.failure(open)).code).toBe('XENON_OUTCOME_UNKNOWN')
  // The other one was executed never.
  expect((await bench.failure(waiting)).code).toBe('XENON_NOT_LEADER')
  bench.log.leader = 0
  await bench.run(3_000)
  expect([store.read('a'), store.read('b'), node.state]).toEqual(['1', undefined, 'lead'])
})

test('a leader that was cut off is superseded, and its open group rolled back', async () => {
  const bench = new Bench()
  // Nobody tells it that the other one has gone on.
  const first = await bench.leading(1, { peers: { ask: async () => [], answer: () => () => {} } })
  first.machine.isCut = true
  const lost = first.node.execute(() => first.store.put('a', 'old'), { holdMs: 60_000 })
  await bench.run(5_000)
  const second = bench.members[1]!
  expect([first.node.state, second.node.state]).toEqual(['lead', 'lead'])
  expect([first.node.mayRead('leader'), second.node.mayRead('leader')]).toEqual([false, true])
  await bench.settle(second.node.execute(() => second.store.put('a', 'new')))
  first.machine.isCut = false
  const error = (await bench.failure(lost)) as NotLeaderError
  expect([error.code, error.leader?.node]).toEqual(['XENON_NOT_LEADER', 2])
  await bench.run(1_000)
  expect([first.node.state, first.store.read('a'), first.node.counts.superseded]).toEqual(['follow', 'new', 1])
})

test('a full log refuses, and takes writes again when there is room', async () => {
  const bench = new Bench()
  const { node, store } = await bench.leading()
  bench.log.maxBytes = bench.log.bytes
  expect((await bench.failure(node.execute(() => store.put('a', '1')))).code).toBe('XENON_FULL')
  expect([node.state, store.read('a'), node.counts.full]).toEqual(['lead', undefined, 1])
  bench.log.maxBytes = Number.POSITIVE_INFINITY
  await bench.run(200)
  await bench.settle(node.execute(() => store.put('a', '1')))
  expect(store.read('a')).toBe('1')
})

test('a log without room for writes takes heartbeats and the EPOCH of the next leader', async () => {
  const bench = new Bench()
  bench.log.maxBytes = 20_000
  const first = await bench.leading(1)
  const fill = async ({ node, store }: Member): Promise<void> => {
    for (let i = 0; ; i++) {
      const put = node.execute(() => store.put(`key ${i}`, 'x'.repeat(500)))
      const code = await bench.settle(
        put.then(
          () => '',
          (error: XenonError) => error.code,
        ),
      )
      if (code === 'XENON_FULL') return
      expect(code).toBe('')
    }
  }
  await fill(first)
  expect(bench.log.bytes).toBeGreaterThan(15_000)
  expect(bench.log.bytes).toBeLessThanOrEqual(18_000)
  // Somebody tries again and again, and the leader leads on.
  for (let i = 0; i < 100; i++) {
    expect((await bench.failure(first.node.execute(() => first.store.put('a', 'x'.repeat(3_000))))).code).toBe(
      'XENON_FULL',
    )
    await bench.run(50)
    expect([first.node.state, first.node.mayRead('leader')]).toEqual(['lead', true])
  }
  expect(await bench.settle(first.node.execute(() => first.store.get('key 0')))).toHaveLength(500)
  // The other one takes over, and has no more room than that.
  first.process.hasEnded = true
  await bench.run(4_000)
  const second = bench.members[1]!
  expect([second.node.state, second.node.mayRead('leader')]).toEqual(['lead', true])
  await fill(second)
  // A snapshot has let the log be purged.
  bench.log.maxBytes = 200_000
  await bench.run(200)
  await bench.settle(second.node.execute(() => second.store.put('a', '1')))
  expect(second.store.read('a')).toBe('1')
})

test('a change that is too large is refused alone, one that goes in parts is taken', async () => {
  const bench = new Bench({ messageBytes: 200 })
  const { node, store } = await bench.leading()
  const small = Array.from({ length: 5 }, (_, i) => node.execute(() => store.put(`s${i}`, 'x'.repeat(20))))
  const large = node.execute(() => store.put('large', 'x'.repeat(200)))
  expect((await bench.failure(large)).code).toBe('XENON_VALUE_TOO_LARGE')
  await bench.settle(Promise.all(small))
  expect([store.read('s4'), store.read('large'), node.state]).toEqual(['x'.repeat(20), undefined, 'lead'])

  const inParts = new Bench({ messageBytes: 200, batch: 10 })
  const leader = await inParts.leading(1)
  const { last } = inParts.log
  await inParts.settle(leader.node.execute(() => leader.store.put('large', 'x'.repeat(500))))
  await inParts.run(500)
  expect(inParts.log.last - last).toBeGreaterThan(3)
  expect(inParts.members[1]!.store.read('large')).toBe('x'.repeat(500))
})

test('no more commands wait than may', async () => {
  const bench = new Bench()
  const { node } = await bench.leading(0, { queueLength: 2 })
  bench.log.leader = undefined
  const all = Array.from({ length: 3 }, () => node.execute(() => 1).catch((error: XenonError) => error.code))
  bench.log.leader = 0
  expect(await bench.settle(Promise.all(all))).toEqual([1, 1, 'XENON_FULL'])
})

test('a hand-over takes less than 300 ms, and what waits goes to the next leader', async () => {
  const bench = new Bench()
  const first = await bench.leading(2)
  const began = bench.world.now
  await bench.settle(first.node.transferTo(3))
  const held = first.node.execute(() => 1)
  const third = bench.members[2]!.node
  while (third.state !== 'lead') await bench.run(10)
  expect(bench.world.now - began).toBeLessThan(300)
  expect(await bench.failure(held)).toMatchObject({ code: 'XENON_NOT_LEADER', leader: { node: 3 } })
  expect(first.events).toContainEqual({ kind: 'leader', leader: { node: 3, address: 'host-3:7001', epoch: 2 } })
  expect((await bench.failure(first.node.transferTo(3))).code).toBe('XENON_NOT_LEADER')
  expect((await bench.failure(third.transferTo(9))).code).toBe('XENON_NOT_READY')
})

test('a hand-over under load goes to who kept up when it was asked, however slow the answers are', async () => {
  const bench = new Bench()
  let isLeading = false
  const peers: NodeOptions['peers'] = {
    ask: async () => {
      if (!isLeading) return []
      const { node } = bench.members[1]!
      const { address, shard, state, sequence, epoch, leaseLeft, lag } = node.status()
      await bench.world.sleep(2_000)
      return [{ node: 2, address, shard, state, sequence, epoch, leaseLeft, lag }]
    },
    answer: () => () => {},
  }
  const { node, store } = await bench.leading(1, { peers })
  isLeading = true
  const handover = heed(node.transferTo(2))
  const { sequence } = node.mark
  let isOver = false
  const write = (): unknown => isOver || node.execute(() => store.put('a', '1')).then(write, () => {})
  write()
  await bench.settle(handover)
  isOver = true
  expect(node.mark.sequence - sequence).toBeGreaterThan(200)
})

test('a record of its own reaches every node with its note, behind the changes of its command', async () => {
  const bench = new Bench()
  const heard: string[] = []
  const onRecord: NodeOptions['onRecord'] = ({ kind, note }, { sequence }) =>
    heard.push(`${kind} ${note.join()} ${sequence}`)
  const { node, store } = await bench.leading(1, { onRecord })
  const before = node.execute(() => store.put('a', '1'))
  const record = node.executeRecord('freeze', Uint8Array.of(7), () => store.put('frozen', '7'))
  const after = node.execute(() => store.get('frozen'))
  expect(await bench.settle(Promise.all([before, record, after]))).toEqual([undefined, undefined, '7'])
  await bench.run(100)
  const at = bench.log.entries.findIndex(bytes => decodeMessage(bytes, 'a message').kind === 'freeze') + 1
  expect(heard).toEqual([`freeze 7 ${at}`, `freeze 7 ${at}`])
  expect(bench.members[1]!.store.read('frozen')).toBe('7')
})

test('an idle leader removes what has expired, by a message', async () => {
  const bench = new Bench()
  const { node, store } = await bench.leading(1)
  const copy = bench.members[1]!.store
  await bench.settle(node.execute(() => store.put('gone', 'soon', 500)))
  await bench.run(100)
  expect(copy.committed.items.size).toBe(1)
  await bench.run(3_000)
  expect([store.committed.items.size, copy.committed.items.size]).toEqual([0, 0])
})

test('an interactive transaction goes into a group', async () => {
  const bench = new Bench()
  const { node, store } = await bench.leading()
  // The store of these tests takes a function for a transaction.
  await bench.settle(node.commit(() => store.put('a', '1')))
  expect(store.read('a')).toBe('1')
})

test('a log that has lost messages halts whoever has them, after 20 s, and nobody else goes on', async () => {
  const bench = new Bench()
  const first = await bench.leading(2)
  const [, second, third] = bench.members
  third!.machine.isCut = true
  await bench.run(100)
  for (let i = 0; i < 3; i++) await bench.settle(first.node.execute(() => first.store.put('a', `${i}`)))
  await bench.run(100)
  const least = third!.node.mark.sequence
  bench.log.rollBack(least)
  third!.machine.isCut = false
  const waiting = first.node.execute(() => first.store.put('a', 'lost'), { holdMs: 60_000 })
  void waiting.catch(() => {})
  await bench.run(15_000)
  expect(bench.members.map(({ node }) => node.state)).not.toContain('halted')
  await bench.run(15_000)
  expect([first.node.state, second!.node.state, bench.log.last]).toEqual(['halted', 'halted', least])
  expect((await bench.failure(waiting)).code).toBe('XENON_OUTCOME_UNKNOWN')
  expect((await bench.failure(first.node.execute(() => 1))).code).toBe('XENON_HALTED')
  expect((await bench.failure(third!.node.execute(() => 1))).code).toBe('XENON_NOT_LEADER')
})

test('a log that is another one halts a follower at once (X7)', async () => {
  const bench = new Bench()
  const first = await bench.leading(1)
  await bench.settle(first.node.execute(() => first.store.put('a', '1')))
  const second = bench.members[1]!
  second.machine.isCut = true
  await bench.run(100)
  await bench.settle(first.node.execute(() => first.store.put('a', '2')))
  bench.log.entries[bench.log.last - 1]![45]! ^= 1
  second.machine.isCut = false
  await bench.run(5_000)
  expect([second.node.state, second.node.status().reason]).toEqual([
    'halted',
    expect.stringContaining('it does not follow the message before it'),
  ])
})

test('a fresh node behind the purge restores a snapshot and goes on (X9)', async () => {
  const bench = new Bench()
  const first = await bench.leading(1, { snapshots: { keep: 1 } })
  for (let i = 0; i < 5; i++) await bench.settle(first.node.execute(() => first.store.put(`key ${i}`, `${i}`)))
  await bench.run(100)
  const { node: second } = bench.members[1]!
  const sequence = await bench.settle(second.takeSnapshot())
  expect([sequence, bench.log.first]).toEqual([second.mark.sequence, sequence + 1])
  const fresh = bench.add({})
  await bench.settle(fresh.node.start())
  expect(fresh.events.map(event => (event.kind === 'state' ? event.to : '')).filter(name => name !== '')).toEqual([
    'check',
    'restore',
    'check',
    'follow',
  ])
  expect(fresh.store.read('key 4')).toBe('4')
})

test('a node that was stopped refuses, and its last group comes back from the log', async () => {
  const bench = new Bench()
  const { node, store } = await bench.leading()
  const open = heed(node.execute(() => store.put('a', '1')))
  await bench.sent(node)
  const waiting = heed(node.execute(() => store.put('b', '1')))
  await node.stop()
  expect([(await bench.failure(open)).code, (await bench.failure(waiting)).code]).toEqual([
    'XENON_OUTCOME_UNKNOWN',
    'XENON_CLOSED',
  ])
  expect((await bench.failure(node.execute(() => 1))).code).toBe('XENON_CLOSED')
  expect((await bench.failure(node.read('stale', () => 1))).code).toBe('XENON_CLOSED')
  await bench.run(100)
  const again = bench.add({ node: 1 }, new MapStore(store.committed))
  await bench.settle(again.node.start())
  await bench.run(100)
  expect([store.read('a'), again.store.read('a')]).toEqual([undefined, '1'])
})

test('a database that has followed another log, and numbers that are none, are refused', async () => {
  const bench = new Bench()
  const { store } = await bench.leading()
  expect(() => bench.add({ node: 0 })).toThrow('the number of a node')
  const other = new MapStore(store.committed)
  const mark = other.committed.mark!.slice()
  mark[40]! ^= 1
  expect(() => bench.add({ node: 5 }, new MapStore({ items: new Map(), mark }))).toThrow('has followed another log')
})
