export function median(samples) {
    const sorted = [...samples].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    if (sorted.length === 0)
        return Number.NaN;
    return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
export function percentile(sorted, share) {
    const rank = Math.ceil(Number((share * sorted.length).toFixed(6)));
    return sorted[Math.max(0, rank - 1)] ?? Number.NaN;
}
export function spread(samples) {
    return samples.length < 2 ? 0 : (Math.max(...samples) - Math.min(...samples)) / median(samples);
}
//# sourceMappingURL=statistics.js.map