import { describe, expect, test } from 'vitest';
import { expectVerified, withDatabase, withMemoryDatabase } from '../support/database.js';
import { seeded } from '../support/random.js';
describe('stats', () => {
    test('have their shape', () => withDatabase({ durability: 'process', blockSize: 8192 }, ({ db, directory }) => {
        for (let i = 0; i < 100; i++)
            db.put(`key ${i}`, 'x'.repeat(100));
        const stats = db.stats();
        expect(stats).toMatchObject({ blockSize: 8192, durability: 'process', records: 100 });
        expect(stats.directory).toContain(directory);
        expect(stats.uuid).toMatch(/^[0-9a-f-]{32,36}$/);
        expect(typeof stats.ordered).toBe('boolean');
        const numbers = ['dataBytes', 'dataBytesAllocated', 'logBytes', 'logBytesInUse', 'logSegments'];
        for (const name of [...numbers, 'fsyncs', 'checkpoints'])
            expectCount(stats[name], name);
        const groups = {
            blocks: ['total', 'free'],
            cache: [
                'frames',
                'framesUsed',
                'dirty',
                'bytes',
                'accesses',
                'hits',
                'misses',
                'evictions',
                'blockReads',
                'blockWrites',
            ],
            log: ['records', 'bytes', 'groups', 'fsyncs', 'images'],
            transactions: ['open', 'commits', 'rollbacks', 'lockConflicts'],
            index: ['splits', 'redistributions', 'merges', 'compactions', 'slotsReused', 'blocksReused'],
            recovery: ['recordsScanned', 'redone', 'transactionsRolledBack', 'tornTailBytes'],
        };
        for (const [group, names] of Object.entries(groups)) {
            const counters = stats[group];
            for (const name of names)
                expectCount(counters[name], `${group}.${name}`);
        }
        expect(stats.recovery.needed).toBe(false);
        expect(stats.blocks.total).toBeGreaterThanOrEqual(102);
        expect(stats.cache.hits + stats.cache.misses).toBe(stats.cache.accesses);
        expect(stats.cache.framesUsed).toBeLessThanOrEqual(stats.cache.frames);
        expect(stats.log.bytes).toBeGreaterThan(100 * 100);
        expect(stats.transactions.commits).toBe(100);
    }));
    test('are a snapshot', () => withMemoryDatabase({}, ({ db }) => {
        const before = db.stats();
        db.put('a', '1');
        expect(before.records).toBe(0);
        expect(before.transactions.commits).toBe(0);
        expect(db.stats().records).toBe(1);
        expect(db.stats().uuid).toBe(before.uuid);
    }));
    test('tell a clean close from a crash', () => withDatabase({}, ({ db, reopen }) => {
        db.put('a', '1');
        expect(reopen().stats().recovery.needed).toBe(false);
    }));
});
describe('a lookup in a database of 100,000 records', () => {
    test('touches at most 2 blocks, hit or miss', () => seeded(random => withMemoryDatabase({ durability: 'none' }, async ({ db }) => {
        for (let i = 0; i < 100_000; i += 1000) {
            db.batch(Array.from({ length: 1000 }, (_, j) => ({
                type: 'put',
                key: `key ${i + j}`,
                value: 'x'.repeat(100),
            })));
        }
        let most = 0;
        let sum = 0;
        for (let i = 0; i < 2000; i++) {
            const n = random.below(100_000);
            const before = db.stats().cache.accesses;
            if (i % 2 === 0)
                expect(db.get(`key ${n}`)).toHaveLength(100);
            else
                expect(db.get(`absent ${n}`)).toBeUndefined();
            const accesses = db.stats().cache.accesses - before;
            most = Math.max(most, accesses);
            sum += accesses;
        }
        expect(sum).toBeGreaterThanOrEqual(2000);
        expect(most).toBeLessThanOrEqual(2);
        const report = await expectVerified(db, 100_000);
        expect(report.maxDepth).toBeLessThanOrEqual(2);
        expect(report.fill).toBeGreaterThan(0.4);
    })));
    test('reads no block that is in the pool', () => withDatabase({ durability: 'none' }, ({ db }) => {
        for (let i = 0; i < 20_000; i++)
            db.put(`key ${i}`, 'x'.repeat(50));
        for (let i = 0; i < 20_000; i++)
            db.get(`key ${i}`);
        const before = db.stats().cache;
        for (let i = 0; i < 20_000; i++)
            db.get(`key ${i}`);
        const after = db.stats().cache;
        expect(after.misses).toBe(before.misses);
        expect(after.blockReads).toBe(before.blockReads);
        expect(after.hits - before.hits).toBeGreaterThanOrEqual(20_000);
    }));
});
describe('space of deleted records', () => {
    test('add 128, delete 128, add 128 others: the same number of blocks', () => withMemoryDatabase({}, ({ db }) => {
        addAll(db, 'first', 128);
        const { total } = db.stats().blocks;
        for (let i = 0; i < 128; i++)
            expect(db.delete(`first ${i}`)).toBe(true);
        addAll(db, 'other', 128);
        expect(db.stats().blocks.total).toBe(total);
        expect(db.stats().records).toBe(128);
    }));
    test('a deleted slot is taken by a later put', () => withMemoryDatabase({}, ({ db }) => {
        addAll(db, 'first', 2000);
        const { slotsReused } = db.stats().index;
        for (let i = 0; i < 2000; i += 2)
            db.delete(`first ${i}`);
        addAll(db, 'other', 1000);
        expect(db.stats().index.slotsReused - slotsReused).toBeGreaterThan(500);
    }));
    test('the same with 20,000, four rounds', () => withMemoryDatabase({ durability: 'none' }, ({ db }) => {
        addAll(db, 'round 0', 20_000);
        const { total } = db.stats().blocks;
        for (let round = 1; round <= 4; round++) {
            for (let i = 0; i < 20_000; i++)
                db.delete(`round ${round - 1} ${i}`);
            addAll(db, `round ${round}`, 20_000);
            expect(db.stats().blocks.total).toBeLessThanOrEqual(total * 1.05);
        }
    }));
    test('half of the records deleted and put again, four rounds: the file does not grow', () => seeded(random => withMemoryDatabase({ durability: 'none' }, ({ db }) => {
        addAll(db, 'key', 20_000);
        const { total } = db.stats().blocks;
        for (let round = 0; round < 4; round++) {
            const half = random.shuffle(Array.from({ length: 20_000 }, (_, i) => i)).slice(0, 10_000);
            for (const i of half)
                expect(db.delete(`key ${i}`)).toBe(true);
            for (const i of random.shuffle(half))
                db.put(`key ${i}`, 'x'.repeat(100));
            expect(db.stats().blocks.total).toBeLessThanOrEqual(total * 1.05);
        }
    })));
    test('buckets that shrink give their blocks back', () => withMemoryDatabase({ durability: 'none' }, async ({ db }) => {
        addAll(db, 'key', 30_000);
        const loaded = db.stats().blocks;
        for (let i = 0; i < 30_000; i++)
            db.delete(`key ${i}`);
        const { blocks } = db.stats();
        expect(blocks.total - blocks.free).toBeLessThan((loaded.total - loaded.free) / 3);
        const report = await expectVerified(db, 0);
        expect(report.blocks.free).toBe(blocks.free);
        addAll(db, 'other', 30_000);
        expect(db.stats().blocks.total).toBeLessThanOrEqual(loaded.total * 1.05);
        expect(db.stats().index.blocksReused).toBeGreaterThan(100);
    }));
    test('holes of other sizes than the records that come: blocks are compacted', () => seeded(random => withMemoryDatabase({ durability: 'none' }, ({ db }) => {
        const put = (i) => db.put(`key ${i}`, 'x'.repeat(random.between(20, 600)));
        for (let i = 0; i < 5_000; i++)
            put(i);
        const { total } = db.stats().blocks;
        for (let i = 0; i < 60_000; i++)
            put(random.below(5_000));
        expect(db.stats().blocks.total).toBeLessThanOrEqual(total * 1.4);
        expect(db.stats().index.compactions).toBeGreaterThan(100);
    })));
});
describe('checkpoints', () => {
    test('come by themselves, and the log stays short and its segments are used again', () => withDatabase({ durability: 'process', checkpointBytes: 256 * 1024, logSegmentBytes: 128 * 1024 }, async ({ db, image, reopen }) => {
        for (let i = 0; i < 20_000; i++)
            db.put(`key ${i % 1000}`, `${i} `.repeat(60));
        const { checkpoints, logBytes, log } = db.stats();
        expect(log.bytes).toBeGreaterThan(6_000_000);
        expect(checkpoints).toBeGreaterThan(5);
        expect(logBytes).toBeLessThan(4 << 20);
        const names = [...image().keys()].filter(name => name.startsWith('log/'));
        expect(names.length).toBeLessThanOrEqual(32);
        expect(reopen().get('key 999')).toBe('19999 '.repeat(60));
    }));
    test('checkpoint() writes all dirty blocks and cuts the log', () => withDatabase({ durability: 'process', logSegmentBytes: 128 * 1024 }, async ({ db }) => {
        for (let i = 0; i < 5_000; i++)
            db.put(`key ${i}`, 'x'.repeat(200));
        const before = db.stats();
        expect(before.logBytesInUse).toBeGreaterThan(1_000_000);
        expect(await db.checkpoint()).toBeUndefined();
        const after = db.stats();
        expect(after.checkpoints).toBeGreaterThan(before.checkpoints);
        expect(after.logBytesInUse).toBeLessThan(before.logBytesInUse / 2);
        expect(after.fsyncs).toBeGreaterThan(before.fsyncs);
        await Promise.all([db.checkpoint(), db.checkpoint()]);
        expect(db.get('key 77')).toHaveLength(200);
    }));
    test('writes go on while one runs', () => withDatabase({ durability: 'process', logSegmentBytes: 128 * 1024 }, async ({ db, reopen }) => {
        for (let i = 0; i < 5_000; i++)
            db.put(`key ${i}`, 'x'.repeat(200));
        const checkpoint = db.checkpoint();
        for (let i = 0; i < 50; i++) {
            db.put(`key ${i}`, `changed ${i}`);
            await new Promise(setImmediate);
        }
        await checkpoint;
        const again = reopen();
        for (let i = 0; i < 50; i++)
            expect(again.get(`key ${i}`)).toBe(`changed ${i}`);
    }));
});
function addAll(db, prefix, count) {
    for (let i = 0; i < count; i++)
        db.put(`${prefix} ${i}`, 'x'.repeat(100));
}
function expectCount(value, name) {
    if (typeof value !== 'number' || !Number.isFinite(value) || value < 0)
        expect.fail(`${name} is ${value}`);
}
//# sourceMappingURL=stats.test.js.map