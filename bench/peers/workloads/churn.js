import { scramble } from '../../support/random.js';
import { RECORD_BYTES } from '../../support/records.js';
import { Stopwatch } from '../../support/stopwatch.js';
import { allocatedBytes } from '../../support/temp.js';
import { BATCH, fill, openJob, piece } from './work.js';
const ROUNDS = 4;
export async function churn(job, openStore) {
    const live = job.records * RECORD_BYTES;
    const loaded = await openJob(job, openStore);
    await fill(loaded, job.records);
    await loaded.close();
    const before = allocatedBytes(job.directory) / live;
    const store = await openJob(job, openStore);
    const stopwatch = new Stopwatch();
    let operations = 0;
    for (let round = 1; round <= ROUNDS; round += 1)
        operations += await replaceHalf(store, job.records, round, stopwatch);
    await store.close();
    const after = allocatedBytes(job.directory) / live;
    return {
        perSecond: operations / stopwatch.seconds,
        bytesOfLive: after,
        bytesBefore: before,
        growth: after / before,
    };
}
async function replaceHalf(store, records, round, stopwatch) {
    let operations = 0;
    for (const numbers of halves(records, round)) {
        const { keys } = piece(numbers, 0);
        await stopwatch.measure(() => store.deleteBatch(keys));
        operations += numbers.length;
    }
    for (const numbers of halves(records, round)) {
        const { keys, values } = piece(numbers, round);
        await stopwatch.measure(() => store.putBatch(keys, values));
        operations += numbers.length;
    }
    return operations;
}
function* halves(records, round) {
    let numbers = [];
    for (let number = 0; number < records; number += 1) {
        if (scramble(number ^ (round << 27)) & 1)
            numbers.push(number);
        if (numbers.length === BATCH) {
            yield numbers;
            numbers = [];
        }
    }
    if (numbers.length > 0)
        yield numbers;
}
//# sourceMappingURL=churn.js.map