import { expect, test } from 'vitest';
import { Latencies } from '../../bench/support/latencies.js';
import { percentile } from '../../bench/support/statistics.js';
test('a percentile is the least value that the share does not exceed', () => {
    const thousand = Array.from({ length: 1000 }, (_, index) => index + 1);
    expect([0, 0.5, 0.99, 0.999, 1].map(share => percentile(thousand, share))).toEqual([1, 500, 990, 999, 1000]);
    expect(percentile([7], 0.999)).toBe(7);
    expect(percentile([1, 2], 0.51)).toBe(2);
    expect(percentile([], 0.5)).toBeNaN();
});
test('latencies are given in microseconds, whatever their order and number', () => {
    const latencies = new Latencies();
    for (let at = 0; at < 10; at += 1)
        latencies.add(1e6);
    latencies.reset();
    for (let at = 40_000; at > 0; at -= 1)
        latencies.add(at / 1000);
    expect(latencies.count).toBe(40_000);
    const { p50, p99, p999 } = latencies.percentiles();
    expect([p50, p99, p999].map(Math.round)).toEqual([20_000, 39_600, 39_960]);
});
//# sourceMappingURL=latencies.test.js.map