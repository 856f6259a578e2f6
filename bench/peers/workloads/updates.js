import { Random } from '../../support/random.js';
import { openJob, operationsPerSecond, randomUpdates } from './work.js';
const PIECE = 2000;
const TRANSACTION = 10;
export function update(job, openStore) {
    return updates(job, openStore, (store, { keys, values }) => store.putEach(keys, values));
}
export function transactions(job, openStore) {
    return updates(job, openStore, (store, { keys, values }) => store.transactions(keys, values, TRANSACTION));
}
async function updates(job, openStore, work) {
    const random = new Random(job.seed);
    const store = await openJob(job, openStore);
    const make = () => randomUpdates(random, job.records, PIECE);
    const perSecond = await operationsPerSecond(job, make, piece => work(store, piece));
    await store.close();
    return { perSecond };
}
//# sourceMappingURL=updates.js.map