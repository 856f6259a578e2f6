import { keyOf, valueAt } from '../../support/records.js';
import { Stopwatch } from '../../support/stopwatch.js';
import { IN_FLIGHT } from '../stores/store.js';
export const BATCH = 1000;
export function piece(numbers, version) {
    return { keys: numbers.map(keyOf), values: numbers.map(number => valueAt(number, version)) };
}
export function randomUpdates(random, records, length) {
    const numbers = Array.from({ length }, () => random.below(records));
    const start = random.below(4096);
    return { keys: numbers.map(keyOf), values: numbers.map((number, at) => valueAt(number, start + at)) };
}
export function openJob(job, openStore, directory = job.directory) {
    const { durability, memoryBytes } = job;
    return openStore({ directory, durability, memoryBytes });
}
export async function fill(store, records, stopwatch = new Stopwatch()) {
    for (let from = 0; from < records; from += BATCH) {
        const { keys, values } = piece(range(from, Math.min(from + BATCH, records)), 0);
        await stopwatch.measure(() => store.putBatch(keys, values));
    }
    return stopwatch;
}
export async function operationsPerSecond(job, make, work, afterWarmUp = () => { }) {
    await spend(job.seconds / 2, make, work);
    afterWarmUp();
    const { operations, stopwatch } = await spend(job.seconds, make, work);
    return operations / stopwatch.seconds;
}
async function spend(seconds, make, work) {
    const stopwatch = new Stopwatch();
    let operations = 0;
    while (stopwatch.seconds < seconds) {
        const next = make();
        await stopwatch.measure(() => work(next));
        operations += next.keys.length;
    }
    return { operations, stopwatch };
}
export async function growLog(store, random, records) {
    for (let commit = 0; commit < 100; commit += 1) {
        const { keys, values } = randomUpdates(random, records, IN_FLIGHT);
        await store.putBatch(keys, values);
    }
}
export function range(from, to) {
    return Array.from({ length: to - from }, (_, index) => from + index);
}
//# sourceMappingURL=work.js.map