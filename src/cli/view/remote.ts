/** The view of a database that another process has open, through its socket. */
import type { Argument, ClientTransaction, Reply } from '../../client/index.ts'
import { ServerError } from '../../client/index.ts'
import type { ClientStore } from '../../client/store.ts'
import type { Key, Range, Stats } from '../../types.ts'
import type { ByteClient } from '../connection.ts'
import type { EncodingNames } from '../place.ts'
import type { FileRecord } from '../records/record.ts'
import type { DatabaseView, IndexView, Pages, SpaceFacts, SpaceView } from './view.ts'
import { PAGE, Page } from './view.ts'

type Store = ClientStore<Uint8Array, Uint8Array>
type Moment = ClientTransaction<Uint8Array, Uint8Array>

export class RemoteDatabase implements DatabaseView {
  readonly directory: string
  readonly root: SpaceView
  readonly ordered: boolean
  readonly isRemote = true
  private readonly client: ByteClient

  constructor(directory: string, client: ByteClient, ordered: boolean) {
    this.directory = directory
    this.client = client
    this.ordered = ordered
    this.root = new RemoteSpace(client, client as unknown as Store, [], ordered)
  }

  async stats(): Promise<Stats> {
    return parsed(await this.client.command('INSPECT', 'STATS')) as Stats
  }

  async atOnce<R>(work: (root: SpaceView) => Promise<R>): Promise<R> {
    const { client, ordered } = this
    if (!ordered) return await work(this.root)
    const moment = (await client.begin({ isolation: 'snapshot', readOnly: true })) as unknown as Moment
    try {
      return await work(new RemoteSpace(client, client as unknown as Store, [], ordered, moment))
    } finally {
      await moment.abandon()
    }
  }
}

class RemoteSpace implements SpaceView {
  private readonly client: ByteClient
  private readonly store: Store
  /** What stands before each command. */
  private readonly place: readonly string[]
  private readonly ordered: boolean
  private readonly moment: Moment | undefined

  constructor(client: ByteClient, store: Store, place: readonly string[], ordered: boolean, moment?: Moment) {
    this.client = client
    this.store = store
    this.place = place
    this.ordered = ordered
    this.moment = moment
  }

  async get(key: Key): Promise<Uint8Array | undefined> {
    return await this.store.get(key)
  }

  async ttl(key: Key): Promise<number | undefined> {
    return await this.store.ttl(key)
  }

  async put(key: Key, value: Uint8Array, ttl?: number): Promise<void> {
    await this.store.put(key, value, ttl === undefined ? {} : { ttl })
  }

  async replace(key: Key, before: Uint8Array, value: Uint8Array): Promise<boolean> {
    return await this.store.transact(async tx => {
      const [found, left] = [await tx.get(key), await tx.ttl(key)]
      if (found === undefined || left === undefined || !Buffer.from(found).equals(before)) return false
      await tx.put(key, value, left === Number.POSITIVE_INFINITY ? {} : { ttl: left })
      return true
    })
  }

  async delete(key: Key): Promise<boolean> {
    return await this.store.delete(key)
  }

  async expire(key: Key, ttl: number | undefined): Promise<void> {
    if (ttl === undefined) await this.store.persist(key)
    else await this.store.expire(key, ttl)
  }

  async count(range?: Range): Promise<number> {
    if (range === undefined || this.ordered) return await this.store.count(given(range))
    let found = 0
    for await (const page of this.scanned(range)) found += page.length
    return found
  }

  async clear(range: Range): Promise<void> {
    if (this.ordered) {
      await this.store.clear(given(range))
      return
    }
    const found: Uint8Array[] = []
    for await (const page of this.scanned(range)) found.push(...page)
    await this.store.batch(found.map(key => ({ type: 'delete', key })))
  }

  keys(range: Range): Pages<Uint8Array> {
    return this.ordered
      ? inPages((this.inMoment ?? this.store).keys(given(range)), key => key.length)
      : this.scanned(range)
  }

  async *records(range: Range, withTimes: boolean): AsyncGenerator<FileRecord[], void> {
    for await (const page of this.entries(range)) {
      const times = withTimes ? await Promise.all(page.map(([key]) => this.timeOf(key))) : []
      yield page
        .map(([key, value], i) => ({ key, value, expiresAt: times[i] }))
        .filter(({ expiresAt }) => expiresAt !== 0)
    }
  }

  private async *entries(range: Range): AsyncGenerator<[Uint8Array, Uint8Array][], void> {
    if (this.ordered) {
      yield* inPages((this.inMoment ?? this.store).entries(given(range)), ([, value]) => value.length)
      return
    }
    for await (const page of this.scanned(range)) {
      const values = await this.store.getMany(page)
      yield page.flatMap((key, i) => (values[i] === undefined ? [] : [[key, values[i]] as [Uint8Array, Uint8Array]]))
    }
  }

  /** The transaction of the view, in this key space. */
  private get inMoment(): Moment | undefined {
    return this.moment?.in(this.store)
  }

  /** The exact time; undefined if it does not expire, 0 if it is gone by now. */
  private async timeOf(key: Uint8Array): Promise<number | undefined> {
    const time = Number(await this.ask('PEXPIRETIME', key))
    return time === -1 ? undefined : Math.max(0, time)
  }

  /** Without the ordered index: keys as they lie in the blocks, for a prefix and a limit alone. */
  private async *scanned({ prefix = '', limit = Number.POSITIVE_INFINITY }: Range): AsyncGenerator<Uint8Array[], void> {
    const begin = typeof prefix === 'string' ? Buffer.from(prefix, 'utf8') : Buffer.from(prefix)
    let left = limit
    for (let cursor = '0'; left > 0; ) {
      const [next, keys] = (await this.ask('SCAN', cursor, 'COUNT', PAGE)) as [Uint8Array, Uint8Array[]]
      const found = keys.filter(key => Buffer.compare(key.subarray(0, begin.length), begin) === 0).slice(0, left)
      left -= found.length
      if (found.length > 0) yield found
      cursor = Buffer.from(next).toString()
      if (cursor === '0') return
    }
  }

  index(name: string): IndexView {
    return this.store.index(name)
  }

  async facts(): Promise<SpaceFacts> {
    return parsed(String(await this.ask('INSPECT', 'SPACE'))) as SpaceFacts
  }

  async subs(): Promise<string[]> {
    return await this.store.subs()
  }

  async sub(name: string): Promise<SpaceView | undefined> {
    if (!(await this.subs()).includes(name)) return undefined
    return this.inside(name)
  }

  async declareSub(name: string, { keyEncoding, valueEncoding }: Partial<EncodingNames>): Promise<SpaceView> {
    const command = ['SUB', 'OPEN', name]
    if (keyEncoding !== undefined) command.push('KEYS', keyEncoding)
    if (valueEncoding !== undefined) command.push('VALUES', valueEncoding)
    await this.ask(...command)
    return this.inside(name)
  }

  private inside(name: string): SpaceView {
    const { client, store, place, ordered, moment } = this
    return new RemoteSpace(client, store.subAsBytes(name), [...place, 'IN', name], ordered, moment)
  }

  private async ask(...command: readonly Argument[]): Promise<Reply> {
    const reply = await this.client.commandBytes(...this.place, ...command)
    if (reply instanceof ServerError) throw reply
    return reply
  }
}

/** Text and bytes are the same keys. */
const given = (range: Range | undefined): Range<Uint8Array> | undefined => range as Range<Uint8Array> | undefined

const parsed = (reply: unknown): unknown => JSON.parse(String(reply))

async function* inPages<T>(items: AsyncIterable<T>, bytesOf: (item: T) => number): AsyncGenerator<T[], void> {
  const page = new Page<T>()
  for await (const item of items) if (page.add(item, bytesOf(item))) yield page.take()
  if (page.items.length > 0) yield page.take()
}
