/** The list of benchmarks. A module is loaded only when it runs. */
import type { Options } from './support/options.ts'

export interface Benchmark {
  name: string
  summary: string
  /** Options besides `--quick` and `--out`, in the notation of cac, with their meaning. */
  options: readonly (readonly [option: string, meaning: string])[]
  load(): Promise<{ run(options: Options): Promise<number> }>
}

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'gap-reuse',
    summary: 'deleted slots and blocks are filled again: the file does not grow',
    options: [
      ['--records <n>', 'records of the large rounds (default: 100000)'],
      ['--rounds <n>', 'how often they are replaced by others (default: 5)'],
    ],
    load: () => import('./gap-reuse.ts'),
  },
  {
    name: 'slow-vs-cached',
    summary: 'the same work without a cache and with the LRU pool: time and block reads',
    options: [
      ['--records <list>', 'sizes of the database (default: 1000,10000,100000)'],
      ['--full', 'also 1,000,000 records'],
      ['--repeats <n>', 'repeats, of which the median counts (default: 3)'],
    ],
    load: () => import('./slow-vs-cached.ts'),
  },
  {
    name: 'explorer',
    summary: 'the page of the explorer in Chromium beside a busy database: frames a second, and memory as time goes on',
    options: [
      ['--blocks <n>', 'blocks of the file (default: 250000)'],
      ['--rate <n>', 'records put a second (default: 10000)'],
      ['--minutes <n>', 'how long (default: 10)'],
    ],
    load: () => import('./explorer.ts'),
  },
  {
    name: 'compression',
    summary: 'what each compression saves and costs, on real records',
    options: [['--records <n>', 'small records; a fifth of it of the longer ones (default: 20000)']],
    load: () => import('./compression.ts'),
  },
  {
    name: 'shared',
    summary: 'a database that two processes share: calls of its owner and of a follower',
    options: [
      ['--calls <n>', 'calls of each kind (default: 20000)'],
      ['--repeats <n>', 'repeats, of which the median counts (default: 5)'],
    ],
    load: () => import('./shared.ts'),
  },
  {
    name: 'indexes',
    summary: 'two indexes: what they cost and give, beside lmdb with dupSort and SQLite',
    options: [['--records <n>', 'records (default: 50000)']],
    load: () => import('./indexes.ts'),
  },
  {
    name: 'peers',
    summary: 'xenondb with its default options beside lmdb, SQLite and classic-level, and without its ordered index',
    options: [
      ['--records <list>', 'sizes of the database (default: 100000,1000000)'],
      ['--repeats <n>', 'repeats, of which the median counts (default: 5, from 500,000 records on 3)'],
      ['--only <list>', 'some of the workloads (an unknown name lists them)'],
      [
        '--stores <list>',
        'of xenondb,xenondb-hash,lmdb,sqlite,node-sqlite,level,level-array (default: all but the last)',
      ],
      ['--no-warm-up', 'leave out the discarded first repeat'],
    ],
    load: () => import('./peers/peers.ts'),
  },
  {
    name: 'larger-than-memory',
    summary: 'xenondb beside lmdb under a limit of memory, page cache included, that is a quarter of the file',
    options: [
      ['--limit <MiB>', 'for each store (default: 256); Node alone takes 50'],
      ['--records <list>', 'sizes of the database (default: as many as make a file of four limits)'],
      ['--repeats <n>', 'repeats, of which the median counts (default: 1)'],
      ['--only <list>', 'some of get,scan-entries,update,load'],
      ['--stores <list>', 'of xenondb,lmdb,sqlite,node-sqlite,level (default: xenondb,lmdb)'],
    ],
    load: () => import('./peers/larger-than-memory.ts'),
  },
  {
    name: 'latency',
    summary: 'how long a commit takes, and how many there are, for 1 to 1,024 of them in flight',
    options: [
      ['--records <n>', 'size of the database (default: 100000)'],
      ['--repeats <n>', 'repeats, of which the median counts (default: 3)'],
      ['--stores <list>', 'of xenondb,lmdb,sqlite,node-sqlite,level (default: all)'],
    ],
    load: () => import('./peers/latency.ts'),
  },
  {
    name: 'ycsb',
    summary: 'the core workloads A to F of YCSB, beside the peers',
    options: [
      ['--records <list>', 'sizes of the database (default: 100000)'],
      ['--repeats <n>', 'repeats, of which the median counts (default: 5, from 500,000 records on 3)'],
      ['--only <list>', 'some of load,a,b,c,d,e,f'],
      ['--stores <list>', 'of xenondb,lmdb,sqlite,node-sqlite,level (default: all)'],
      ['--durability <level>', "'process' or 'power' (default: 'process')"],
      ['--no-warm-up', 'leave out the discarded first repeat'],
    ],
    load: () => import('./peers/ycsb.ts'),
  },
  {
    name: 'transactions',
    summary: 'transactions in flight beside SQLite, writers beside a snapshot, commits during checkpoints',
    options: [
      ['--records <n>', 'size of the database (default: 100000)'],
      ['--repeats <n>', 'repeats, of which the median counts (default: 3)'],
    ],
    load: () => import('./peers/transactions.ts'),
  },
  {
    name: 'spaces',
    summary: 'sub-databases beside the root of a database, and beside those of lmdb',
    options: [['--records <n>', 'in each (default: 100000)']],
    load: () => import('./spaces.ts'),
  },
  {
    name: 'browser',
    summary: 'in Chromium, beside idb, browser-level and sqlite-wasm, and from a page',
    options: [
      ['--records <n>', 'size of the database (default: 100000)'],
      ['--calls <n>', 'puts and ranges, and a fifth of the gets (default: 500)'],
    ],
    load: () => import('./browser/browser.ts'),
  },
  {
    name: 'opening',
    summary: 'loading the package, opening, the first get, closing: each time in a process of its own',
    options: [
      ['--records <n>', 'size of the large database (default: 100000)'],
      ['--repeats <n>', 'processes, of which the median counts (default: 20)'],
      ['--against <directory>', 'another checkout that is built, measured in turn'],
    ],
    load: () => import('./opening/opening.ts'),
  },
  {
    name: 'stalls',
    summary: 'how long the event loop stands still: async puts, checkpoint, verify, compact, backup, expiry',
    options: [
      ['--records <n>', 'size of the database (default: 1000000)'],
      ['--repeats <n>', 'repeats of the throughput, of which the median counts (default: 5)'],
      ['--throughput', 'nothing but the throughput'],
      ['--against <directory>', 'another checkout that is built, to compare the throughput with'],
    ],
    load: () => import('./stalls/stalls.ts'),
  },
  {
    name: 'redis',
    summary: 'xenondb serve beside redis-server, both durable, under redis-benchmark',
    options: [
      ['--keys <n>', 'random keys (default: 1000000)'],
      ['--repeats <n>', 'repeats, of which the median counts (default: 3)'],
      ['--seconds <n>', 'how long each run is to take (default: 5)'],
    ],
    load: () => import('./redis/redis.ts'),
  },
  {
    name: 'cluster',
    summary: 'three nodes over three nats-servers beside a single durable server, and how far a follower is behind',
    options: [
      ['--repeats <n>', 'repeats, of which the median counts (default: 3)'],
      ['--seconds <n>', 'how long each run is to take (default: 5)'],
    ],
    load: () => import('./cluster.ts'),
  },
  {
    name: 'handover',
    summary: 'for how long a client waits when the leader of a cluster hands over, or is killed',
    options: [['--rounds <n>', 'how often each (default: 20)']],
    load: () => import('./handover.ts'),
  },
]
