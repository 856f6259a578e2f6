import { Random } from '../../support/random.js';
import { keyOf, NEVER_STORED, VALUE_BYTES } from '../../support/records.js';
import { openJob, operationsPerSecond } from './work.js';
const GETS = 20_000;
export async function getHit(job, openStore) {
    return gets(job, openStore, 0, getPresent);
}
export async function getMiss(job, openStore) {
    return gets(job, openStore, NEVER_STORED, (store, keys) => {
        for (let at = 0; at < keys.length; at += 1) {
            if (store.get(keys[at]) !== undefined)
                throw new Error(`record ${keys[at]} was never stored`);
        }
    });
}
export async function getWarm(job, openStore) {
    return gets(job, openStore, 0, getPresent, false);
}
function getPresent(store, keys) {
    for (let at = 0; at < keys.length; at += 1) {
        if (store.get(keys[at])?.length !== VALUE_BYTES)
            throw new Error(`record ${keys[at]} is missing or damaged`);
    }
}
async function gets(job, openStore, offset, work, fits = true) {
    const random = new Random(job.seed);
    const store = await openJob(job, openStore);
    const make = () => ({
        keys: Array.from({ length: GETS }, () => keyOf(random.below(job.records) + offset)),
        values: [],
    });
    if (fits)
        await touchAll(store, job, offset);
    const perSecond = await operationsPerSecond(job, make, ({ keys }) => work(store, keys));
    await store.close();
    return { perSecond };
}
async function touchAll(store, job, offset) {
    for (let number = 0; number < job.records; number += 1)
        store.get(keyOf(number + offset));
}
export async function openAgain(job, openStore) {
    const key = keyOf(job.seed % job.records);
    const started = process.hrtime.bigint();
    const store = await openJob(job, openStore);
    const value = store.get(key);
    const milliseconds = Number(process.hrtime.bigint() - started) / 1e6;
    if (value?.length !== VALUE_BYTES)
        throw new Error(`record ${key} is missing or damaged`);
    await store.close();
    return { milliseconds };
}
//# sourceMappingURL=reads.js.map