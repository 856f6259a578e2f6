import { runComparison } from './comparison.js';
import { ORDERED_STORES, STORES } from './job.js';
import { only } from './plan.js';
import { rows } from './rows.js';
export function run(options) {
    const plan = {
        benchmark: 'peers',
        recordsAre: '15 + 100 bytes',
        steps,
        rows,
        stores: STORES,
        usualStores: STORES.filter(store => store !== 'level-array'),
        sizes: [100_000, 1_000_000],
        warmUp: ['load', 'get-hit'],
    };
    return runComparison(plan, options);
}
const inOrder = { stores: ORDERED_STORES, durability: 'process', database: 'main' };
const steps = [
    { name: 'load', workload: 'load', durability: 'process', database: 'made' },
    { name: 'open', workload: 'open', durability: 'process', database: 'main', times: 3 },
    { name: 'get-hit', workload: 'get-hit', durability: 'process', database: 'main' },
    { name: 'get-miss', workload: 'get-miss', durability: 'process', database: 'main' },
    { ...inOrder, name: 'ranges', workload: 'ranges' },
    { ...inOrder, name: 'scan-entries', workload: 'scan-entries' },
    { ...inOrder, name: 'scan-keys', workload: 'scan-keys' },
    { name: 'update-process', workload: 'update', durability: 'process', database: 'main' },
    {
        name: 'update-none',
        workload: 'update',
        durability: 'none',
        database: 'main',
        stores: ['xenondb', 'xenondb-hash'],
    },
    { name: 'transactions', workload: 'transactions', durability: 'process', database: 'main' },
    { name: 'durable-one', workload: 'durable-one', durability: 'power', database: 'main' },
    { name: 'durable-flight', workload: 'durable-flight', durability: 'power', database: 'main' },
    { name: 'load-durable', workload: 'load', durability: 'power', database: 'own' },
    { name: 'churn', workload: 'churn', durability: 'process', database: 'own' },
    only('xenondb', { name: 'compact', workload: 'compact', durability: 'process', database: 'own', once: true }),
    { name: 'memory', workload: 'memory', durability: 'process', database: 'own', once: true },
];
//# sourceMappingURL=peers.js.map