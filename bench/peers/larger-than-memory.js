import { positiveInteger } from '../support/options.js';
import { RECORD_BYTES } from '../support/records.js';
import { runComparison } from './comparison.js';
import { ORDERED_STORES } from './job.js';
import { always, rate, times } from './rows.js';
const MIB = 2 ** 20;
const FILE_OF_LIMIT = 4;
const FILE_OF_LIVE = 1.65;
export function run(options) {
    const memoryBytes = positiveInteger('limit', options.limit, options.quick ? 128 : 256) * MIB;
    const records = Math.ceil((FILE_OF_LIMIT * memoryBytes) / FILE_OF_LIVE / RECORD_BYTES / 100_000) * 100_000;
    const plan = {
        benchmark: 'larger-than-memory',
        recordsAre: `15 + 100 bytes under a limit of ${memoryBytes / MIB} MiB`,
        steps,
        rows,
        stores: ORDERED_STORES,
        usualStores: ['xenondb', 'lmdb'],
        sizes: [records],
        repeats: 1,
        seconds: 10,
        memoryBytes,
        warmUp: [],
    };
    return runComparison(plan, options);
}
const steps = [
    { name: 'fill', workload: 'load', durability: 'process', database: 'made' },
    { name: 'get', workload: 'get-warm', durability: 'process', database: 'main' },
    { name: 'scan-entries', workload: 'scan-pieces', durability: 'process', database: 'main' },
    { name: 'update', workload: 'update', durability: 'process', database: 'main' },
    { name: 'load', workload: 'load-more', durability: 'process', database: 'main' },
];
const asLmdb = { ...rate, against: 'lmdb', goal: always(1, 1) };
const rows = [
    { ...asLmdb, label: 'random get, hit', step: 'get' },
    { ...asLmdb, label: "update, 'process'", step: 'update' },
    { ...asLmdb, label: 'bulk load of more, not fsynced', step: 'load' },
    { ...asLmdb, label: 'scan of entries', step: 'scan-entries' },
    { ...times, label: 'file, of the limit', step: 'load', metric: 'bytesOfLimit' },
];
//# sourceMappingURL=larger-than-memory.js.map