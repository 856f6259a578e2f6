import { count } from '../support/format.js';
import { printTable } from '../support/table.js';
import { figureOf } from './figures.js';
export function compare(plan, records, samples, stores) {
    const figures = plan.rows.map(row => figureOf(row, records, samples, stores));
    return { records, figures: figures.filter(figure => Object.keys(figure.medians).length > 0) };
}
export function printComparison(plan, comparison, stores) {
    const { records, figures } = comparison;
    console.log(`\n${count(records)} records of ${plan.recordsAre}; operations per second where nothing else is said; medians`);
    const head = ['', ...stores, 'of best peer', 'aim', 'at least', ''];
    printTable(head, figures.map(figure => cells(figure, plan.rows, stores)));
}
export function printFailures(failures) {
    for (const { records, step, store, error, skipped } of failures) {
        console.log(`\n${skipped ? 'SKIPPED' : 'FAILED'}: ${count(records)} records, ${step}, ${store}: ${error}`);
    }
}
export function exitStatus(failures) {
    return failures.every(failure => failure.skipped) ? 0 : 1;
}
function cells(figure, list, stores) {
    const row = list.find(candidate => candidate.label === figure.label);
    const sign = row.better === 'higher' ? '≥' : '≤';
    const limit = (value) => (value === undefined ? '' : `${sign} ${value}`);
    const mark = figure.reachedAim ? `${figure.mark} +` : figure.mark;
    return [
        figure.label,
        ...stores.map(store => (figure.medians[store] === undefined ? '' : row.format(figure.medians[store]))),
        figure.ratio === undefined ? '' : `${figure.ratio.toFixed(2)} ${figure.bestPeer}`,
        limit(figure.goal?.aim),
        limit(figure.goal?.bound),
        mark,
    ];
}
export function comparisonCharts(plan, comparisons, stores) {
    const speeds = comparisons.map(comparison => speedChart(plan, comparison, stores));
    const ratios = ratioChart(plan, comparisons);
    return ratios === undefined ? speeds : [ratios, ...speeds];
}
function speedChart(plan, { records, figures }, stores) {
    const speeds = figures.filter(figure => isSpeed(plan, figure));
    return {
        kind: 'bars',
        title: `Operations per second, ${count(records)} records of ${plan.recordsAre}`,
        note: 'medians; each store in a process of its own, in its best configuration; higher is better',
        xLabel: '',
        yLabel: 'operations per second',
        logY: true,
        categories: speeds.map(figure => figure.label),
        series: stores.map(name => ({ name, values: speeds.map(figure => figure.medians[name]) })),
    };
}
function ratioChart(plan, comparisons) {
    const labels = plan.rows
        .map(row => row.label)
        .filter(label => comparisons.some(of => ratioOf(plan, of, label) !== undefined));
    if (labels.length === 0)
        return undefined;
    const aim = (label) => comparisons[0]?.figures.find(figure => figure.label === label)?.goal?.aim;
    return {
        kind: 'bars',
        title: 'xenondb over the best peer',
        note: 'times as many operations per second; 1 is as fast; higher is better',
        xLabel: '',
        yLabel: 'times',
        categories: labels,
        series: [
            ...comparisons.map(of => ({
                name: `${count(of.records)} records`,
                values: labels.map(label => ratioOf(plan, of, label)),
            })),
            { name: 'aim', values: labels.map(aim) },
        ],
    };
}
function ratioOf(plan, comparison, label) {
    return comparison.figures.find(figure => figure.label === label && isSpeed(plan, figure))?.ratio;
}
function isSpeed(plan, figure) {
    return plan.rows.find(row => row.label === figure.label)?.metric === 'perSecond';
}
//# sourceMappingURL=report.js.map