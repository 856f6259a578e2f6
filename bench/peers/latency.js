import { describeMachine, machineLine } from '../support/machine.js';
import { outputDirectory, positiveInteger, selection } from '../support/options.js';
import { writeResults } from '../support/results.js';
import { installPeers } from './install.js';
import { ORDERED_STORES } from './job.js';
import { latencyCharts, pointsOf, printLatencies } from './latency-report.js';
import { exitStatus, printFailures } from './report.js';
import { runRepeats } from './session.js';
const WIDTHS = [1, 4, 16, 64, 256, 1024];
const DURABILITIES = ['power', 'process', 'none'];
export async function run(options) {
    const quick = Boolean(options.quick);
    const records = positiveInteger('records', options.records, quick ? 10_000 : 100_000);
    const repeats = positiveInteger('repeats', options.repeats, quick ? 1 : 3);
    const chosen = selection('stores', options.stores, ORDERED_STORES);
    const seconds = quick ? 0.15 : 1.5;
    const measured = DURABILITIES.flatMap(durability => WIDTHS.map(width => stepOf(durability, width)));
    const load = { name: 'load', workload: 'load', durability: 'process', database: 'made' };
    const stores = installPeers(chosen);
    console.log(machineLine(describeMachine()));
    const { samples, failures } = await runRepeats({ stores, steps: [load, ...measured], records, seconds }, repeats);
    const points = pointsOf(measured, stores, samples);
    printLatencies(points, records);
    printFailures(failures);
    writeResults(outputDirectory(options), {
        benchmark: 'latency',
        options: { records, stores, seconds, repeats, inFlight: WIDTHS },
        data: { points, samples, failures },
        charts: latencyCharts(points),
    });
    return exitStatus(failures);
}
function stepOf(durability, inFlight) {
    const name = `${durability}-${inFlight}`;
    return {
        name,
        workload: 'latency',
        durability,
        database: 'main',
        inFlight,
        stores: storesFor(durability, inFlight),
    };
}
function storesFor(durability, inFlight) {
    if (durability === 'none')
        return ['xenondb'];
    return ORDERED_STORES.filter(store => !store.endsWith('sqlite') || inFlight === 1);
}
//# sourceMappingURL=latency.js.map