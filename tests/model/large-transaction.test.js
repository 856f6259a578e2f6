import { describe, expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { closeQuietly, expectVerified, withDatabase } from '../support/database.js';
import { storageOf } from '../support/image.js';
import { expectEqual } from '../support/model.js';
const RECORDS = 4_000;
const small = {
    cacheBytes: 16 * 4096,
    blockSize: 4096,
    checkpointBytes: 256 * 1024,
    logSegmentBytes: 128 * 1024,
    durability: 'process',
};
describe('a transaction larger than the pool and than a log segment', () => {
    test('commits as a whole (T2)', () => withDatabase(small, async (subject) => {
        const before = load(subject.db);
        const after = new Map(before);
        const tx = subject.db.begin();
        changeAll(tx, after);
        expectEqualInside(tx, after);
        expectEqual(subject.db, before);
        await expectCrashGives(subject, before);
        tx.commit();
        expectEqual(subject.db, after);
        await expectVerified(subject.db, after.size);
        await expectCrashGives(subject, after);
        expectEqual(subject.reopen(), after);
    }));
    test('is rolled back as a whole', () => withDatabase(small, async (subject) => {
        const before = load(subject.db);
        const tx = subject.db.begin();
        const view = new Map(before);
        changeAll(tx, view);
        expectEqualInside(tx, view);
        tx.rollback();
        expectEqual(subject.db, before);
        await expectVerified(subject.db, before.size);
        await expectCrashGives(subject, before);
        expectEqual(subject.reopen(), before);
    }));
    test('is rolled back to a savepoint in its middle', () => withDatabase(small, async (subject) => {
        const expected = load(subject.db);
        const tx = subject.db.begin();
        tx.put('first', 'kept');
        expected.set('first', 'kept');
        const savepoint = tx.savepoint();
        changeAll(tx, new Map(expected));
        tx.rollbackTo(savepoint);
        expectEqualInside(tx, expected);
        tx.put('last', 'kept too');
        expected.set('last', 'kept too');
        tx.commit();
        expectEqual(subject.db, expected);
        expectEqual(subject.reopen(), expected);
    }));
    test('is rolled back when the database is closed under it', () => withDatabase(small, subject => {
        const before = load(subject.db);
        changeAll(subject.db.begin(), new Map(before));
        expectEqual(subject.reopen(), before);
    }));
    test('keeps its log until it ends, then the log is cut and its segments are used again', () => withDatabase(small, async ({ db }) => {
        load(db);
        const tx = db.begin();
        for (let i = 0; i < 5_000; i++)
            tx.put(`big ${i}`, 'x'.repeat(300));
        expect(db.stats().logBytesInUse).toBeGreaterThan(1_500_000);
        tx.commit();
        await db.checkpoint();
        await db.checkpoint();
        expect(db.stats().logBytesInUse).toBeLessThan(600_000);
        const { log, logBytes } = db.stats();
        for (let i = 0; i < 5_000; i++)
            db.put(`big ${i}`, 'y'.repeat(300));
        expect(db.stats().log.bytes - log.bytes).toBeGreaterThan(1_500_000);
        expect(db.stats().logBytes).toBeLessThanOrEqual(Math.max(logBytes, 2_000_000));
    }));
    test('a single batch of that size is atomic too', () => withDatabase(small, async (subject) => {
        const expected = load(subject.db);
        const operations = Array.from({ length: RECORDS }, (_, i) => ({
            type: 'put',
            key: `batch ${i}`,
            value: `${i}`.repeat(40),
        }));
        subject.db.batch(operations);
        for (const { key, value } of operations)
            expected.set(key, value);
        expectEqual(subject.db, expected);
        await expectCrashGives(subject, expected);
    }));
});
function load(db) {
    const records = new Map();
    for (let i = 0; i < RECORDS; i++)
        records.set(`record ${i}`, `${i} `.repeat(20));
    db.batch([...records].map(([key, value]) => ({ type: 'put', key, value })));
    return records;
}
function changeAll(tx, view) {
    const put = (key, value) => {
        tx.put(key, value);
        view.set(key, value);
    };
    for (let i = 0; i < RECORDS; i++) {
        if (i % 3 === 0)
            put(`record ${i}`, `changed ${i} `.repeat(20));
        else if (i % 3 === 1)
            expect(tx.delete(`record ${i}`)).toBe(view.delete(`record ${i}`));
        else
            put(`new ${i}`, `new ${i} `.repeat(20));
    }
    put('large', 'L'.repeat(200_000));
}
function expectEqualInside(tx, view) {
    for (const [key, value] of view)
        if (tx.get(key) !== value)
            expect(tx.get(key), key).toBe(value);
    for (let i = 0; i < RECORDS; i++) {
        const key = `record ${i}`;
        if (tx.get(key) !== view.get(key))
            expect(tx.get(key), key).toBe(view.get(key));
    }
}
async function expectCrashGives(subject, expected) {
    const copy = open('db', { ...subject.options, storage: storageOf(subject.image()) });
    try {
        expectEqual(copy, expected);
        await expectVerified(copy, expected.size);
    }
    finally {
        closeQuietly(copy);
    }
}
//# sourceMappingURL=large-transaction.test.js.map