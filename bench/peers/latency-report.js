import { count, microseconds, short } from '../support/format.js';
import { median } from '../support/statistics.js';
import { printTable } from '../support/table.js';
const FIGURES = ['perSecond', 'p50', 'p99', 'p999'];
export function pointsOf(steps, stores, samples) {
    return steps.flatMap(({ name, durability, inFlight }) => stores.flatMap(store => {
        const own = samples.filter(sample => sample.step === name && sample.store === store);
        if (own.length === 0)
            return [];
        const [perSecond, p50, p99, p999] = FIGURES.map(figure => median(own.map(sample => sample.metrics[figure] ?? Number.NaN)));
        return [{ store, durability, inFlight, perSecond, p50, p99, p999 }];
    }));
}
export function printLatencies(points, records) {
    for (const durability of unique(points.map(point => point.durability))) {
        console.log(`\ncommits '${durability}': updates of ${count(records)} records of 15 + 100 bytes; medians`);
        const here = points.filter(point => point.durability === durability);
        const sorted = unique(here.map(point => point.store)).flatMap(store => here.filter(point => point.store === store));
        printTable(['', 'in flight', 'commits/s', 'p50', 'p99', 'p99.9'], sorted.map(cells));
    }
}
function cells({ store, inFlight, perSecond, p50, p99, p999 }) {
    return [store, count(inFlight), short(perSecond), ...[p50, p99, p999].map(us => microseconds(us / 1e6))];
}
export function latencyCharts(points) {
    const own = points.filter(point => point.store === 'xenondb');
    const charts = ['p50', 'p99', 'p999'].map(figure => curves(`xenondb: ${nameOf(figure)} latency of a commit`, own, figure, point => `'${point.durability}'`));
    const besidePeers = ['power', 'process'].map(durability => {
        const here = points.filter(point => point.durability === durability);
        return curves(`${nameOf('p99')} latency, commits '${durability}'`, here, 'p99', point => point.store);
    });
    const compared = points.some(point => point.store !== 'xenondb');
    return [...charts, ...(compared ? besidePeers : [])].filter(chart => chart.series.length > 0);
}
function curves(title, points, figure, nameOfSeries) {
    return {
        kind: 'lines',
        title,
        note: 'numbers at the dots: commits in flight; further right is more, further down is sooner',
        xLabel: 'commits per second (log)',
        yLabel: 'µs',
        logX: true,
        logY: true,
        series: unique(points.map(nameOfSeries)).map(name => ({
            name,
            points: points
                .filter(point => nameOfSeries(point) === name)
                .map(point => [point.perSecond, point[figure], count(point.inFlight)]),
        })),
    };
}
function nameOf(figure) {
    return { p50: 'median', p99: '99 %', p999: '99.9 %' }[figure];
}
function unique(list) {
    return [...new Set(list)];
}
//# sourceMappingURL=latency-report.js.map