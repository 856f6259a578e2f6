/** A real database in memory in the place of the map: the same commands, the same checks, and the engine's own at the end. */
import { type EngineStore, storeOf } from '../../../src/cluster/engine-store.ts'
import type { Change, OpenGroup, StoreSnapshot } from '../../../src/cluster/group-store.ts'
import { type Database, memoryStorage, open } from '../../../src/index.ts'
import type { Storage } from '../../../src/storage/storage.ts'
import { expectVerified } from '../../support/database.ts'
import type { Committed, SimulatedStore } from './map-store.ts'

/** Small, so that what is pinned or written back too late shows. */
const POOL_BYTES = 65_536

export class DatabaseStore implements SimulatedStore {
  onCommit: (committed: Committed) => void = () => {}
  readonly torn: undefined
  readonly #storage: Storage
  readonly #db: Database
  readonly #store: EngineStore
  #open: Map<string, string> | undefined

  constructor(storage: Storage = memoryStorage()) {
    this.#storage = storage
    this.#db = open('node', { storage, durability: 'process', cacheBytes: POOL_BYTES })
    this.#store = storeOf(this.#db, { scratch: 'scratch', storage })
  }

  get committed(): Committed {
    const items = new Map([...this.#db.entries()].map(([key, value]) => [key, { value, expiresAt: undefined }]))
    return { items, mark: this.mark }
  }

  get mark(): Uint8Array | undefined {
    return this.#store.mark
  }

  /** The process has ended; of a disk that was lost nothing is left. */
  crashed({ mark }: Committed): SimulatedStore {
    this.#db.close()
    return new DatabaseStore(mark === undefined ? memoryStorage() : this.#storage)
  }

  async end(): Promise<void> {
    await expectVerified(this.#db)
    this.#db.close()
  }

  get(key: string): string | undefined {
    return this.read(key)
  }

  read(key: string): string | undefined {
    return this.#db.get(key)?.split(',').at(-1)
  }

  put(key: string, value: string): void {
    const before = this.#open?.get(key)
    const all = before === undefined ? value : `${before},${value}`
    this.#db.put(key, all)
    this.#open?.set(key, all)
  }

  setTime(now: () => number): void {
    this.#store.setTime(now)
  }

  begin(): OpenGroup {
    const group = this.#store.begin()
    this.#open = new Map()
    const committed = (): void => {
      this.#open = undefined
      this.onCommit(this.committed)
    }
    return {
      run: command => group.run(command),
      sweep: most => group.sweep(most),
      absorb: transaction => group.absorb(transaction),
      get hasChanges() {
        return group.hasChanges
      },
      get size() {
        return group.size
      },
      changes: () => group.changes(),
      commit: mark => {
        group.commit(mark)
        committed()
      },
      rollback: () => group.rollback(),
    }
  }

  whenFree(): Promise<void> | undefined {
    return this.#store.whenFree()
  }

  apply(changes: Iterable<Change>, mark: Uint8Array): void {
    this.#store.apply(changes, mark)
    this.onCommit(this.committed)
  }

  snapshot(): Promise<StoreSnapshot> {
    return this.#store.snapshot()
  }

  async restore(content: AsyncIterable<Uint8Array>, mark: Uint8Array): Promise<void> {
    await this.#store.restore(content, mark)
    this.onCommit(this.committed)
  }

  async verifySnapshot(content: AsyncIterable<Uint8Array>, mark: Uint8Array): Promise<void> {
    await this.#store.verifySnapshot(content, mark)
  }
}
