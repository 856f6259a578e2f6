import { describe, expect, test } from 'vitest';
import { absolute, fnv64 } from '../../bench/support/hash.js';
import { Random } from '../../bench/support/random.js';
import { scrambledZipfian, THETA, Zipfian } from '../../bench/support/zipfian.js';
const DRAWS = 200_000;
describe('zipfian', () => {
    test('ranks come in proportion to 1 / (rank + 1)^theta', () => {
        const zipfian = new Zipfian(new Random(1), 1000);
        const shares = draw(() => zipfian.next(), 1000);
        for (const rank of [0, 1])
            expect(relative(shares[rank], expected(rank, 1000))).toBeLessThan(0.03);
        for (const ranks of [10, 100, 500]) {
            const known = sum(Array.from({ length: ranks }, (_, rank) => expected(rank, 1000)));
            expect(relative(sum(shares.slice(0, ranks)), known)).toBeLessThan(0.06);
        }
    });
    test('growing gives what as many ranks from the start give', () => {
        const grown = new Zipfian(new Random(2), 10);
        grown.grow(300);
        const whole = new Zipfian(new Random(2), 300);
        for (let at = 0; at < 1000; at += 1)
            expect(grown.next()).toBe(whole.next());
    });
    test('every number is a rank', () => {
        for (const ranks of [2, 3, 10]) {
            const zipfian = new Zipfian(new Random(3), ranks);
            expect(sum(draw(() => zipfian.next(), ranks))).toBeCloseTo(1);
        }
    });
    test('scrambled, the popular records do not lie side by side', () => {
        const shares = draw(scrambledZipfian(new Random(4), 1000), 1000);
        const popular = shares.map((share, record) => ({ share, record })).sort((a, b) => b.share - a.share);
        const first = Number(absolute(fnv64(0)) % 1000n);
        expect(popular[0].record).toBe(first);
        expect(popular[0].share).toBeGreaterThan(1 / 27);
        expect(Math.abs(popular[1].record - first)).toBeGreaterThan(1);
    });
});
test('fnv64 is FNV-1a of eight bytes, little end first', () => {
    const mask = (1n << 64n) - 1n;
    for (const number of [0, 1, 255, 256, 123_456_789, 2 ** 32, 2 ** 53 - 1]) {
        let hash = 0xcbf29ce484222325n;
        for (let byte = 0n; byte < 8n; byte += 1n)
            hash = ((hash ^ ((BigInt(number) >> (byte * 8n)) & 255n)) * 0x100000001b3n) & mask;
        const { high, low } = fnv64(number);
        expect((BigInt(high) << 32n) | BigInt(low)).toBe(hash);
    }
});
function draw(next, numbers) {
    const counts = new Array(numbers).fill(0);
    for (let at = 0; at < DRAWS; at += 1)
        counts[next()] += 1;
    return counts.map(count => count / DRAWS);
}
function expected(rank, ranks) {
    return 1 / (rank + 1) ** THETA / sum(Array.from({ length: ranks }, (_, index) => 1 / (index + 1) ** THETA));
}
function sum(list) {
    return list.reduce((total, value) => total + value, 0);
}
function relative(value, to) {
    return Math.abs(value - to) / to;
}
//# sourceMappingURL=zipfian.test.js.map