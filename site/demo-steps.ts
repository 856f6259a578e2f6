/** What the demonstrations do, step by step, as calls of the playground. */
import type { Stats } from '../src/types.ts'

type Call = <T>(name: string, params?: object) => Promise<T>

const RECORDS = 128
/** So many at a time, and a moment to look after each. */
const AT_A_TIME = 8
const LOOK_MS = 80

export interface GapRow {
  readonly name: string
  readonly records: number
  readonly blocks: number
  readonly slotsReused: number
}

const pause = (): Promise<void> => new Promise(resolve => setTimeout(resolve, LOOK_MS))

type Work = (call: Call, onKey: (key: string) => Promise<void>) => Promise<void>

/** Does something with each of the keys from one on. */
const withKeys =
  (first: number, work: (call: Call, key: string) => Promise<unknown>): Work =>
  async (call, onKey) => {
    for (let number = first; number < first + RECORDS; number++) {
      const key = `gap/${number}`
      await work(call, key)
      // The block of the first record is the one that is watched.
      if ((number - first) % AT_A_TIME !== AT_A_TIME - 1) continue
      await onKey(`gap/${0}`)
      await pause()
    }
  }

const put = (call: Call, key: string): Promise<unknown> =>
  call('put', { key, value: `value of ${key} ${'·'.repeat(40)}` })
const remove = (call: Call, key: string): Promise<unknown> => call('delete', { key })

export const GAP_STEPS: readonly { readonly name: string; readonly work: Work }[] = [
  {
    name: 'begin with an empty database',
    work: async call => {
      await call('anew')
    },
  },
  { name: `add ${RECORDS} records`, work: withKeys(0, put) },
  { name: 'delete all of them', work: withKeys(0, remove) },
  { name: `add ${RECORDS} others`, work: withKeys(RECORDS, put) },
]

/** `onKey`: the record that is watched. */
export const runGapStep = async (call: Call, step: number, onKey: (key: string) => Promise<void>): Promise<GapRow> => {
  const { name, work } = GAP_STEPS[step]!
  await work(call, onKey)
  const { stats } = await call<{ stats: Stats }>('state')
  return { name, records: stats.records, blocks: stats.blocks.total, slotsReused: stats.index.slotsReused }
}

export interface ReadRow {
  readonly name: string
  /** Look-ups that the step has made. */
  readonly reads: number
  readonly accesses: number
  readonly misses: number
  readonly milliseconds: number
}

const READS = 600
/** In parts, so that the pictures move. */
const PARTS = 12
const SMALL_POOL = 65536

const read = async (call: Call): Promise<Omit<ReadRow, 'name'>> => {
  const sum = { reads: 0, accesses: 0, misses: 0, milliseconds: 0 }
  for (let part = 0; part < PARTS; part++) {
    const sample = await call<{ records: number; accesses: number; misses: number; milliseconds: number }>('sample', {
      count: READS / PARTS,
      seed: part,
    })
    sum.reads += sample.records
    sum.accesses += sample.accesses
    sum.misses += sample.misses
    sum.milliseconds += sample.milliseconds
    await pause()
  }
  return sum
}

const NOTHING = { reads: 0, accesses: 0, misses: 0, milliseconds: 0 }

export const READ_STEPS: readonly {
  readonly name: string
  readonly work: (call: Call) => Promise<Omit<ReadRow, 'name'>>
}[] = [
  {
    name: 'begin anew, and load the cities',
    work: async call => {
      await call('anew')
      await call('load')
      return NOTHING
    },
  },
  {
    name: 'read with a pool of 16 frames',
    work: async call => {
      await call('reopen', { cacheBytes: SMALL_POOL })
      return await read(call)
    },
  },
  {
    name: 'read with a large pool, where nothing lies yet',
    work: async call => {
      await call('reopen')
      return await read(call)
    },
  },
  { name: 'read the same again', work: read },
]

export const runReadStep = async (call: Call, step: number): Promise<ReadRow> => {
  const { name, work } = READ_STEPS[step]!
  return { name, ...(await work(call)) }
}
