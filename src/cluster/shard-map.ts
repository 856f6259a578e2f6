/**
 * Which shard has which of the 16,384 slots, and which nodes there are. A cache for clients and nodes: a slot belongs to
 * the shard whose log has its last import-commit. Whoever changes the map does so by compare-and-set.
 */

export const SLOTS = 16_384

/** Slots `from` to `to`, both included. */
export interface SlotRange {
  readonly from: number
  readonly to: number
}

export interface MapShard {
  readonly shard: number
  /** Of its log: `XENON_<cluster>_<shard>_<generation>`. */
  readonly generation: number
  /** In order, disjoint, not touching. */
  readonly slots: readonly SlotRange[]
  /** The node that has told last that it leads, so that clients of other shards are sent there first; a hint. */
  readonly leader?: number | undefined
}

export interface MapNode {
  readonly node: number
  readonly shard: number
  /** `host:port` for clients. */
  readonly address: string
}

export interface ShardMap {
  readonly shards: readonly MapShard[]
  readonly nodes: readonly MapNode[]
}

export interface StoredShardMap {
  readonly map: ShardMap
  /** Goes up with each change. */
  readonly revision: number
}

/** Where the map is kept: `nats/` has it in a key-value bucket. */
export interface ShardMapStore {
  /** The newest one, undefined if there is none. */
  read(): Promise<StoredShardMap | undefined>
  /**
   * Stores a map if the revision of the one that is there is `expected` (0: there is none).
   * @returns the new revision; undefined if another one was there
   */
  write(map: ShardMap, expected: number): Promise<number | undefined>
  /** Calls `onChange` with the map that is there and with each later one; the result stops that. */
  watch(onChange: (stored: StoredShardMap) => void): () => void
}
