import { parentPort } from 'node:worker_threads';
import { Tally } from './campaign.js';
import { runJob } from './plan.js';
parentPort.on('message', async (job) => {
    const tally = new Tally();
    const started = performance.now();
    let failure;
    try {
        await runJob(job, tally);
    }
    catch (error) {
        failure = error.message;
    }
    tally.seconds = (performance.now() - started) / 1000;
    parentPort.postMessage({ job, tally: { ...tally }, failure });
});
//# sourceMappingURL=worker.js.map