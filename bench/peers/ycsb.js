import { short } from '../support/format.js';
import { selection } from '../support/options.js';
import { runComparison } from './comparison.js';
import { ORDERED_STORES } from './job.js';
import { rate } from './rows.js';
const NAMES = {
    a: 'A: half updates',
    b: 'B: 5 % updates',
    c: 'C: reads only',
    d: 'D: newest, 5 % inserts',
    e: 'E: scans, 5 % inserts',
    f: 'F: half read-modify-write',
};
export function run(options) {
    const [durability = 'process'] = selection('durability', options.durability, ['process', 'power']);
    const plan = {
        benchmark: durability === 'process' ? 'ycsb' : `ycsb-${durability}`,
        recordsAre: `10 fields of 100 bytes, durability '${durability}'`,
        steps: [load, ...Object.keys(NAMES).map(name => stepOf(name, durability))],
        rows: [...rowsOf(false), ...rowsOf(true)],
        stores: ORDERED_STORES,
        usualStores: ORDERED_STORES,
        sizes: [100_000],
        warmUp: ['load', 'c'],
    };
    return runComparison(plan, options);
}
const load = { name: 'load', workload: 'ycsb-load', durability: 'process', database: 'made' };
function stepOf(name, durability) {
    const inserts = name === 'd' || name === 'e';
    return {
        name,
        workload: `ycsb-${name}`,
        durability,
        database: inserts ? 'own' : 'main',
    };
}
function rowsOf(latency) {
    return Object.entries(NAMES).map(([step, label]) => latency
        ? { label: `${label}, p99 µs`, step, metric: 'p99', format: short, better: 'lower', judged: 'ratio' }
        : { ...rate, label, step });
}
//# sourceMappingURL=ycsb.js.map