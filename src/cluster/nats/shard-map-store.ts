/** The map of a cluster as JSON in a key-value bucket: one key, changed by compare-and-set, without a time to live. */
import { JetStreamApiCodes, JetStreamApiError, type JetStreamClient } from '@nats-io/jetstream'
import { type KV, Kvm, type KvWatchEntry } from '@nats-io/kv'
import type { QueuedIterator } from '@nats-io/nats-core'
import { reasonOf, XenonError } from '../../errors.ts'
import { setTimeout } from '../../runtime/timers.ts'
import type { ShardMap, ShardMapStore, StoredShardMap } from '../shard-map.ts'
import type { NatsLink } from './connection.ts'
import { MAP_KEY, mapBucket } from './names.ts'

/** Between two attempts to watch, in milliseconds. */
const RETRY_MS = 500

export class KvShardMap implements ShardMapStore {
  readonly #link: NatsLink
  readonly #client: JetStreamClient
  readonly #cluster: string
  readonly #replicas: number
  #bucket: Promise<KV> | undefined

  constructor(link: NatsLink, client: JetStreamClient, cluster: string, replicas: number) {
    this.#link = link
    this.#client = client
    this.#cluster = cluster
    this.#replicas = replicas
  }

  read(): Promise<StoredShardMap | undefined> {
    return this.#link.ask(`the map of ${this.#cluster}`, async () => {
      const entry = await (await this.#open()).get(MAP_KEY)
      return entry === null || entry.operation !== 'PUT' ? undefined : stored(entry)
    })
  }

  write(map: ShardMap, expected: number): Promise<number | undefined> {
    return this.#link.ask(`the map of ${this.#cluster}`, async () => {
      const bucket = await this.#open()
      try {
        // Revision 0: there must be none. A `create` of the library would overwrite a map that was deleted.
        return await bucket.put(MAP_KEY, JSON.stringify(map), { previousSeq: expected })
      } catch (error) {
        if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamWrongLastSequence)
          return undefined
        throw error
      }
    })
  }

  watch(onChange: (stored: StoredShardMap) => void): () => void {
    let isOver = false
    let entries: QueuedIterator<KvWatchEntry> | undefined
    /** A watch that begins anew delivers again what is there. */
    let seen = 0
    const run = async (): Promise<void> => {
      while (!isOver && !this.#link.connection.isClosed()) {
        try {
          entries = await (await this.#open()).watch({ key: MAP_KEY })
          if (isOver) entries.stop()
          for await (const entry of entries) {
            if (isOver || entry.operation !== 'PUT' || entry.revision <= seen) continue
            seen = entry.revision
            onChange(stored(entry))
          }
        } catch {
          // The servers are away: again in a moment.
        }
        await new Promise<void>(resolve => setTimeout(resolve, RETRY_MS))
      }
    }
    void run()
    return () => {
      isOver = true
      entries?.stop()
    }
  }

  #open(): Promise<KV> {
    // Not `allow_direct`: any server would answer, one that is behind, too.
    const options = { replicas: this.#replicas, history: 1, allow_direct: false }
    this.#bucket ??= new Kvm(this.#client).create(mapBucket(this.#cluster), options)
    this.#bucket.catch(() => {
      this.#bucket = undefined
    })
    return this.#bucket
  }
}

function stored(entry: { readonly revision: number; string(): string }): StoredShardMap {
  try {
    return { map: JSON.parse(entry.string()) as ShardMap, revision: entry.revision }
  } catch (cause) {
    throw new XenonError('XENON_CORRUPT', `the map of the cluster is no JSON: ${reasonOf(cause)}`, { cause })
  }
}
