import { closeSync, fdatasyncSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '../../support/random.js';
import { median } from '../../support/statistics.js';
import { Stopwatch } from '../../support/stopwatch.js';
import { IN_FLIGHT } from '../stores/store.js';
import { growLog, openJob, operationsPerSecond, randomUpdates } from './work.js';
const SECTOR = 512;
const RAW_BYTES = 4 * 2 ** 20;
const TURN = 20;
export async function oneAtATime(job, openStore) {
    const random = new Random(job.seed);
    const store = await openJob(job, openStore);
    const writeRaw = rawWriter(join(job.scratch, 'raw'));
    const puts = new Stopwatch();
    const raw = new Stopwatch();
    const turn = async () => {
        const { keys, values } = randomUpdates(random, job.records, TURN);
        await raw.measure(writeRaw.turn);
        await puts.measure(() => store.putEach(keys, values));
    };
    await growLog(store, random, job.records);
    for (let warm = 0; warm < 5; warm += 1)
        await turn();
    raw.reset();
    puts.reset();
    while (puts.seconds < job.seconds * 2)
        await turn();
    writeRaw.close();
    await store.close();
    const rawSeconds = median(raw.sections) / TURN;
    const putSeconds = median(puts.sections) / TURN;
    return { ofRaw: rawSeconds / putSeconds, perSecond: 1 / putSeconds, rawPerSecond: 1 / rawSeconds };
}
function rawWriter(path) {
    const descriptor = openSync(path, 'w');
    writeSync(descriptor, Buffer.alloc(RAW_BYTES));
    fsyncSync(descriptor);
    const sector = Buffer.alloc(SECTOR, 'x');
    let position = 0;
    return {
        turn() {
            for (let write = 0; write < TURN; write += 1) {
                sector.writeDoubleLE(position);
                writeSync(descriptor, sector, 0, SECTOR, position);
                fdatasyncSync(descriptor);
                position = (position + SECTOR) % RAW_BYTES;
            }
        },
        close: () => closeSync(descriptor),
    };
}
export async function inFlight(job, openStore) {
    const random = new Random(job.seed);
    const store = await openJob(job, openStore);
    await growLog(store, random, job.records);
    const own = await timeWays(job, random, store.inFlight);
    const grouped = await timeWays(job, random, store.grouped);
    await store.close();
    const ways = { ...own, ...grouped };
    return { perSecond: Math.max(...Object.values(ways)), ...best('ownCommits', own), ...ways };
}
async function timeWays(job, random, ways) {
    const metrics = {};
    const make = () => randomUpdates(random, job.records, IN_FLIGHT * 8);
    for (const [name, way] of Object.entries(ways)) {
        metrics[name] = await operationsPerSecond(job, make, ({ keys, values }) => way(keys, values));
    }
    return metrics;
}
function best(name, ways) {
    const figures = Object.values(ways);
    return figures.length === 0 ? {} : { [name]: Math.max(...figures) };
}
//# sourceMappingURL=durable.js.map