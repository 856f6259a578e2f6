import { Latencies } from '../../support/latencies.js';
import { Random } from '../../support/random.js';
import { keepInFlight } from '../stores/store.js';
import { growLog, openJob, operationsPerSecond, randomUpdates } from './work.js';
export async function latency(job, openStore) {
    const width = job.inFlight ?? 1;
    const random = new Random(job.seed);
    const store = await openJob(job, openStore);
    if (width > 1 && store.putAsync === undefined)
        throw new Error(`${job.store} commits one after the other`);
    const put = store.putAsync ?? store.put;
    const latencies = new Latencies();
    const timedPut = async (key, value) => {
        const started = performance.now();
        await put(key, value);
        latencies.add(performance.now() - started);
    };
    await growLog(store, random, job.records);
    const perSecond = await operationsPerSecond(job, () => randomUpdates(random, job.records, Math.max(64, width * 8)), ({ keys, values }) => keepInFlight(keys, values, width, timedPut), () => latencies.reset());
    await store.close();
    return { perSecond, ...latencies.percentiles(), commits: latencies.count };
}
//# sourceMappingURL=latency.js.map