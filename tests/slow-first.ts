/**
 * The order in which test files begin: the slowest first, so that no long one is left for the end, when the other
 * worker has nothing to do any more. Files that are not named follow, the larger ones first.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** By the time that they take, the longest first, as `npx vitest run --reporter=json` shows it. */
const slowest: readonly string[] = [
  'crash/io-errors',
  'cluster/simulator',
  'cluster/mutants',
  'crash/mutants',
  'files/damaged-blocks',
  'txn/bounded-log',
  'faults/full-disk',
  'crash/kill-writers',
  'crash/kill-recovery',
  'crash/kill',
  'cluster/faults-of-everything',
  'cluster/faults-of-nodes',
  'cluster/full-log',
  'faults/limits',
  'cli/live',
  'cli/arguments',
  'frameworks/next',
  'cluster/nats-faults',
  'model/commands',
  'records/bulk',
  'isolation/histories',
  'model/thousand-times-the-pool',
  'model/long-runs',
  'salvage/carried-over',
  'model/ranges',
  'redis/clients',
  'redis/libraries',
  'cluster/nats-log',
  'contract/client',
  'cli/maintenance',
  'cli/subs',
  'buffer/read-ahead',
  'frameworks/servers',
  'frameworks/runners',
  'redis/differential',
  'faults/reserve',
  'salvage/crashed',
  'crash/images',
  'salvage/directories',
  'adapters/level/suite',
  'docs/code-blocks',
  'server/connection/durability',
  'files/flipped-bits-live',
  'files/flipped-bits-closed',
  'files/moved',
  'hash/keys-ahead',
  'hash/structure',
  'maintenance/stats',
  'buffer/pool',
  'isolation/hermitage',
]

export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const found = slowest.findIndex(name => moduleId.endsWith(`/tests/${name}.test.ts`))
      return found < 0 ? slowest.length : found
    }
    return (await super.sort(files)).sort((a, b) => place(a) - place(b))
  }
}
