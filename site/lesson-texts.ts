/**
 * The lessons: what a reader is told, and tasks that check themselves by what the database says. The words are those of
 * docs/tour.md and its glossary.
 */
import type { LogView } from '../src/explorer/log.ts'
import type { KeyPath } from '../src/explorer/path.ts'
import type { BlockView } from '../src/explorer/shapes.ts'
import type { Stats } from '../src/types.ts'

/** What a task may ask. */
export interface Asking {
  call<T>(name: string, params?: object): Promise<T>
  /** The reader has been at an address that begins so, since the lesson was opened. */
  visited(route: string): boolean
  /** The figures when the lesson was opened. */
  readonly before: Stats
}

export interface Task {
  readonly text: string
  isDone(asking: Asking): Promise<boolean>
}

export interface Lesson {
  readonly name: string
  readonly text: readonly string[]
  /** Pages of the documentation, below docs/, and what they are called. */
  readonly read: readonly (readonly [page: string, what: string])[]
  readonly tasks: readonly Task[]
}

const statsOf = async ({ call }: Asking): Promise<Stats> => (await call<{ stats: Stats }>('state')).stats
const pathOf = ({ call }: Asking, key: string): Promise<KeyPath> => call<KeyPath>('path', { key })
const PARIS = 'FR/Paris/2988507'

interface Waiting {
  readonly open: readonly { readonly id: number }[]
  readonly waits: readonly object[]
  readonly deadlocks: number
}

export const LESSONS: readonly Lesson[] = [
  {
    name: 'Blocks and slots',
    read: [
      ['design.html#blocks', 'the layout of blocks'],
      ['tour.html#5-room-for-the-record', 'room for the record, in the tour'],
    ],
    text: [
      'The data file is a row of blocks of 4,096 bytes. A block that holds records is called a bucket. Its header comes first, then slots, which grow from the front, then free space; the records grow from the end of the block towards the slots.',
      'A slot is one word of four bytes: it says at which byte its record begins, and holds a tag, 15 bits of the key’s hash. A search looks at the tags, and reads a key only where the tag fits.',
    ],
    tasks: [
      { text: 'Put a record with the key cat (above).', isDone: async asking => (await pathOf(asking, 'cat')).found },
      {
        text: 'Find its block: type cat into the search box, and open the block that the path ends in. Point at the record to see its bytes.',
        isDone: async asking => {
          const { record } = await pathOf(asking, 'cat')
          return record !== undefined && asking.visited(`#/block/${record.block}`)
        },
      },
    ],
  },
  {
    name: 'Freelist and gaps',
    read: [['tour.html#5-room-for-the-record', 'room for the record, in the tour']],
    text: [
      'A record that is deleted leaves its slot free and a hole behind it. Free slots form a list: the header names the first one, each of them the next. The next record that comes to the bucket takes the first slot of the list, and its hole, if it fits.',
      'Where holes have become many, the bucket is compacted: its records move together, and the holes become one piece.',
    ],
    tasks: [
      {
        text: 'Load the cities, if they are not there, so that buckets have many records.',
        isDone: async asking => (await statsOf(asking)).records > 2000,
      },
      {
        text: `Delete ${PARIS}, and look at its block (search for FR/Paris, or for the path of the key): there is a free slot now.`,
        isDone: async asking => {
          const { found, buckets } = await pathOf(asking, PARIS)
          for (const { block } of found ? [] : buckets) {
            const { bucket } = await asking.call<BlockView>('block', { block })
            if ((bucket?.freeSlots.length ?? 0) > 0) return true
          }
          return false
        },
      },
      {
        text: `Put ${PARIS} again: its slot is used again (see Work, slots used again).`,
        isDone: async asking => (await pathOf(asking, PARIS)).found,
      },
    ],
  },
  {
    name: 'The hash index, and how it grows',
    read: [
      ['tour.html#3-from-the-key-to-its-bucket', 'from the key to its bucket, in the tour'],
      ['design.html#hash-index', 'the hash index'],
    ],
    text: [
      'The hash of a key gives its position, a number of 32 bits. The position modulo 101 chooses one of the 101 index blocks behind block 0. As long as few records belong to an index block, it is a bucket itself.',
      'When it is full it becomes a directory: it divides the positions among buckets below it. A bucket that is full shares with its neighbour, or is split in two. So nothing ever has to be hashed again, and a lookup touches two blocks.',
    ],
    tasks: [
      {
        text: 'Load the cities.',
        isDone: async asking => (await statsOf(asking)).records > 2000,
      },
      {
        text: `Look at the path of ${PARIS}: it leads through a directory.`,
        isDone: async asking => (await pathOf(asking, PARIS)).directories.length > 0 && asking.visited('#/key/'),
      },
    ],
  },
  {
    name: 'The buffer pool: why it is fast',
    read: [['design.html#buffer-pool', 'the buffer pool']],
    text: [
      'Blocks are not read from the file each time. Those that were read stay in frames of memory, the buffer pool. A lookup that finds its blocks there touches no disk at all.',
      'When every frame is used and another block is needed, the block that was used least recently makes room (LRU). If it was changed, it is written to the file first.',
    ],
    tasks: [
      {
        text: 'Load the cities, if they are not there.',
        isDone: async asking => (await statsOf(asking)).records > 2000,
      },
      {
        text: 'Reopen the database, so that nothing is in memory, and read all: every block is read from the file once.',
        isDone: async asking => {
          const { log, cache, records } = await statsOf(asking)
          return log.records === 0 && cache.misses > 100 && cache.accesses > records
        },
      },
      {
        text: 'Read all again, twice: nothing is read from the file any more, and most looks at blocks find theirs in memory.',
        isDone: async asking => {
          const { log, cache, records } = await statsOf(asking)
          return log.records === 0 && cache.accesses > 4.5 * records && cache.hits > 0.9 * cache.accesses
        },
      },
    ],
  },
  {
    name: 'The write-ahead log',
    read: [
      ['tour.html#7-one-log-record', 'one log record, in the tour'],
      ['design.html#log', 'the log'],
    ],
    text: [
      'Before put returns, what it has changed is in the log, and the log is synced: so it survives a loss of power. The data file has not been touched. One write brings a group of records into the log, with a checksum over all of it.',
      'When the log has grown enough, a checkpoint writes the changed blocks to the data file, and block 0 says from where on the log is still needed: the redo LSN.',
    ],
    tasks: [
      {
        text: 'Put a record, and find its group in the log.',
        isDone: async asking =>
          (await statsOf(asking)).log.groups > asking.before.log.groups && asking.visited('#/log'),
      },
      {
        text: 'Make a checkpoint: a recovery would have nothing to read any more.',
        isDone: async asking => {
          const { checkpoints } = await statsOf(asking)
          const log = await asking.call<LogView>('log', { limit: 1 })
          return checkpoints > asking.before.checkpoints && log.redoLsn >= log.endLsn
        },
      },
    ],
  },
  {
    name: 'Recovery',
    read: [
      ['tour.html#10-loss-of-power-and-recovery', 'loss of power, in the tour'],
      ['durability.html', 'what is promised'],
    ],
    text: [
      'After a loss of power the next open finds a log that goes on behind the redo LSN. Recovery reads all of it first and changes nothing. Then it repeats history: each record is applied to each block whose LSN is lower than the record’s.',
      'Now the blocks are as they were at the moment of the crash, changes of open transactions included. Those are taken back, the latest first. A checkpoint ends it.',
    ],
    tasks: [
      { text: 'Put a record with the key kept.', isDone: async asking => (await pathOf(asking, 'kept')).found },
      {
        text: 'Begin a transaction (see Transactions), and put lost in it. Do not commit. Then put something else outside of it, so that the log is synced.',
        isDone: async asking => {
          const crashed = (await statsOf(asking)).recovery.transactionsRolledBack > 0
          return crashed || (await pathOf(asking, 'lost')).found
        },
      },
      {
        text: 'Take the power away (see Crash), and watch: kept is there afterwards, lost is not.',
        isDone: async asking => {
          const { recovery } = await statsOf(asking)
          const [kept, lost] = [await pathOf(asking, 'kept'), await pathOf(asking, 'lost')]
          return recovery.transactionsRolledBack > 0 && kept.found && !lost.found
        },
      },
    ],
  },
  {
    name: 'Transactions and isolation',
    read: [
      ['isolation.html', 'isolation'],
      ['waiting.html', 'which call waits'],
    ],
    text: [
      'A transaction locks each key that it reads or changes, until it ends. Another one that needs the same key waits. So each sees a database in which it is alone.',
      'Two transactions that wait for each other would wait for ever: a deadlock. It is found when it would arise, by the graph of who waits for whom, and the younger of the two is ended.',
    ],
    tasks: [
      {
        text: 'Begin two transactions (see Transactions). Put a in the first, and b in the second.',
        isDone: async asking => {
          const { open, deadlocks } = await asking.call<Waiting>('transactions')
          return open.length >= 2 || deadlocks > asking.before.transactions.deadlocks
        },
      },
      {
        text: 'Put b in the first: it waits for the second.',
        isDone: async asking => {
          const { waits, deadlocks } = await asking.call<Waiting>('transactions')
          return waits.length > 0 || deadlocks > asking.before.transactions.deadlocks
        },
      },
      {
        text: 'Put a in the second: that would be a deadlock, so it is ended, and the first goes on.',
        isDone: async asking =>
          (await asking.call<Waiting>('transactions')).deadlocks > asking.before.transactions.deadlocks,
      },
    ],
  },
  {
    name: 'The tree over the keys',
    read: [
      ['tour.html#6-the-ordered-index', 'the ordered index, in the tour'],
      ['design.html#ordered-index', 'the tree'],
    ],
    text: [
      'A hash finds one key at once, but knows no order. So the database also keeps every key in a B+tree: its leaves hold the keys in order, its inner nodes say which keys lie below which block. Ranges walk along the leaves.',
      'The keys of a node share a prefix, which is stored once; and of the rest an entry holds no more than it must.',
    ],
    tasks: [
      {
        text: 'Load the cities, if they are not there.',
        isDone: async asking => (await statsOf(asking)).records > 2000,
      },
      {
        text: `Look at the path of ${PARIS}, and open the root of its tree, block 103: it is an inner node.`,
        isDone: async asking => ((await pathOf(asking, PARIS)).tree?.length ?? 0) >= 2 && asking.visited('#/block/103'),
      },
    ],
  },
]
