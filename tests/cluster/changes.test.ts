/** Committed changes for whoever is outside, from a real log. */
import { describe, expect, test } from 'vitest'
import { type CommittedGroup, changes, changesOf } from '../../src/cluster/changes.ts'
import type { Change } from '../../src/cluster/group-store.ts'
import { connectNats } from '../../src/cluster/load.ts'
import { HASH_BYTES } from '../../src/cluster/mark.ts'
import { encodeMessage, type MessageKind } from '../../src/cluster/message.ts'
import type { SharedLog } from '../../src/cluster/shared-log.ts'
import { withDirectory } from '../support/directory.ts'
import { NO_NATS, natsOptions, natsProgram, USER, withNats } from './nats-servers.ts'
import { bytesOf, textOf } from './shared-logs.ts'

/** A key of slot 258, as it stands in the file. */
const key = (name: string): Uint8Array => Uint8Array.of(1, 2, ...bytesOf(name))
const put = (name: string, value: string): Change => ({
  ...{ type: 'put', space: [], key: key(name), value: bytesOf(value), expiresAt: 0, flags: 0 },
})

/** Appends messages to a log as a leader would. */
class Writer {
  readonly #log: SharedLog
  #hash: Uint8Array = new Uint8Array(HASH_BYTES)
  last = 0

  constructor(log: SharedLog) {
    this.#log = log
  }

  async write(kind: MessageKind, changes: Change[], epoch = 1, messageBytes = 1000): Promise<void> {
    const header = { kind, node: 7, epoch, id: crypto.getRandomValues(new Uint8Array(16)), time: 1_000 + this.last }
    const { messages, hash } = encodeMessage(header, { changes }, this.#hash, messageBytes, 100)
    const outcome = await this.#log.append(messages, this.last)
    expect(outcome.kind).toBe('stored')
    this.last += messages.length
    this.#hash = hash
  }
}

const told = (group: CommittedGroup): string =>
  `${group.sequence} ${group.changes.map(change => ('key' in change ? `${change.kind} ${change.slot} ${textOf(change.key)}` : change.kind)).join(', ')}`

async function take(groups: AsyncIterable<CommittedGroup>, count: number): Promise<CommittedGroup[]> {
  const taken: CommittedGroup[] = []
  for await (const group of groups) {
    taken.push(group)
    if (taken.length === count) break
  }
  return taken
}

describe.skipIf(natsProgram === undefined)(`changes of a shard (else ${NO_NATS})`, () => {
  test('come once, in order, whole, and again from where somebody was', context =>
    withDirectory(directory =>
      withNats(directory, { servers: 1 }, async servers => {
        const services = await connectNats(natsOptions(servers))
        const log = await services.createLog(
          { cluster: 'shop', shard: 0, generation: 1 },
          { replicas: 1, maxBytes: -1 },
        )
        context.skip(log.limits.batch === 1, 'this nats-server knows no atomic batches')
        const writer = new Writer(log)
        await writer.write('epoch', [])
        await writer.write('group', [put('a', '1'), { type: 'delete', space: [], key: key('b') }])
        await writer.write('heartbeat', [])
        // In three parts.
        await writer.write('group', [put('large', 'x'.repeat(2_500))])
        await writer.write(
          'slot-drop',
          [{ type: 'clearRange', space: [], lower: Uint8Array.of(1, 2), upper: Uint8Array.of(1, 3) }],
          2,
        )
        const all = changesOf(log)
        const groups = take(all, 4)
        await writer.write('group', [put('c', '3')], 2)
        expect((await groups).map(told)).toEqual([
          '2 put 258 a, delete 258 b',
          '6 put 258 large',
          '7 clear',
          '8 put 258 c',
        ])
        const [first, large, drop] = await groups
        expect(first).toMatchObject({ kind: 'group', node: 7, epoch: 1, time: 1_001 })
        expect(large!.changes[0]).toMatchObject({ value: bytesOf('x'.repeat(2_500)), expiresAt: undefined, flags: 0 })
        expect(drop).toMatchObject({
          kind: 'slot-drop',
          changes: [{ kind: 'clear', from: { slot: 258, key: new Uint8Array(0) }, to: { slot: 259 } }],
        })

        expect((await take(changesOf(log, { from: 3 }), 2)).map(({ sequence }) => sequence)).toEqual([6, 7])
        await expect(take(changesOf(log, { from: 5 }), 1)).rejects.toMatchObject({ code: 'XENON_INVALID_ARGUMENT' })
        const stop = new AbortController()
        setTimeout(() => stop.abort(), 100)
        expect(await take(changesOf(log, { from: 9, signal: stop.signal }), 1)).toEqual([])
        await log.purge(4)
        await expect(take(changesOf(log, { from: 2 }), 1)).rejects.toMatchObject({ code: 'XENON_NOT_FOUND' })
        expect((await take(changesOf(log), 1)).map(({ sequence }) => sequence)).toEqual([6])

        // By the map of the cluster.
        const options = { servers: servers.urls, user: USER.user, password: USER.pass, cluster: 'shop', shard: 0 }
        await expect(take(changes(options), 1)).rejects.toMatchObject({ code: 'XENON_NOT_FOUND' })
        await services.shardMap('shop').write({ shards: [{ shard: 0, generation: 1, slots: [] }], nodes: [] }, 0)
        expect((await take(changes({ ...options, from: 8 }), 1)).map(told)).toEqual(['8 put 258 c'])
        await services.close()
      }),
    ))

  test('end with an error where the log contradicts itself', () =>
    withDirectory(directory =>
      withNats(directory, { servers: 1 }, async servers => {
        const services = await connectNats(natsOptions(servers))
        const log = await services.createLog(
          { cluster: 'shop', shard: 0, generation: 1 },
          { replicas: 1, maxBytes: -1 },
        )
        const writer = new Writer(log)
        await writer.write('group', [put('a', '1')], 2)
        const stranger = new Writer(log)
        stranger.last = 1
        await stranger.write('group', [put('b', '2')], 2)
        await expect(take(changesOf(log), 2)).rejects.toMatchObject({ code: 'XENON_CORRUPT' })
        await services.close()
      }),
    ))
})
