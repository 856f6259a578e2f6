/** The core workloads of YCSB (Cooper et al., Benchmarking Cloud Serving Systems with YCSB, SoCC 2010), in process. */
import { absolute, fnv64 } from '../../support/hash.ts'
import { Latencies } from '../../support/latencies.ts'
import { Random } from '../../support/random.ts'
import { VALUE_BYTES, valueAt } from '../../support/records.ts'
import { scrambledZipfian, Zipfian } from '../../support/zipfian.ts'
import type { Job, Metrics } from '../job.ts'
import type { OpenStore, Store } from '../stores/store.ts'
import { BATCH, openJob, operationsPerSecond, range } from './work.ts'

const FIELDS = 10
const RECORD_LENGTH = FIELDS * VALUE_BYTES
const LONGEST_SCAN = 100
const PIECE = 1000

type Kind = 'read' | 'update' | 'insert' | 'scan' | 'readModifyWrite'

interface Mix {
  /** The commoner operation, and the other one with its share. */
  usual: Kind
  other: Kind
  share: number
  /** Which records: Zipf's law over all, or over the newest. */
  latest?: true
}

type Name = 'a' | 'b' | 'c' | 'd' | 'e' | 'f'

const MIXES: Readonly<Record<Name, Mix>> = {
  a: { usual: 'read', other: 'update', share: 0.5 },
  b: { usual: 'read', other: 'update', share: 0.05 },
  c: { usual: 'read', other: 'read', share: 0 },
  d: { usual: 'read', other: 'insert', share: 0.05, latest: true },
  e: { usual: 'scan', other: 'insert', share: 0.05 },
  f: { usual: 'read', other: 'readModifyWrite', share: 0.5 },
}

/** Parallel arrays: operation i is of `kinds[i]`, on `keys[i]`. */
interface Operations {
  kinds: Kind[]
  keys: string[]
  /** The new field or the inserted record. */
  values: string[]
  /** The field's number, or the length of the scan. */
  numbers: number[]
}

export async function ycsbLoad(job: Job, openStore: OpenStore): Promise<Metrics> {
  const store = await openJob(job, openStore)
  await insertAll(store, job.records)
  await store.close()
  return {}
}

export function ycsb(name: Name): (job: Job, openStore: OpenStore) => Promise<Metrics> {
  return (job, openStore) => runMix(job, openStore, MIXES[name])
}

/** Throughput first; then some more with a look at the clock around each operation, which would slow it down. */
async function runMix(job: Job, openStore: OpenStore, mix: Mix): Promise<Metrics> {
  const store = await openJob(job, openStore)
  // A workload that inserts has a database of its own, so that each store begins with the same records.
  if (mix.other === 'insert') await insertAll(store, job.records)
  const make = maker(job, mix)
  const perSecond = await operationsPerSecond(job, make, operations => doAll(store, operations))
  const latencies = new Latencies()
  await operationsPerSecond(
    { ...job, seconds: job.seconds / 2 },
    make,
    operations => doTimed(store, operations, latencies),
    () => latencies.reset(),
  )
  await store.close()
  return { perSecond, ...latencies.percentiles() }
}

async function insertAll(store: Store, records: number): Promise<void> {
  for (let from = 0; from < records; from += BATCH) {
    const numbers = range(from, Math.min(from + BATCH, records))
    const keys = numbers.map(ycsbKey)
    const values = numbers.map(recordOf)
    await store.putBatch(keys, values)
  }
}

function maker(job: Job, mix: Mix): () => Operations {
  const random = new Random(job.seed)
  let records = job.records
  const anywhere = scrambledZipfian(random, job.records)
  const newest = new Zipfian(random, mix.latest ? records : 2)
  const chosen = () => (mix.latest ? records - 1 - newest.next() : anywhere())
  const insert = () => {
    records += 1
    if (mix.latest) newest.grow(records)
    return records - 1
  }
  let version = 0

  return () => {
    const operations: Operations = { kinds: [], keys: [], values: [], numbers: [] }
    for (let at = 0; at < PIECE; at += 1) {
      const kind: Kind = random.next() / 2 ** 32 < mix.share ? mix.other : mix.usual
      const record = kind === 'insert' ? insert() : chosen()
      version += 1
      operations.kinds.push(kind)
      operations.keys.push(ycsbKey(record))
      operations.values.push(kind === 'insert' ? recordOf(record) : valueAt(record, version))
      operations.numbers.push(kind === 'scan' ? 1 + random.below(LONGEST_SCAN) : random.below(FIELDS))
    }
    return operations
  }
}

async function doAll(store: Store, operations: Operations): Promise<void> {
  for (let at = 0; at < operations.kinds.length; at += 1) {
    const pending = operate(store, operations, at)
    if (pending instanceof Promise) await pending
  }
}

async function doTimed(store: Store, operations: Operations, latencies: Latencies): Promise<void> {
  for (let at = 0; at < operations.kinds.length; at += 1) {
    const started = performance.now()
    const pending = operate(store, operations, at)
    if (pending instanceof Promise) await pending
    latencies.add(performance.now() - started)
  }
}

function operate(store: Store, { kinds, keys, values, numbers }: Operations, at: number): unknown {
  const key = keys[at]!
  switch (kinds[at]!) {
    case 'read':
      return void read(store, key)
    case 'insert':
      return store.put(key, values[at]!)
    case 'scan':
      return scan(store, key, numbers[at]!)
    case 'readModifyWrite':
      read(store, key)
      return updateField(store, key, numbers[at]!, values[at]!)
    case 'update':
      return updateField(store, key, numbers[at]!, values[at]!)
  }
}

function read(store: Store, key: string): string {
  const record = store.get(key)
  if (record?.length !== RECORD_LENGTH) throw new Error(`record ${key} is missing or damaged`)
  return record
}

function scan(store: Store, key: string, length: number): void | Promise<void> {
  const check = (characters: number) => {
    if (characters < RECORD_LENGTH) throw new Error(`the scan from ${key} did not find it`)
  }
  const seen = store.entries(key, length)
  return typeof seen === 'number' ? check(seen) : seen.then(check)
}

/** No store here knows fields: the record is read, a part of it replaced, and all of it written. */
function updateField(store: Store, key: string, field: number, value: string): unknown {
  const record = read(store, key)
  const from = field * VALUE_BYTES
  return store.put(key, record.slice(0, from) + value + record.slice(from + VALUE_BYTES))
}

/** `user` and the number's hash. Flat, as in `records.ts`. */
function ycsbKey(number: number): string {
  return Buffer.from(`user${absolute(fnv64(number))}`, 'latin1').toString('latin1')
}

/** Ten fields, one after the other. */
function recordOf(number: number): string {
  const fields = Array.from({ length: FIELDS }, (_, field) => valueAt(number, field * 397))
  return Buffer.from(fields.join(''), 'latin1').toString('latin1')
}
