import { describe, expect, test } from 'vitest';
import { childOf, childOffset, directoryCapacity, directoryLevel, directoryProblem, entryCount, findEntry, formatDirectory, separatorOf, separatorOffset, } from '../../src/pager/directory.js';
import { AT_COUNT } from '../../src/pager/layout.js';
import { Arena } from '../../src/runtime/bytes.js';
import { runs, seeded } from '../support/random.js';
const MOST = 0xffff_ffff;
describe('findEntry agrees with a linear search', () => {
    const shapes = [
        ['even', (_random, count) => Array.from({ length: count }, (_, i) => Math.floor((i / count) * MOST))],
        ['random', (random, count) => Array.from({ length: count }, () => random.next())],
        ['of a narrow interval', (random, count) => Array.from({ length: count }, () => 0x8000_0000 + random.below(5000))],
        ['dense at the low end', (random, count) => Array.from({ length: count }, (_, i) => (i < 5 ? random.next() : i))],
        [
            'dense at the high end',
            (random, count) => Array.from({ length: count }, (_, i) => (i < 5 ? random.next() : MOST - i)),
        ],
        [
            'ever closer',
            (random, count) => Array.from({ length: count }, () => Math.floor(2 ** (random.below(32_000) / 1000))),
        ],
        [
            'in clusters',
            (random, count) => Array.from({ length: count }, () => random.below(4) * 2 ** 30 + random.below(300)),
        ],
    ];
    for (const [name, make] of shapes) {
        test(`where separators are ${name}`, () => seeded(random => {
            for (const blockSize of [4096, 65536]) {
                const capacity = directoryCapacity(blockSize);
                for (const count of [1, 2, 3, 17, 100, capacity]) {
                    for (let run = 0; run < 3 * runs; run++) {
                        const low = random.chance(0.5) ? [0] : [];
                        const separators = [...new Set([...low, ...make(random, count)])].sort((a, b) => a - b).slice(0, capacity);
                        const arena = directory(blockSize, separators);
                        expect(directoryProblem(arena, 0, blockSize)).toBeUndefined();
                        const near = Array.from({ length: 40 }, () => random.pick(separators)).flatMap(s => [s - 1, s, s + 1]);
                        for (const position of [...near, separators[0], MOST, random.next(), random.next()]) {
                            if (position < separators[0] || position > MOST)
                                continue;
                            const expected = separators.findLastIndex(separator => separator <= position);
                            expect(findEntry(arena, 0, position), `${position} in ${separators.length} entries`).toBe(expected);
                        }
                    }
                }
            }
        }));
    }
});
describe('a directory', () => {
    test('keeps its separators and children apart at every count', () => {
        for (const blockSize of [4096, 65536]) {
            const capacity = directoryCapacity(blockSize);
            const arena = directory(blockSize, Array.from({ length: capacity }, (_, i) => i * 3));
            for (let entry = 0; entry < capacity; entry++) {
                expect(separatorOf(arena, 0, entry)).toBe(entry * 3);
                expect(childOf(arena, 0, capacity, entry)).toBe(1000 + entry);
            }
            expect(childOffset(capacity, capacity - 1) + 4).toBeLessThanOrEqual(blockSize);
            expect(entryCount(arena, 0)).toBe(capacity);
            expect(directoryLevel(arena, 0)).toBe(3);
        }
    });
    test('without entries, with too many, or with separators that do not ascend (D1) is refused', () => {
        const arena = directory(4096, [0, 10, 20]);
        for (const count of [0, directoryCapacity(4096) + 1, 65535]) {
            arena.u16[AT_COUNT >>> 1] = count;
            expect(directoryProblem(arena, 0, 4096)).toMatch(/entries/);
        }
        arena.u16[AT_COUNT >>> 1] = 3;
        expect(directoryProblem(arena, 0, 4096)).toBeUndefined();
        for (const [entry, separator] of [
            [1, 20],
            [1, 0],
            [2, 10],
            [0, 11],
        ]) {
            const wrong = directory(4096, [0, 10, 20]);
            wrong.u32[separatorOffset(entry) >>> 2] = separator;
            expect(directoryProblem(wrong, 0, 4096), `separator ${entry} = ${separator}`).toMatch(/ascend/);
        }
    });
});
const directory = (blockSize, separators) => {
    const arena = new Arena(blockSize);
    const capacity = directoryCapacity(blockSize);
    formatDirectory(arena, 0, blockSize, 3);
    arena.u16[AT_COUNT >>> 1] = separators.length;
    separators.forEach((separator, entry) => {
        arena.u32[separatorOffset(entry) >>> 2] = separator;
        arena.u32[childOffset(capacity, entry) >>> 2] = 1000 + entry;
    });
    return arena;
};
//# sourceMappingURL=directory.test.js.map