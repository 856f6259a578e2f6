import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { RECORD_BYTES } from '../../support/records.js';
import { Stopwatch } from '../../support/stopwatch.js';
import { allocatedBytes } from '../../support/temp.js';
import { BATCH, fill, openJob, operationsPerSecond, piece, range } from './work.js';
const WARM_UP_RECORDS = 100_000;
export async function load(job, openStore) {
    await warmUp(job, openStore);
    const store = await openJob(job, openStore);
    const { seconds } = await fill(store, job.records);
    const live = job.records * RECORD_BYTES;
    const openBytes = allocatedBytes(job.directory);
    const closing = new Stopwatch();
    await closing.measure(() => store.close());
    return {
        perSecond: job.records / seconds,
        closeMilliseconds: closing.seconds * 1000,
        openBytesOfLive: openBytes / live,
        bytesOfLive: allocatedBytes(job.directory) / live,
    };
}
export async function loadMore(job, openStore) {
    const store = await openJob(job, openStore);
    let from = job.records;
    const make = () => {
        from += BATCH;
        return piece(range(from - BATCH, from), 0);
    };
    const perSecond = await operationsPerSecond(job, make, ({ keys, values }) => store.putBatch(keys, values));
    await store.close();
    return { perSecond, ...(job.memoryBytes && { bytesOfLimit: allocatedBytes(job.directory) / job.memoryBytes }) };
}
export async function memory(job, openStore) {
    const before = process.memoryUsage.rss();
    const store = await openJob(job, openStore);
    await fill(store, job.records);
    await store.close();
    const peak = process.resourceUsage().maxRSS * 1024;
    return { mebibytes: Math.max(0, peak - before) / 2 ** 20, peakMebibytes: peak / 2 ** 20 };
}
async function warmUp(job, openStore) {
    const directory = join(job.scratch, 'warm-up');
    mkdirSync(directory);
    const store = await openJob(job, openStore, directory);
    await fill(store, Math.min(WARM_UP_RECORDS, job.records));
    await store.close();
    rmSync(directory, { recursive: true, force: true });
}
//# sourceMappingURL=load.js.map