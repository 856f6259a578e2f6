import { describe, expect, test } from 'vitest';
import { withDatabase, withMemoryDatabase } from '../support/database.js';
import { expectCode, expectTyped } from '../support/errors.js';
import { scan } from '../support/model.js';
const walkers = {
    'the built-in cursor': db => db,
    'a cursor object': db => db.cursor(),
};
for (const [name, walkerOf] of Object.entries(walkers)) {
    describe(name, () => {
        test('gives every record once', () => withMemoryDatabase({}, ({ db }) => {
            const expected = new Map();
            for (let i = 0; i < 5000; i++)
                expected.set(`key ${i}`, i % 500 === 0 ? 'x'.repeat(20_000) : `${i}`);
            for (const [key, value] of expected)
                db.put(key, value);
            const walker = walkerOf(db);
            walker.reset();
            expect(collect(walker)).toEqual(expected);
        }));
        test('ends on an empty database, and stays at its end', () => withMemoryDatabase({}, ({ db }) => {
            const walker = walkerOf(db);
            walker.reset();
            expect(walker.next()).toBe(false);
            expect(walker.next()).toBe(false);
            db.put('a', '1');
            walker.reset();
            expect(walker.next()).toBe(true);
            expect(walker.next()).toBe(false);
            expect(walker.next()).toBe(false);
            walker.reset();
            expect(walker.next()).toBe(true);
            expect(walker.readCurrent()).toEqual({ key: 'a', value: '1' });
        }));
        test('begins before the first record without a reset', () => withMemoryDatabase({}, ({ db }) => {
            db.put('a', '1');
            const walker = walkerOf(db);
            expect(walker.next()).toBe(true);
            expect(walker.readCurrent()).toEqual({ key: 'a', value: '1' });
        }));
        test('has no current record before next, after a reset, and at its end', () => withMemoryDatabase({}, ({ db }) => {
            db.put('a', '1');
            const walker = walkerOf(db);
            expectTyped(() => walker.readCurrent());
            walker.next();
            walker.readCurrent();
            walker.reset();
            expectTyped(() => walker.readCurrent());
            while (walker.next())
                walker.readCurrent();
            expectTyped(() => walker.readCurrent());
        }));
        test('gives the same record as often as it is asked', () => withMemoryDatabase({}, ({ db }) => {
            for (let i = 0; i < 20; i++)
                db.put(`key ${i}`, `${i}`);
            const walker = walkerOf(db);
            walker.reset();
            while (walker.next())
                expect(walker.readCurrent()).toEqual(walker.readCurrent());
        }));
        test('skips deleted records', () => withMemoryDatabase({}, ({ db }) => {
            for (let i = 0; i < 1000; i++)
                db.put(`key ${i}`, `${i}`);
            for (let i = 0; i < 1000; i += 2)
                db.delete(`key ${i}`);
            const walker = walkerOf(db);
            walker.reset();
            const found = collect(walker);
            expect(found.size).toBe(500);
            expect([...found.values()].every(value => Number(value) % 2 === 1)).toBe(true);
        }));
        test('gives a current record that was changed since as it is now, or as it was, and no other', () => withMemoryDatabase({}, ({ db }) => {
            db.put('a', 'old');
            const walker = walkerOf(db);
            walker.reset();
            walker.next();
            db.put('a', 'new');
            expect(['old', 'new']).toContain(walker.readCurrent().value);
            expect(walker.next()).toBe(false);
        }));
        test('is closed with its database', () => withMemoryDatabase({}, ({ db }) => {
            db.put('a', '1');
            const walker = walkerOf(db);
            walker.next();
            db.close();
            expectCode(() => walker.next(), 'XENON_CLOSED');
            expectCode(() => walker.readCurrent(), 'XENON_CLOSED');
            expectCode(() => walker.reset(), 'XENON_CLOSED');
        }));
    });
}
describe('cursor objects', () => {
    test('walk independently of each other and of the built-in cursor', () => withMemoryDatabase({}, ({ db }) => {
        for (let i = 0; i < 300; i++)
            db.put(`key ${i}`, `${i}`);
        const all = scan(db);
        const first = db.cursor();
        const second = db.cursor();
        db.reset();
        const found = [new Map(), new Map(), new Map()];
        for (let i = 0; i < 300; i++) {
            for (const [j, walker] of [first, second, db].entries()) {
                if (j === 1 && i % 2 === 0)
                    continue;
                expect(walker.next()).toBe(true);
                const { key, value } = walker.readCurrent();
                found[j].set(key, value);
            }
        }
        expect(first.next()).toBe(false);
        expect(db.next()).toBe(false);
        expect(found[0]).toEqual(all);
        expect(found[2]).toEqual(all);
        expect(new Map([...found[1], ...collect(second)])).toEqual(all);
        expect(found[1].size).toBe(150);
    }));
    test('that were closed are over; closing twice is fine', () => withMemoryDatabase({}, ({ db }) => {
        db.put('a', '1');
        const cursor = db.cursor();
        cursor.next();
        cursor.close();
        cursor.close();
        expectTyped(() => cursor.next());
        expectTyped(() => cursor.readCurrent());
        db.reset();
        expect(db.next()).toBe(true);
    }));
    test('that are forgotten do no harm', () => withMemoryDatabase({}, ({ db, reopen }) => {
        for (let i = 0; i < 200; i++)
            db.put(`key ${i}`, `${i}`);
        for (let i = 0; i < 1000; i++)
            db.cursor().next();
        for (let i = 0; i < 200; i++)
            db.put(`key ${i}`, 'changed');
        expect(reopen().stats().records).toBe(200);
    }));
});
test('the built-in cursor reads a database larger than its pool from the disk', () => withDatabase({ cacheBytes: 16 * 4096, durability: 'none' }, ({ db, reopen }) => {
    const expected = new Map();
    for (let i = 0; i < 4000; i++)
        expected.set(`key ${i}`, `${i}`.repeat(50));
    db.batch([...expected].map(([key, value]) => ({ type: 'put', key, value })));
    const again = reopen();
    const { blockReads } = again.stats().cache;
    again.reset();
    expect(collect(again)).toEqual(expected);
    const { cache, blocks } = again.stats();
    expect(cache.blockReads - blockReads).toBeGreaterThan(100);
    expect(cache.blockReads - blockReads).toBeLessThan(3 * blocks.total);
}));
function collect(walker) {
    const found = new Map();
    while (walker.next()) {
        const { key, value } = walker.readCurrent();
        if (found.has(key))
            expect.fail(`${key} came twice`);
        found.set(key, value);
    }
    return found;
}
//# sourceMappingURL=cursor.test.js.map