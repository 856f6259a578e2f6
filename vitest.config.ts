import { readdirSync, readFileSync } from 'node:fs'
import { defineConfig, type ViteUserConfig } from 'vitest/config'
import { SlowFirst } from './tests/slow-first.ts'

/**
 * The inner loop, `npm run test:fast`: each of these files takes some seconds at most and starts no process. They share
 * their workers, so that the modules are loaded once; so none may leave anything behind in its process.
 */
const fast: string[] = [
  'tests/adapters/c.test.ts',
  'tests/adapters/keyv/*.test.ts',
  'tests/architecture.test.ts',
  'tests/bench/*.test.ts',
  'tests/buffer/images.test.ts',
  'tests/cli/{csv-parser,words}.test.ts',
  'tests/client/reader.test.ts',
  'tests/crash/recovered-images.test.ts',
  'tests/database/{cursor,cursor-flags,isolation,read-only,snapshot,transaction,verify-and-close}.test.ts',
  'tests/docs/api.test.ts',
  'tests/freelist/*.test.ts',
  'tests/golden/*.test.ts',
  'tests/hash/key.test.ts',
  'tests/log/*.test.ts',
  'tests/maintenance/{backup,convert}.test.ts',
  'tests/pager/*.test.ts',
  'tests/runtime/{callbacks,text-batch}.test.ts',
  'tests/salvage/{moved,sound}.test.ts',
  'tests/server/protocol/*.test.ts',
  'tests/storage/{contract,overlay}.test.ts',
  'tests/testing/*.test.ts',
  'tests/txn/{checkpoint,checkpoint-asked,locks}.test.ts',
  'tests/values/{compression,encoding}.test.ts',
]

/** More files that share their workers, for the same reason and under the same rule, but take longer or use sockets. */
const sharing: string[] = [
  'tests/adapters/level/level.test.ts',
  'tests/adapters/unstorage/unstorage.test.ts',
  'tests/browser/{batches,catalogue}.test.ts',
  'tests/buffer/{recency,versions,write-back}.test.ts',
  'tests/cli/output.test.ts',
  'tests/client/connection.test.ts',
  'tests/cluster/{engine-store,message,node,registers}.test.ts',
  'tests/database/{async,cursor-mutation,index,index-page,index.model,index-build.model,replica}.test.ts',
  'tests/database/{shown,stored-encodings,sub,sub-transactions,tuple-keys}.test.ts',
  'tests/docs/tour.test.ts',
  'tests/explorer/{live-map,playground}.test.ts',
  'tests/faults/sync-finds-disk-full.test.ts',
  'tests/files/{half-header,verify-disk}.test.ts',
  'tests/hash/{known-places,structure}.test.ts',
  'tests/invariants.test.ts',
  'tests/isolation/hermitage.test.ts',
  'tests/maintenance/{backup-spaces,compact,compact-spaces,dated-backups,health,slices}.test.ts',
  'tests/maintenance/convert-{block-size,value-encoding}.test.ts',
  'tests/metrics/metrics.test.ts',
  'tests/model/{replica,subs}.test.ts',
  'tests/runtime/items.test.ts',
  'tests/salvage/spaces.test.ts',
  'tests/server/{encodings,rooms}.test.ts',
  'tests/server/cluster/slotted.test.ts',
  'tests/server/commands/{databases,entries,observation,pubsub,random-commands,replies,subs}.test.ts',
  'tests/server/connection/{durability,lock-waits,pause}.test.ts',
  'tests/server/scripting/scripts.test.ts',
  'tests/server/service/activity.test.ts',
  'tests/tree/room.test.ts',
  'tests/txn/{overtaking,step}.test.ts',
  'tests/values/{json-codec,page,tuple}.test.ts',
]

/**
 * Of the long form alone: what takes long for what a change is likely to break. `npm test` keeps a file or more of each
 * kind.
 */
const onlyLong: string[] = [
  'tests/browser/contract.test.ts',
  'tests/buffer/read-ahead.test.ts',
  'tests/cli/{bad-lines,expiry,hostile-import,import-shapes,inspect,listing,restore,round-trip}.test.ts',
  'tests/cli/{streams,subs,tuple-keys,verify-live,verify-live-copy}.test.ts',
  'tests/cluster/{faults-of-everything,full-log,nats-faults,real-clients,recover,restore}.test.ts',
  'tests/crash/{images,kill-backups,kill-recovery}.test.ts',
  'tests/faults/{command-line,limits,reserve}.test.ts',
  'tests/frameworks/*.test.ts',
  'tests/hash/{keys-ahead,pins}.test.ts',
  'tests/maintenance/{compact-small-rest,killed-at-each-step,verify-spaces}.test.ts',
  'tests/model/{expiry-costs,large-transaction,ranges,thousand-times-the-pool}.test.ts',
  'tests/packages/*.test.ts',
  'tests/records/bulk.test.ts',
  'tests/redis/libraries.test.ts',
  'tests/runtimes/*.test.ts',
  'tests/salvage/{carried-over,crashed,damaged-blocks,directories,mixed-times}.test.ts',
]

/** The files whose tests have a long form: `npm run test:long` runs them in it. */
const long: string[] = readdirSync('tests', { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.test.ts') && readFileSync(`tests/${name}`, 'utf8').includes('support/long.ts'))
  .map(name => `tests/${name}`)

const projects =
  process.env.XENON_LONG === '1'
    ? [{ name: 'long', include: [...onlyLong, ...long] }]
    : [
        { name: 'fast', include: fast, isolate: false, setupFiles: ['tests/support/restart-seeds.ts'] },
        { name: 'sharing', include: sharing, isolate: false, setupFiles: ['tests/support/restart-seeds.ts'] },
        { name: 'rest', include: ['tests/**/*.test.ts'], exclude: [...fast, ...sharing, ...onlyLong] },
      ]

const config: ViteUserConfig = defineConfig({
  test: {
    maxWorkers: 3,
    sequence: { sequencer: SlowFirst },
    projects: projects.map(project => ({ extends: true, test: { ...project, ...shared() } })),
  },
})

function shared(): { testTimeout: number; hookTimeout: number; pool: 'forks' } {
  // For a machine that is busy with other things; on an idle one no test comes near.
  return { testTimeout: 300_000, hookTimeout: 300_000, pool: 'forks' }
}

export default config
