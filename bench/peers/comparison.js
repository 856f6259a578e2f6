import { describeMachine, machineLine } from '../support/machine.js';
import { outputDirectory, positiveInteger, positiveIntegers, selection } from '../support/options.js';
import { writeResults } from '../support/results.js';
import { installPeers } from './install.js';
import { stepsFor } from './plan.js';
import { compare, comparisonCharts, exitStatus, printComparison, printFailures } from './report.js';
import { runRepeat, runRepeats } from './session.js';
export async function runComparison(plan, options) {
    const quick = Boolean(options.quick);
    const sizes = positiveIntegers('records', options.records, quick ? [10_000] : plan.sizes);
    const wanted = selection('only', options.only, plan.steps.map(step => step.name));
    const selected = selection('stores', options.stores, plan.stores, plan.usualStores);
    const seconds = quick ? 0.15 : (plan.seconds ?? 0.6);
    const { memoryBytes } = plan;
    const repeatsAt = (records) => repeatsFor(options, quick ? 1 : (plan.repeats ?? (records < 500_000 ? 5 : 3)));
    const chosen = stepsFor(plan.steps, wanted);
    const stores = installPeers(selected);
    console.log(machineLine(describeMachine()));
    if (options.warmUp !== false && plan.warmUp.length > 0)
        await warmUp(Math.max(...sizes));
    const collected = { samples: [], failures: [] };
    for (const records of sizes)
        await measureSize(records);
    const comparisons = sizes.map(records => compare(plan, records, collected.samples, stores));
    for (const comparison of comparisons)
        printComparison(plan, comparison, stores);
    printFailures(collected.failures);
    writeResults(outputDirectory(options), {
        benchmark: plan.benchmark,
        options: { sizes, only: wanted, stores, seconds, memoryBytes, repeats: sizes.map(repeatsAt) },
        data: { comparisons, ...collected },
        charts: comparisonCharts(plan, comparisons, stores),
    });
    return exitStatus(collected.failures);
    async function warmUp(records) {
        const some = plan.steps.filter(step => plan.warmUp.includes(step.name));
        await runRepeat({ stores, steps: some, records, seconds }, 0, 'warm-up, discarded');
    }
    async function measureSize(records) {
        const { samples, failures } = await runRepeats({ stores, steps: chosen, records, seconds, memoryBytes }, repeatsAt(records));
        collected.samples.push(...samples);
        collected.failures.push(...failures);
    }
}
function repeatsFor(options, preset) {
    return positiveInteger('repeats', options.repeats, preset);
}
//# sourceMappingURL=comparison.js.map