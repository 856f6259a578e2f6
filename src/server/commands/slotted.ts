/**
 * The records of a cluster's database as commands see them: in the file each key carries its hash slot in front (2
 * bytes, `cluster/slots.ts`), which no command knows of. So the keys of a slot lie next to each other, and what asks for
 * a range looks at each slot that has records, unless the bounds have a hash tag in common.
 */
import type { ShardSlots } from '../../cluster/moves/shard-slots.ts'
import { SLOTS } from '../../cluster/shard-map.ts'
import { placed, SLOT_BYTES, slotAt, slotOf, slotOfPrefix, slotPrefix } from '../../cluster/slots.ts'
import type { KeyListener } from '../../database/key-observer.ts'
import type { EncodingNames } from '../../database/stored-encodings.ts'
import type { Outer } from '../../database/sub.ts'
import { compareBytes } from '../../runtime/bytes.ts'
import type { Range } from '../../types.ts'
import type { KeyUse } from '../../values/key.ts'
import { MAX_KEY_BYTES } from '../../values/limits.ts'
import { successor } from '../../values/range.ts'
import type { Watcher } from '../../values/watcher.ts'
import type { Counts } from '../service/counts.ts'
import { CommandError } from './errors.ts'
import { HiddenSlots } from './hidden-slots.ts'
import { type KeyRecords, Keyspace, type KeyTransaction, type Limits } from './keyspace.ts'
import type { Observation } from './observation.ts'

type Bytes = Outer<Uint8Array, Uint8Array>

const withoutSlot = (key: Uint8Array): Uint8Array => key.subarray(SLOT_BYTES)

/** Looks for a random record that is not hidden. */
const RANDOM_TRIES = 100

/** Records of the file under the keys of clients. */
class SlottedRecords implements KeyRecords {
  private readonly inner: KeyRecords
  private readonly hiding: HiddenSlots
  /** The key that was asked for last, as it stands in the file. */
  private readonly key: Uint8Array = new Uint8Array(MAX_KEY_BYTES)

  constructor(inner: KeyRecords, hiding: HiddenSlots) {
    this.inner = inner
    this.hiding = hiding
  }

  get bytes(): Uint8Array {
    return this.inner.bytes
  }

  set bytes(bytes: Uint8Array) {
    this.inner.bytes = bytes
  }

  get at(): number {
    return this.inner.at
  }

  set at(at: number) {
    this.inner.at = at
  }

  /** Length of the key in `this.key`. */
  private place(source: Uint8Array, start: number, end: number): number {
    const slot = slotOf(source, start, end)
    this.key[0] = slot >> 8
    this.key[1] = slot & 255
    this.key.set(source.subarray(start, end), SLOT_BYTES)
    return end - start + SLOT_BYTES
  }

  find(source: Uint8Array, start: number, end: number): number {
    return this.inner.find(this.key, 0, this.place(source, start, end))
  }

  hasPart(source: Uint8Array, start: number, end: number): boolean {
    return this.inner.hasPart(this.key, 0, this.place(source, start, end))
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.inner.get(placed(key))
  }

  has(key: Uint8Array): boolean {
    return this.hasPart(key, 0, key.length)
  }

  timeOf(key: Uint8Array): number | undefined {
    return this.inner.timeOf(placed(key))
  }

  each(parts: { readonly count: number }, first: number, step: number, _: KeyUse, work: (index: number) => void): void {
    for (let i = first; i < parts.count; i += step) work(i)
  }

  put(key: Uint8Array, value: Uint8Array, expiresAt: number): void {
    this.inner.put(placed(key), value, expiresAt)
  }

  delete(key: Uint8Array): boolean {
    return this.inner.delete(placed(key))
  }

  changeExpiry(key: Uint8Array, expiresAt: number): boolean {
    return this.inner.changeExpiry(placed(key), expiresAt)
  }

  scan(place: number, least: number): { keys: Uint8Array[]; next: number } {
    const { keys, next } = this.inner.scan(place, least)
    return { keys: keys.filter(key => !this.hiding.hides(key)).map(withoutSlot), next }
  }

  random(): Uint8Array | undefined {
    let key = this.inner.random()
    for (let i = 0; key !== undefined && i < RANDOM_TRIES && this.hiding.hides(key); i++) key = this.inner.random()
    return key === undefined || this.hiding.hides(key) ? undefined : withoutSlot(key)
  }

  letGo(): void {
    this.inner.letGo()
  }

  now(): number {
    return this.inner.now()
  }

  get isBinary(): boolean {
    return this.inner.isBinary
  }

  get ordered(): boolean {
    return this.inner.ordered
  }

  get isWatched(): boolean {
    return this.inner.isWatched
  }

  get isQuiet(): boolean {
    return this.inner.isQuiet
  }

  together: KeyRecords['together'] = work => this.inner.together(work)

  requireQuiet(): void {
    this.inner.requireQuiet()
  }

  areOpen(transactions: readonly number[]): boolean {
    return this.inner.areOpen(transactions)
  }

  count(): number {
    return this.inner.count() - this.hiding.count()
  }

  countExpiring(): number {
    return this.inner.countExpiring()
  }

  clear(): void {
    if (!this.hiding.clearOthers()) this.inner.clear()
  }

  makeDurable(): Promise<void> | undefined {
    return this.inner.makeDurable()
  }
}

/** The same of an interactive transaction; its ranges are those of the file. */
class SlottedTransaction implements KeyTransaction {
  readonly inner: KeyTransaction
  private readonly hiding: HiddenSlots
  readonly keys: KeyTransaction['keys']
  readonly entries: KeyTransaction['entries']

  constructor(inner: KeyTransaction, hiding: HiddenSlots) {
    this.inner = inner
    this.hiding = hiding
    this.keys = range => inner.keys(range)
    this.entries = range => inner.entries(range)
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.inner.get(placed(key))
  }

  has(key: Uint8Array): boolean {
    return this.inner.has(placed(key))
  }

  timeOf(key: Uint8Array): number | undefined {
    return this.inner.timeOf(placed(key))
  }

  putUntil(key: Uint8Array, value: Uint8Array, expiresAt: number): void {
    this.inner.putUntil(placed(key), value, expiresAt)
  }

  delete(key: Uint8Array): boolean {
    return this.inner.delete(placed(key))
  }

  changeExpiryTime(key: Uint8Array, expiresAt: number): boolean {
    return this.inner.changeExpiryTime(placed(key), expiresAt)
  }

  count(...range: Parameters<KeyTransaction['count']>): number {
    return this.inner.count(...range)
  }

  clear(): void {
    this.hiding.requireNone()
    this.inner.clear()
  }
}

export class SlottedKeyspace extends Keyspace {
  private known: SlottedTransaction | undefined
  private readonly hiding: HiddenSlots

  constructor(
    ...[db, limits, counts, observation, slots]: [Bytes, Limits, Counts, Observation, Pick<ShardSlots, 'hidden'>?]
  ) {
    const hiding = new HiddenSlots(db, slots)
    const records = new SlottedRecords(db.records(), hiding)
    super(db, limits, counts, observation, undefined, records, MAX_KEY_BYTES - SLOT_BYTES)
    this.hiding = hiding
  }

  override sub(): Keyspace {
    throw noSubs()
  }

  override declareSub(): EncodingNames {
    throw noSubs()
  }

  override drop(): boolean {
    throw noSubs()
  }

  override get transaction(): SlottedTransaction | undefined {
    const inner = super.transaction
    if (inner === undefined) return undefined
    if (this.known?.inner !== inner) this.known = new SlottedTransaction(inner, this.hiding)
    return this.known
  }

  /** Where ranges of the file are read. */
  private get source(): Pick<KeyTransaction, 'keys' | 'entries' | 'count'> {
    return this.transaction ?? this.db
  }

  /** What lies in it is nothing but its records. */
  override clearAll(): void {
    this.clear()
  }

  protected override listener(listener: KeyListener): KeyListener {
    return { ...listener, changed: (name, now) => listener.changed(name.slice(SLOT_BYTES), now) }
  }

  override finds(prefix: Uint8Array): boolean {
    return slotOfPrefix(prefix) !== undefined
  }

  override rangeKeys(range: Range): Iterable<Uint8Array> {
    return this.inOrder(
      range,
      part => this.source.keys(part),
      key => key,
      withoutSlot,
    )
  }

  override rangeEntries(range: Range): Iterable<[Uint8Array, Uint8Array]> {
    return this.inOrder<[Uint8Array, Uint8Array]>(
      range,
      part => this.source.entries(part),
      ([key]) => key,
      ([key, value]) => [withoutSlot(key), value],
    )
  }

  override rangeCount(range: Range): number {
    const { limit = Number.POSITIVE_INFINITY } = range
    let count = 0
    for (const slot of this.slotsOf(range)) count += this.source.count(partOf(range, slot))
    return Math.min(count, limit)
  }

  override watchRange(): Watcher<Uint8Array, Uint8Array> {
    throw new CommandError('ERR WATCHRANGE is not there in cluster mode; xenondb/cluster has changes()')
  }

  countInSlot(slot: number): number {
    return this.db.count({ prefix: slotPrefix(slot) })
  }

  /** The first keys of a slot, in their order. */
  keysInSlot(slot: number, most: number): Uint8Array[] {
    return [...this.db.keys({ prefix: slotPrefix(slot), limit: most })].map(withoutSlot)
  }

  /** Merges the slots that may have something of the range; nothing of them stays open. */
  private *inOrder<T>(
    range: Range,
    read: (part: Range) => Iterable<T>,
    keyOf: (item: T) => Uint8Array,
    strip: (item: T) => T,
  ): Generator<T> {
    const { limit = Number.POSITIVE_INFINITY, reverse = false } = range
    const only = slotOfRange(range)
    if (only !== undefined) {
      for (const item of read(partOf(range, only))) yield strip(item)
      return
    }
    const sources: Source<T>[] = []
    for (const slot of this.slotsOf(range)) {
      const items = [...read({ ...partOf(range, slot), limit: Math.min(limit, FIRST_CHUNK) })]
      if (items.length > 0) sources.push({ slot, items, at: 0, key: keyOf(items[0]!) })
    }
    const compare = reverse ? (a: Uint8Array, b: Uint8Array) => compareBytes(b, a) : compareBytes
    const heap = new Heap(sources, (a, b) => compare(withoutSlot(a.key), withoutSlot(b.key)))
    for (let given = 0; given < limit; given++) {
      const source = heap.first
      if (source === undefined) return
      yield strip(source.items[source.at]!)
      source.at++
      if (source.at === source.items.length) {
        const behind = reverse ? { lt: withoutSlot(source.key) } : { gt: withoutSlot(source.key) }
        const rest = { ...range, ...behind, limit: Math.min(limit - given, CHUNK) } as Range
        source.items = [...read(partOf(rest, source.slot))]
        source.at = 0
      }
      if (source.items.length === 0) heap.drop()
      else {
        source.key = keyOf(source.items[source.at]!)
        heap.sink(0)
      }
    }
  }

  /** The slots in which a range may have records: one, if its bounds have a hash tag in common; else those that have any. */
  private *slotsOf(range: Range): Generator<number> {
    const only = slotOfRange(range)
    if (only !== undefined) {
      yield only
      return
    }
    for (let slot = 0; slot < SLOTS; ) {
      const behind = this.hiding.behind(slot)
      if (behind !== undefined) {
        slot = behind
        continue
      }
      const [next] = this.source.keys({ gte: slotPrefix(slot), limit: 1 })
      if (next === undefined) return
      slot = slotAt(next)
      if (this.hiding.behind(slot) !== undefined) continue
      yield slot
      slot++
    }
  }
}

const noSubs = (): CommandError => new CommandError('ERR there are no sub-databases in cluster mode')

/** Where all keys of a range lie, if its bounds begin with one hash tag. */
export const slotOfRange = ({ gt, gte, lt, lte, prefix }: Range): number | undefined => {
  if (prefix !== undefined) return slotOfPrefix(prefix as unknown as Uint8Array)
  const lower = (gte ?? gt) as unknown as Uint8Array | undefined
  const upper = (lte ?? lt) as unknown as Uint8Array | undefined
  if (lower === undefined || upper === undefined) return undefined
  let same = 0
  while (same < lower.length && lower[same] === upper[same]) same++
  const common = slotOfPrefix(lower.subarray(0, same))
  if (common !== undefined) return common
  // What `prefix` is as bounds: all that begin so, and the first that does not.
  const end = lt === undefined || gte === undefined ? undefined : successor(Uint8Array.from(lower))
  return end !== undefined && compareBytes(end, upper) === 0 ? slotOfPrefix(lower) : undefined
}

/** The part of a range that lies in a slot. */
const partOf = (range: Range, slot: number): Range => {
  const { gt, gte, lt, lte, prefix, reverse, limit } = range as unknown as Range<Uint8Array>
  const part: Range<Uint8Array> = { reverse, limit }
  if (prefix !== undefined) part.prefix = placed(prefix as Uint8Array, slot)
  else part.prefix = slotPrefix(slot)
  if (gt !== undefined) part.gt = placed(gt as Uint8Array, slot)
  if (gte !== undefined) part.gte = placed(gte as Uint8Array, slot)
  if (lt !== undefined) part.lt = placed(lt as Uint8Array, slot)
  if (lte !== undefined) part.lte = placed(lte as Uint8Array, slot)
  return part as unknown as Range
}

/** Records that are read of a slot at first, and at a time when more of it are wanted. */
const FIRST_CHUNK = 4
const CHUNK = 256

/** What was read of a slot and not given out, and the first key of it, as it stands in the file. */
interface Source<T> {
  readonly slot: number
  items: readonly T[]
  at: number
  key: Uint8Array
}

/** What comes before all others is at the front. */
class Heap<T> {
  private readonly items: T[]
  private readonly compare: (a: T, b: T) => number

  constructor(items: readonly T[], compare: (a: T, b: T) => number) {
    this.items = [...items]
    this.compare = compare
    for (let at = items.length >> 1; at >= 0; at--) this.sink(at)
  }

  get first(): T | undefined {
    return this.items[0]
  }

  drop(): void {
    const last = this.items.pop()
    if (this.items.length === 0 || last === undefined) return
    this.items[0] = last
    this.sink(0)
  }

  /** The item there may have to stand behind others that follow it. */
  sink(from: number): void {
    const { items, compare } = this
    for (let at = from; at < items.length; ) {
      let least = at
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < items.length && compare(items[child]!, items[least]!) < 0) least = child
      if (least === at) return
      const moved = items[at]!
      items[at] = items[least]!
      items[least] = moved
      at = least
    }
  }
}
