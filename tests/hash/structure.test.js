import { describe, expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { expectVerified, withMemoryDatabase } from '../support/database.js';
import { storageOf } from '../support/image.js';
import { expectEqual } from '../support/model.js';
import { runs, seeded } from '../support/random.js';
import { hashOf, keysOfRoot, withBentHash } from './keys.js';
const ROOT = 42;
const FIXED_BLOCKS = 104;
describe('an index block', () => {
    test('grows a directory of two levels, and shrinks back to a bucket', { timeout: 60_000 }, () => seeded(async (random) => {
        await withMemoryDatabase({ durability: 'process', checkpointBytes: 2 ** 21 }, async (subject) => {
            const keys = keysOfRoot(hashOf(subject), ROOT, 15_000, random);
            const records = new Map();
            let depth = 1;
            for (const key of keys) {
                put(subject, records, key, `${key}:`.repeat(7).slice(0, 100));
                if (records.size % 3000 !== 0)
                    continue;
                const report = await expectVerified(subject.db, records.size);
                expect(report.maxDepth).toBe(report.blocks.directory > 0 ? 3 : 2);
                const buckets = report.blocks.overflow;
                expect((report.fill * (buckets + 100)) / buckets).toBeGreaterThan(0.6);
                depth = report.maxDepth;
            }
            expect(depth).toBe(3);
            expectEqual(subject.db, records);
            await expectRecovered(subject, records);
            subject.reopen();
            expectEqual(subject.db, records);
            let left = records.size;
            for (const key of random.shuffle(keys)) {
                expect(subject.db.delete(key)).toBe(true);
                records.delete(key);
                if (--left % 2500 !== 0 && left !== 100)
                    continue;
                await expectVerified(subject.db, left);
                await expectRecovered(subject, records);
            }
            await expectEmpty(subject);
        });
    }));
    test('grows and shrinks with keys in the order of their hashes, and against it', () => seeded(async (random) => {
        for (const direction of [1, -1]) {
            await withMemoryDatabase({ durability: 'none' }, async (subject) => {
                const hash = hashOf(subject);
                const position = new Map();
                for (const key of keysOfRoot(hash, ROOT, 6000, random)) {
                    hash.of(Buffer.from(key), 0, key.length);
                    position.set(key, hash.position * direction);
                }
                const ordered = [...position].sort((a, b) => a[1] - b[1]).map(([key]) => key);
                const records = new Map();
                for (const key of ordered)
                    put(subject, records, key, 'v'.repeat(300));
                expectEqual(subject.db, records);
                expect((await expectVerified(subject.db, 6000)).maxDepth).toBe(3);
                for (const key of direction > 0 ? ordered : ordered.reverse())
                    subject.db.delete(key);
                await expectEmpty(subject);
            });
        }
    }));
    for (const blockSize of [4096, 65536]) {
        test(`holds records of all sizes in blocks of ${blockSize} bytes, in a pool of 16 frames`, () => seeded(async (random) => {
            const options = { blockSize, cacheBytes: 1, durability: 'process', checkpointBytes: 2 ** 20 };
            await withMemoryDatabase(options, async (subject) => {
                const keys = keysOfRoot(hashOf(subject), ROOT, 700, random, () => random.chance(0.1) ? random.between(900, 1024) : random.between(8, 60));
                const records = new Map();
                for (let step = 0; step < 4000 * runs; step++) {
                    change(subject, records, random, random.pick(keys), step % 2000 < 1200 ? 0.25 : 0.75);
                    if (step % 1000 !== 999)
                        continue;
                    await expectVerified(subject.db, records.size);
                    await expectRecovered(subject, records);
                }
                expect(subject.db.stats().cache.frames).toBe(16);
                expectEqual(subject.db, records);
                for (const key of random.shuffle([...records.keys()]))
                    subject.db.delete(key);
                await expectEmpty(subject);
            });
        }));
    }
});
describe('keys of equal hash positions', () => {
    test('share an overflow chain, along which records move when they grow', () => seeded(random => withBentHash(ROOT, () => 0x9000_0000, () => withMemoryDatabase({ durability: 'process', cacheBytes: 1 }, async (subject) => {
        const records = new Map();
        const keys = Array.from({ length: 300 }, (_, i) => `key ${i}`);
        for (const key of keys)
            put(subject, records, key, 'a'.repeat(random.below(120)));
        const chain = (await expectVerified(subject.db, 300)).maxDepth;
        expect(chain).toBeGreaterThan(3);
        for (const key of random.shuffle(keys))
            put(subject, records, key, 'b'.repeat(random.between(600, 1200)));
        expectEqual(subject.db, records);
        expect((await expectVerified(subject.db, 300)).maxDepth).toBeGreaterThan(3 * chain);
        await expectRecovered(subject, records);
        subject.reopen();
        expectEqual(subject.db, records);
        for (const key of random.shuffle(keys))
            put(subject, records, key, 'c'.repeat(random.below(10)));
        expectEqual(subject.db, records);
        for (const key of random.shuffle(keys))
            expect(subject.db.delete(key)).toBe(true);
        await expectEmpty(subject);
    }))));
    test('grow a chain of their own among the buckets of other positions', () => seeded(random => withBentHash(ROOT, position => (position & 0x100 ? 3 : position & 7) * 0x2000_0000, () => withMemoryDatabase({ durability: 'process' }, async (subject) => {
        const hash = hashOf(subject);
        const isCommon = (key) => {
            hash.of(Buffer.from(key), 0, key.length);
            return hash.position === 3 * 0x2000_0000;
        };
        const keys = Array.from({ length: 400 }, (_, i) => `key ${i}`);
        const records = new Map();
        for (const key of keys.filter(key => !isCommon(key)))
            put(subject, records, key, 'x'.repeat(random.below(200)));
        const { splits } = subject.db.stats().index;
        expect(splits).toBeGreaterThan(0);
        const before = await expectVerified(subject.db);
        for (const key of keys.filter(isCommon))
            put(subject, records, key, 'x'.repeat(random.below(300)));
        const { maxDepth, blocks } = await expectVerified(subject.db, 400);
        expect(maxDepth).toBeGreaterThan(before.maxDepth + 3);
        expect(blocks.directory).toBe(0);
        expectEqual(subject.db, records);
        await expectRecovered(subject, records);
        for (const key of random.shuffle(keys)) {
            subject.db.delete(key);
            records.delete(key);
            if (records.size % 80 === 0)
                expectEqual(subject.db, records);
        }
        await expectNearlyEmpty(subject);
    }))));
    for (const [name, mask] of [
        ['one group', 0],
        ['two groups', 0x8000_0000],
        ['sixteen groups', 0xf000_0000],
        ['sixteen groups next to each other', 0x0000_000f],
    ]) {
        test(`survive changes, rollbacks and crashes in random order: ${name}`, () => seeded(random => withBentHash(ROOT, position => (position & mask) >>> 0, () => withMemoryDatabase({ durability: 'process', cacheBytes: 1, checkpointBytes: 2 ** 19 }, async (subject) => {
            const keys = Array.from({ length: 150 }, (_, i) => `${i}`.padEnd(random.between(3, 40), '.'));
            const records = new Map();
            for (let step = 0; step < 1200 * runs; step++) {
                if (random.chance(0.03))
                    rolledBack(subject, random, keys);
                else
                    change(subject, records, random, random.pick(keys), step % 600 < 400 ? 0.25 : 0.8);
                if (step % 300 !== 299)
                    continue;
                expectEqual(subject.db, records);
                await expectVerified(subject.db, records.size);
                await expectRecovered(subject, records);
                if (random.chance(0.5))
                    subject.reopen();
            }
            for (const key of random.shuffle([...records.keys()]))
                subject.db.delete(key);
            await expectNearlyEmpty(subject);
        }))));
    }
});
const put = (subject, records, key, value) => {
    subject.db.put(key, value);
    records.set(key, value);
};
const change = (subject, records, random, key, deletions) => {
    if (random.chance(deletions)) {
        expect(subject.db.delete(key)).toBe(records.delete(key));
        return;
    }
    const length = random.chance(0.02) ? random.between(1300, 9000) : random.below(random.pick([10, 100, 1300]));
    put(subject, records, key, String.fromCharCode(random.between(97, 122)).repeat(length));
};
const rolledBack = (subject, random, keys) => {
    const tx = subject.db.begin();
    const someChanges = () => {
        for (let i = random.between(1, 30); i > 0; i--) {
            if (random.chance(0.5))
                tx.delete(random.pick(keys));
            else
                tx.put(random.pick(keys), 'r'.repeat(random.below(1300)));
        }
    };
    someChanges();
    const savepoint = tx.savepoint();
    someChanges();
    tx.rollbackTo(savepoint);
    someChanges();
    tx.rollback();
};
const expectRecovered = async (subject, records) => {
    const { cacheBytes } = subject.options;
    const storage = storageOf(subject.image());
    const db = open('db', { storage, ...(cacheBytes === undefined ? {} : { cacheBytes }) });
    await expectVerified(db, records.size);
    expectEqual(db, records);
    db.close();
};
const expectEmpty = async (subject) => {
    const { blocks, maxDepth } = await expectVerified(subject.db, 0);
    expect({ directory: blocks.directory, overflow: blocks.overflow, large: blocks.large }).toEqual({
        directory: 0,
        overflow: 0,
        large: 0,
    });
    expect(maxDepth).toBe(1);
    expect(blocks.free).toBe(blocks.total - FIXED_BLOCKS);
    expect(subject.db.stats().blocks.free).toBe(blocks.free);
    expect(blocks.free).toBeGreaterThan(0);
};
const expectNearlyEmpty = async (subject) => {
    const { blocks } = await expectVerified(subject.db, 0);
    expect(blocks.large).toBe(0);
    expect(blocks.overflow).toBeLessThanOrEqual(4);
    expect(blocks.free).toBe(blocks.total - FIXED_BLOCKS - blocks.overflow);
};
//# sourceMappingURL=structure.test.js.map