import { describe, expect, test } from 'vitest';
import { withMemoryDatabase } from '../support/database.js';
import { seeded } from '../support/random.js';
const STAYING = 2_000;
describe('a record that stays is seen exactly once', () => {
    test('while 50,000 others are added and buckets split', () => withMemoryDatabase({}, ({ db }) => {
        putStaying(db);
        const { splits } = db.stats().index;
        const counts = new Counts();
        let added = 0;
        walk(db.cursor(), counts, () => {
            for (let i = 0; i < 60 && added < 50_000; i++)
                db.put(`added ${added++}`, 'x'.repeat(60));
        });
        expect(added).toBe(50_000);
        expect(db.stats().index.splits).toBeGreaterThan(splits + 100);
        counts.expectStayingOnce();
        counts.expectNoneTwice();
    }));
    test('while 50,000 others are deleted and buckets merge', () => withMemoryDatabase({}, ({ db }) => {
        putStaying(db);
        for (let i = 0; i < 50_000; i++)
            db.put(`leaving ${i}`, 'x'.repeat(60));
        const { free } = db.stats().blocks;
        const counts = new Counts();
        let left = 0;
        walk(db.cursor(), counts, () => {
            for (let i = 0; i < 60 && left < 50_000; i++)
                expect(db.delete(`leaving ${left++}`)).toBe(true);
        });
        expect(left).toBe(50_000);
        expect(db.stats().blocks.free).toBeGreaterThan(free);
        counts.expectStayingOnce();
        counts.expectNoneTwice();
    }));
    test('while its own value grows, shrinks, and becomes a large one', () => seeded(random => withMemoryDatabase({}, ({ db }) => {
        putStaying(db);
        const counts = new Counts();
        walk(db.cursor(), counts, () => {
            for (let i = 0; i < 10; i++) {
                const length = random.chance(0.05) ? 9_000 : random.below(400);
                db.put(`staying ${random.below(STAYING)}`, 'y'.repeat(length));
            }
        });
        counts.expectStayingOnce();
    })));
    test('while others come and go at random, in batches and transactions, committed and rolled back', () => seeded(random => withMemoryDatabase({ cacheBytes: 64 * 4096 }, ({ db }) => {
        putStaying(db);
        for (let i = 0; i < 10_000; i += 2)
            db.put(`other ${i}`, 'x'.repeat(random.below(200)));
        const counts = new Counts();
        walk(db.cursor(), counts, () => disturb(db, random));
        counts.expectStayingOnce();
    })));
    test('by two cursors and the built-in one, at different speeds', () => seeded(random => withMemoryDatabase({}, ({ db }) => {
        putStaying(db);
        const walkers = [db.cursor(), db.cursor(), db];
        const counts = walkers.map(() => new Counts());
        const ended = walkers.map(() => false);
        db.reset();
        while (ended.includes(false)) {
            for (const [i, walker] of walkers.entries()) {
                for (let step = 0; step <= i && !ended[i]; step++) {
                    if (walker.next())
                        counts[i].add(walker.readCurrent().key);
                    else
                        ended[i] = true;
                }
            }
            disturb(db, random);
        }
        for (const count of counts)
            count.expectStayingOnce();
    })));
    test('in blocks of 64 KiB, and by way of chains of large values', () => seeded(random => withMemoryDatabase({ blockSize: 65536 }, ({ db }) => {
        putStaying(db);
        for (let i = 0; i < 40; i++)
            db.put(`large ${i}`, 'L'.repeat(random.below(200_000)));
        const counts = new Counts();
        let added = 0;
        walk(db.cursor(), counts, () => {
            if (random.chance(0.2))
                db.put(`large ${random.below(40)}`, 'L'.repeat(random.below(200_000)));
            if (random.chance(0.2))
                db.delete(`large ${random.below(40)}`);
            for (let i = 0; i < 5 && added < 5_000; i++)
                db.put(`added ${added++}`, 'x'.repeat(3000));
        });
        expect(added).toBe(5_000);
        counts.expectStayingOnce();
    })));
});
test('deleting each record as it is read empties the database', () => withMemoryDatabase({}, ({ db }) => {
    for (let i = 0; i < 20_000; i++)
        db.put(`key ${i}`, 'x'.repeat(80));
    let count = 0;
    db.reset();
    while (db.next()) {
        expect(db.delete(db.readCurrent().key)).toBe(true);
        count++;
    }
    expect(count).toBe(20_000);
    expect(db.stats().records).toBe(0);
}));
test('updating each record as it is read ends, and changes each once', () => withMemoryDatabase({}, ({ db }) => {
    for (let i = 0; i < 5_000; i++)
        db.put(`key ${i}`, '1');
    let count = 0;
    db.reset();
    while (db.next()) {
        const { key, value } = db.readCurrent();
        db.put(key, `${value}${'1'.repeat(150)}`);
        if (++count > 5_000)
            expect.fail('the cursor runs after its own changes');
    }
    expect(count).toBe(5_000);
    for (let i = 0; i < 5_000; i++)
        expect(db.get(`key ${i}`)).toHaveLength(151);
}));
class Counts {
    #counts = new Map();
    add(key) {
        this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    }
    expectStayingOnce() {
        for (let i = 0; i < STAYING; i++) {
            const times = this.#counts.get(`staying ${i}`) ?? 0;
            if (times !== 1)
                expect.fail(`staying ${i} was seen ${times} times`);
        }
    }
    expectNoneTwice() {
        for (const [key, times] of this.#counts)
            if (times > 1)
                expect.fail(`${key} was seen ${times} times`);
    }
}
function putStaying(db) {
    for (let i = 0; i < STAYING; i++)
        db.put(`staying ${i}`, `${i} `.repeat(10));
}
function walk(cursor, counts, between) {
    cursor.reset();
    let steps = 0;
    while (cursor.next()) {
        const { key, value } = cursor.readCurrent();
        expect(typeof value).toBe('string');
        counts.add(key);
        between();
        if (++steps > 200_000)
            expect.fail('the cursor does not end');
    }
    cursor.close();
}
function disturb(db, random) {
    const operations = Array.from({ length: random.chance(0.02) ? 400 : random.below(6) }, () => {
        const key = `other ${random.below(10_000)}`;
        return random.chance(0.5)
            ? { type: 'put', key, value: 'x'.repeat(random.below(300)) }
            : { type: 'delete', key };
    });
    if (random.chance(0.5)) {
        db.batch(operations);
        return;
    }
    const tx = db.begin();
    for (const operation of operations) {
        if (operation.type === 'put')
            tx.put(operation.key, operation.value);
        else
            tx.delete(operation.key);
    }
    if (random.chance(0.5))
        tx.commit();
    else
        tx.rollback();
}
//# sourceMappingURL=cursor-mutation.test.js.map