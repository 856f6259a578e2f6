/** A `Database` as the store of a node. From here on nobody else writes to it (X11). */
import type { AsyncTransaction } from '../database/async-transaction.ts'
import type { Database } from '../database/database.ts'
import type { Group } from '../database/group.ts'
import { type Replica, replicaOf } from '../database/replica.ts'
import type { Transaction } from '../database/transaction.ts'
import type { Storage } from '../storage/storage.ts'
import { type BackupPlace, clearing, copyOf, withCopy } from './engine-snapshot.ts'
import type { Change, GroupStore, OpenGroup, StoreSnapshot } from './group-store.ts'
import { EngineMoves } from './moves/engine-moves.ts'

export interface EngineStoreOptions {
  /** Where backups are made, and restored aside: a directory that need not exist; on the disk of the database. */
  readonly scratch: string
  /** Of the database, and of `scratch`. */
  readonly storage: Storage
}

/**
 * Makes a database, right after `open`, the store of a node.
 * @throws InvalidArgumentError if it is one already, or was opened for reading alone
 */
export const storeOf = <V, K>(db: Database<V, K>, options: EngineStoreOptions): EngineStore =>
  new EngineStore(db as Database<unknown, unknown>, options)

export class EngineStore implements GroupStore {
  /** For interactive transactions (`interactive`) and sweeps of what has expired. */
  readonly replica: Replica
  readonly #db: Database<unknown, unknown>
  readonly #place: BackupPlace
  /** What moves of slots ask of it. */
  readonly moves: EngineMoves
  /** False: what has expired stays for now. */
  mayExpire: () => boolean = () => true
  #now: () => number = Date.now

  /** @internal Use `storeOf`. */
  constructor(db: Database<unknown, unknown>, options: EngineStoreOptions) {
    this.#db = db
    this.#place = { ...options, count: 0 }
    this.replica = replicaOf(this.#db, { clock: () => this.#now() })
    this.moves = new EngineMoves(this.#db, this.replica)
  }

  get mark(): Uint8Array | undefined {
    return this.replica.mark
  }

  setTime(now: () => number): void {
    this.#now = now
  }

  begin(): OpenGroup {
    return new EngineGroup(this.replica, this.mayExpire)
  }

  whenFree(): Promise<void> | undefined {
    return this.replica.whenFree()
  }

  apply(changes: Iterable<Change>, mark: Uint8Array): void {
    this.replica.apply(changes, mark)
  }

  /** A backup as one file: of the moment when it begins, beside all work. */
  async snapshot(): Promise<StoreSnapshot> {
    return await copyOf(this.#db, this.#place)
  }

  /** In one transaction, so that whoever holds the database goes on with it; it takes about twice its bytes of log. */
  async restore(content: AsyncIterable<Uint8Array>, mark: Uint8Array): Promise<void> {
    await withCopy(content, mark, this.#place, copy => {
      const root = this.#db.asBytes()
      this.replica.apply(
        (function* () {
          yield* clearing(root, [])
          yield* copy.everything()
        })(),
        mark,
      )
    })
  }

  async verifySnapshot(content: AsyncIterable<Uint8Array>, mark: Uint8Array): Promise<void> {
    await withCopy(content, mark, this.#place, () => {})
  }
}

class EngineGroup implements OpenGroup {
  readonly #group: Group
  readonly #replica: Replica
  readonly #mayExpire: () => boolean

  constructor(replica: Replica, mayExpire: () => boolean) {
    this.#replica = replica
    this.#mayExpire = mayExpire
    this.#group = replica.begin()
  }

  run<T>(command: () => T): T {
    return this.#group.run(command)
  }

  absorb(transaction: unknown): void {
    this.#group.absorb(transaction as Transaction<unknown, unknown> | AsyncTransaction<unknown, unknown>)
  }

  sweep(most: number): number {
    return this.#replica.hasExpired && this.#mayExpire() ? this.#group.sweep(most) : 0
  }

  get hasChanges(): boolean {
    return this.#group.hasChanges
  }

  get size(): number {
    return this.#group.logBytes
  }

  changes(): Iterable<Change> {
    return this.#group.writeSet()
  }

  commit(mark: Uint8Array): void {
    this.#group.commit(mark)
  }

  rollback(): void {
    if (!this.#group.ended) this.#group.rollback()
  }
}
