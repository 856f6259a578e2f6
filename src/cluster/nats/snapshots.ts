/**
 * The snapshots of a log in an object store of JetStream: chunks of half a megabyte, a digest over all of them, and an
 * entry that NATS writes when all chunks are there.
 */
import type { JetStreamClient } from '@nats-io/jetstream'
import { type ObjectInfo, type ObjectStore, Objm, StorageType } from '@nats-io/obj'
import { XenonError } from '../../errors.ts'
import { clearTimeout, setTimeout } from '../../runtime/timers.ts'
import type { SnapshotEntry, SnapshotStore } from '../shared-log.ts'
import type { NatsLink } from './connection.ts'

const CHUNK_BYTES = 512 * 1024
/** A chunk that does not come within this counts as lost, in milliseconds. */
const CHUNK_MS = 10_000

export interface SnapshotSettings {
  readonly bucket: string
  readonly replicas: number
}

export class ObjectSnapshots implements SnapshotStore {
  readonly #link: NatsLink
  readonly #client: JetStreamClient
  readonly #settings: SnapshotSettings
  #store: Promise<ObjectStore> | undefined

  constructor(link: NatsLink, client: JetStreamClient, settings: SnapshotSettings) {
    this.#link = link
    this.#client = client
    this.#settings = settings
  }

  async put(mark: Uint8Array, sequence: number, content: AsyncIterable<Uint8Array>): Promise<SnapshotEntry> {
    const name = `${String(sequence).padStart(16, '0')}-${crypto.randomUUID()}`
    const metadata = {
      mark: Buffer.from(mark).toString('hex'),
      sequence: `${sequence}`,
      time: `${Date.now()}`,
      verified: 'false',
    }
    const info = await this.#link.ask(`snapshot ${name}`, async () => {
      const store = await this.#open()
      const meta = { name, metadata, options: { max_chunk_size: CHUNK_BYTES } }
      return store.put(meta, streamOf(content), { timeout: CHUNK_MS })
    })
    return entryOf(info)
  }

  list(): Promise<SnapshotEntry[]> {
    return this.#link.ask('the list of snapshots', async () => {
      const found = await (await this.#open()).list()
      return found
        .filter(({ deleted }) => !deleted)
        .map(entryOf)
        .sort((a, b) => b.sequence - a.sequence || b.time - a.time)
    })
  }

  async *get(name: string): AsyncIterable<Uint8Array> {
    const what = `snapshot ${name}`
    const found = await this.#link.ask(what, async () => (await this.#open()).get(name))
    if (found === null) throw notFound(name)
    const reader = found.data.getReader()
    try {
      while (true) {
        const { done, value } = await this.#link.ask(what, () => inTime(reader.read(), what))
        if (done) break
        yield value
      }
    } finally {
      await reader.cancel().catch(() => {})
    }
  }

  async setVerified(name: string): Promise<void> {
    await this.#link.ask(`snapshot ${name}`, async () => {
      const store = await this.#open()
      const info = await store.info(name)
      if (info === null || info.deleted) throw notFound(name)
      await store.update(name, { name, metadata: { ...info.metadata, verified: 'true' } })
    })
  }

  async remove(name: string): Promise<void> {
    await this.#link.ask(`snapshot ${name}`, async () => (await this.#open()).delete(name))
  }

  #open(): Promise<ObjectStore> {
    const { bucket, replicas } = this.#settings
    this.#store ??= new Objm(this.#client).create(bucket, { storage: StorageType.File, replicas })
    this.#store.catch(() => {
      this.#store = undefined
    })
    return this.#store
  }
}

function entryOf({ name, size, metadata = {} }: ObjectInfo): SnapshotEntry {
  return {
    name,
    mark: new Uint8Array(Buffer.from(metadata.mark ?? '', 'hex')),
    sequence: Number(metadata.sequence),
    bytes: size,
    time: Number(metadata.time),
    isVerified: metadata.verified === 'true',
  }
}

const notFound = (name: string): XenonError => new XenonError('XENON_NOT_FOUND', `there is no snapshot ${name}`)

function streamOf(content: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = content[Symbol.asyncIterator]()
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await iterator.next()
      if (done === true) controller.close()
      else controller.enqueue(value)
    },
    async cancel() {
      await iterator.return?.()
    },
  })
}

/** @throws XenonError `XENON_CONNECTION` if `work` takes longer than a chunk may. */
async function inTime<T>(work: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new XenonError('XENON_CONNECTION', `${what}: NATS does not go on sending`)),
      CHUNK_MS,
    )
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
