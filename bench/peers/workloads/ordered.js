import { Random } from '../../support/random.js';
import { KEY_BYTES, keyOf, RECORD_BYTES } from '../../support/records.js';
import { allocatedBytes } from '../../support/temp.js';
import { BATCH, fill, openJob, operationsPerSecond, range } from './work.js';
const RANGE = 100;
const RANGES = 200;
const KEPT = 10;
export async function ranges(job, openStore) {
    const random = new Random(job.seed);
    const store = await openJob(job, openStore);
    const make = () => ({ keys: Array.from({ length: RANGES }, () => keyOf(random.below(job.records))) });
    await store.entries('', Number.POSITIVE_INFINITY);
    const perSecond = await operationsPerSecond(job, make, async ({ keys }) => {
        for (const key of keys) {
            const seen = store.entries(key, RANGE);
            if ((typeof seen === 'number' ? seen : await seen) < RECORD_BYTES)
                throw new Error(`nothing from ${key} on`);
        }
    });
    await store.close();
    return { perSecond };
}
export function scanEntries(job, openStore) {
    return scans(job, openStore, RECORD_BYTES, store => store.entries('', Number.POSITIVE_INFINITY));
}
export function scanKeys(job, openStore) {
    return scans(job, openStore, KEY_BYTES, store => store.keys('', Number.POSITIVE_INFINITY));
}
async function scans(job, openStore, each, scan) {
    const store = await openJob(job, openStore);
    const scansPerSecond = await operationsPerSecond(job, () => ({ keys: ['all'] }), async () => {
        const seen = await scan(store);
        if (seen !== job.records * each)
            throw new Error(`${seen} characters instead of ${job.records * each}`);
    });
    await store.close();
    return { perSecond: scansPerSecond * job.records };
}
const PIECE = 20_000;
export async function scanPieces(job, openStore) {
    const random = new Random(job.seed);
    const store = await openJob(job, openStore);
    const make = () => ({ keys: [keyOf(random.below(job.records))] });
    const piecesPerSecond = await operationsPerSecond(job, make, async ({ keys }) => {
        if ((await store.entries(keys[0], PIECE)) < RECORD_BYTES)
            throw new Error(`nothing from ${keys[0]} on`);
    });
    await store.close();
    return { perSecond: piecesPerSecond * PIECE };
}
export async function compact(job, openStore) {
    const store = await openJob(job, openStore);
    await fill(store, job.records);
    for (let from = 0; from < job.records; from += BATCH) {
        const numbers = range(from, Math.min(from + BATCH, job.records));
        await store.deleteBatch(numbers.filter(number => number % KEPT !== 0).map(keyOf));
    }
    await store.compact?.();
    await store.close();
    return { bytesOfLive: allocatedBytes(job.directory) / (Math.ceil(job.records / KEPT) * RECORD_BYTES) };
}
//# sourceMappingURL=ordered.js.map