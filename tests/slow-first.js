import { BaseSequencer } from 'vitest/node';
const slowest = [
    'crash/io-errors',
    'crash/mutants',
    'files/damaged-blocks',
    'txn/bounded-log',
    'faults/full-disk',
    'crash/kill-writers',
    'crash/kill-recovery',
    'crash/kill',
    'faults/limits',
    'cli/arguments',
    'model/commands',
    'records/bulk',
    'isolation/histories',
    'model/thousand-times-the-pool',
    'model/long-runs',
    'salvage/carried-over',
    'model/ranges',
    'redis/clients',
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
];
export class SlowFirst extends BaseSequencer {
    async sort(files) {
        const place = ({ moduleId }) => {
            const found = slowest.findIndex(name => moduleId.endsWith(`/tests/${name}.test.ts`));
            return found < 0 ? slowest.length : found;
        };
        return (await super.sort(files)).sort((a, b) => place(a) - place(b));
    }
}
//# sourceMappingURL=slow-first.js.map