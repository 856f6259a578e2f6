import { median, spread } from '../support/statistics.js';
export function figureOf(row, records, samples, stores) {
    const medians = {};
    const spreads = {};
    for (const store of stores) {
        const values = valuesOf(row, records, samples, store);
        if (values.length === 0)
            continue;
        medians[store] = median(values);
        spreads[store] = spread(values);
    }
    const bestPeer = best(row, medians);
    const own = medians[row.of ?? 'xenondb'];
    const ratio = own === undefined || bestPeer === undefined ? undefined : own / medians[bestPeer];
    const goal = row.goal?.(records);
    const judged = row.judged === 'own' ? own : ratio;
    return {
        label: row.label,
        step: row.step,
        records,
        medians,
        spreads,
        bestPeer,
        ratio,
        goal,
        ...judge(row, judged, goal),
    };
}
function valuesOf(row, records, samples, store) {
    const step = store.startsWith('xenondb') ? row.step : (row.peerStep ?? row.step);
    return samples
        .filter(sample => sample.records === records && sample.step === step && sample.store === store)
        .map(sample => sample.metrics[row.metric])
        .filter(value => value !== undefined);
}
function best(row, medians) {
    const peers = Object.keys(medians).filter(store => row.against === undefined ? !store.startsWith('xenondb') : store === row.against);
    const direction = row.better === 'higher' ? -1 : 1;
    return peers.sort((a, b) => direction * (medians[a] - medians[b]))[0];
}
function judge(row, judged, goal) {
    if (judged === undefined || goal === undefined)
        return { mark: '', reachedAim: false };
    const reaches = (limit) => (row.better === 'higher' ? judged >= limit : judged <= limit);
    return { mark: reaches(goal.bound) ? 'PASS' : 'SHORT', reachedAim: reaches(goal.aim) };
}
//# sourceMappingURL=figures.js.map