/** A database in a map: as `GroupStore` has it, with nothing that takes time. What is committed survives its process. */
import type { Change, GroupStore, OpenGroup, StoreSnapshot } from '../../../src/cluster/group-store.ts'

export interface Item {
  readonly value: string
  readonly expiresAt: number | undefined
}

export type Items = ReadonlyMap<string, Item>

/** What a disk holds: the items, and the mark that stands in the same commit. */
export interface Committed {
  readonly items: Items
  readonly mark: Uint8Array | undefined
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A store as schedules use it. */
export interface SimulatedStore extends GroupStore {
  readonly committed: Committed
  /** What a crash between the two commits of a mutant leaves. */
  readonly torn: Committed | undefined
  /** Called after each commit. */
  onCommit: (committed: Committed) => void
  /** What a command sees in its group, and what is committed. */
  get(key: string): string | undefined
  read(key: string): string | undefined
  put(key: string, value: string, ttl?: number): void
  /** What stands there after a crash; `committed`: what the disk has. */
  crashed(committed: Committed): SimulatedStore
  /** Checks it, and closes it. */
  end(): Promise<void>
}

export class MapStore implements SimulatedStore {
  /** A mutant: the mark is a commit of its own, before that of the items. */
  static isTorn = false
  committed: Committed
  torn: Committed | undefined
  onCommit: (committed: Committed) => void = () => {}
  #open: Map<string, Item | undefined> | undefined
  #now: () => number = () => 0

  constructor(committed: Committed) {
    this.committed = committed
  }

  get mark(): Uint8Array | undefined {
    return this.committed.mark
  }

  setTime(now: () => number): void {
    this.#now = now
  }

  crashed(committed: Committed): SimulatedStore {
    return new MapStore(committed)
  }

  async end(): Promise<void> {}

  get(key: string): string | undefined {
    return this.#alive(this.#open?.has(key) ? this.#open.get(key) : this.committed.items.get(key))
  }

  read(key: string): string | undefined {
    return this.#alive(this.committed.items.get(key))
  }

  #alive(item: Item | undefined): string | undefined {
    return item === undefined || (item.expiresAt !== undefined && item.expiresAt <= this.#now())
      ? undefined
      : item.value.split(',').at(-1)
  }

  put(key: string, value: string, ttl?: number): void {
    if (this.#open === undefined) throw new Error('a write outside of a group')
    // All values that a key had in a group, for the check: the net change would show the last one alone.
    const before = this.#open.get(key)
    this.#open.set(key, {
      value: before === undefined ? value : `${before.value},${value}`,
      expiresAt: ttl === undefined ? undefined : this.#now() + ttl,
    })
  }

  /** All keys as a command sees them in its group; without a group, as they are committed. */
  protected get visible(): Items {
    const items = new Map(this.committed.items)
    for (const [key, item] of this.#open ?? [])
      if (item === undefined) items.delete(key)
      else items.set(key, item)
    return items
  }

  /** What a record is from now on, whatever it was. */
  protected change(key: string, item: Item | undefined): void {
    if (this.#open === undefined) throw new Error('a change outside of a group')
    this.#open.set(key, item)
  }

  begin(): OpenGroup {
    if (this.#open !== undefined) throw new Error('a group is open already')
    const changed = new Map<string, Item | undefined>()
    this.#open = changed
    const end = (): void => {
      if (this.#open === changed) this.#open = undefined
    }
    const run = <T>(command: () => T): T => {
      const before = new Map(changed)
      try {
        return command()
      } catch (error) {
        changed.clear()
        for (const [key, item] of before) changed.set(key, item)
        throw error
      }
    }
    return {
      run,
      sweep: most => {
        const expired = [...this.committed.items].filter(([, item]) => this.#alive(item) === undefined).slice(0, most)
        for (const [key] of expired) if (!changed.has(key)) changed.set(key, undefined)
        return expired.length
      },
      absorb: transaction => run(transaction as () => void),
      get hasChanges() {
        return changed.size > 0
      },
      get size() {
        return changed.size * 40
      },
      changes: () => [...changed].map(([key, item]) => changeOf(key, item)),
      commit: mark => {
        if (this.#open !== changed) throw new Error('the group has ended')
        end()
        this.save(
          applied(
            this.committed.items,
            [...changed].map(([key, item]) => changeOf(key, item)),
          ),
          mark,
        )
      },
      rollback: end,
    }
  }

  whenFree(): undefined {}

  apply(changes: Iterable<Change>, mark: Uint8Array): void {
    if (this.#open !== undefined) throw new Error('a group is open')
    this.save(applied(this.committed.items, changes), mark)
  }

  /** The commit: items and mark at once. */
  save(items: Items, mark: Uint8Array): void {
    if (MapStore.isTorn) this.torn = { items: this.committed.items, mark }
    this.committed = { items, mark }
    this.onCommit(this.committed)
  }

  async snapshot(): Promise<StoreSnapshot> {
    const { items, mark = new Uint8Array(0) } = this.committed
    return {
      mark,
      content: (async function* () {
        yield encoder.encode(JSON.stringify({ mark: [...mark], items: [...items] }))
      })(),
      release: () => {},
    }
  }

  async restore(content: AsyncIterable<Uint8Array>, mark: Uint8Array): Promise<void> {
    this.save(await readSnapshot(content, mark), mark)
  }

  async verifySnapshot(content: AsyncIterable<Uint8Array>, mark: Uint8Array): Promise<void> {
    await readSnapshot(content, mark)
  }
}

async function readSnapshot(content: AsyncIterable<Uint8Array>, mark: Uint8Array): Promise<Items> {
  let text = ''
  for await (const chunk of content) text += decoder.decode(chunk)
  const found = JSON.parse(text) as { mark: number[]; items: [string, Item][] }
  if (String(found.mark) !== String([...mark])) throw new Error('the snapshot has another mark')
  return new Map(found.items)
}

function changeOf(key: string, item: Item | undefined): Change {
  return item === undefined
    ? { type: 'delete', space: [], key: encoder.encode(key) }
    : {
        type: 'put',
        space: [],
        key: encoder.encode(key),
        value: encoder.encode(item.value),
        expiresAt: item.expiresAt ?? 0,
        flags: 0,
      }
}

export function applied(items: Items, changes: Iterable<Change>): Items {
  const next = new Map(items)
  for (const change of changes) {
    if (change.type === 'put')
      next.set(decoder.decode(change.key), {
        value: decoder.decode(change.value),
        expiresAt: change.expiresAt === 0 ? undefined : change.expiresAt,
      })
    else if (change.type === 'delete') next.delete(decoder.decode(change.key))
    else if (change.type === 'clearRange')
      for (const key of next.keys()) if (isWithin(encoder.encode(key), change)) next.delete(key)
  }
  return next
}

const isWithin = (
  key: Uint8Array,
  { lower, upper }: { lower?: Uint8Array | undefined; upper?: Uint8Array | undefined },
) => (lower === undefined || Buffer.compare(key, lower) >= 0) && (upper === undefined || Buffer.compare(key, upper) < 0)

export const sameItems = (a: Items, b: Items): boolean => {
  if (a.size !== b.size) return false
  for (const [key, { value, expiresAt }] of a) {
    const other = b.get(key)
    if (other?.value !== value || other.expiresAt !== expiresAt) return false
  }
  return true
}
