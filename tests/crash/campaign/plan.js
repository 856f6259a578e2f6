import { Random } from '../../../src/testing/random.js';
import { crashEverywhere } from './campaign.js';
import { recordSequence, sequences } from './sequences.js';
import { Session } from './session.js';
import { usualOptions, workloads } from './workloads.js';
const SEQUENCES_PER_JOB = 111;
export const record = async (name, seed) => {
    const workload = workloads.find(candidate => candidate.name === name);
    if (workload === undefined)
        throw new RangeError(`there is no workload '${name}'`);
    const random = new Random(seed ^ Math.imul(workloads.indexOf(workload) + 1, 0x85ebca6b));
    const session = new Session({ ...usualOptions(random), ...workload.options?.(random) }, random, workload.session);
    await workload.run(session);
    const { recording } = session;
    for (const [what, least] of Object.entries(workload.least ?? {}))
        if (recording[what] < least)
            throw new Error(`${what} is ${recording[what]}, expected at least ${least}: the workload no longer does what it is for`);
    return recording;
};
export const planJobs = (seed, seeds) => {
    const jobs = [];
    for (let from = 0; from < sequences.length; from += SEQUENCES_PER_JOB)
        jobs.push({ from, to: Math.min(sequences.length, from + SEQUENCES_PER_JOB) });
    for (let i = 0; i < seeds; i++)
        for (const { name } of workloads)
            jobs.push({ workload: name, seed: seed + i });
    return jobs;
};
export const nameOf = (job) => ('workload' in job ? job.workload : `sequences of up to 3 operations`);
export const runJob = async (job, tally, options = {}) => {
    if ('workload' in job) {
        await explain(`${job.workload}/${job.seed}`, async () => crashEverywhere(await record(job.workload, job.seed), job.seed, tally, options));
        return;
    }
    for (let number = job.from; number < job.to; number++)
        await explain(`sequence/${number}`, async () => crashEverywhere(await recordSequence(sequences[number]), number, tally, options));
};
const explain = async (id, run) => {
    try {
        await run();
    }
    catch (error) {
        const { index = 0, policy = 'none' } = error;
        throw new Error(`${error.message}\n  replay: npm run crash -- --replay '${id}:${index}:${policy}'`, {
            cause: error,
        });
    }
};
//# sourceMappingURL=plan.js.map