import { describe, expect, test } from 'vitest';
import { XenonError } from '../../src/index.js';
import { withDatabase, withMemoryDatabase } from '../support/database.js';
import { expectCode, expectCodeAsync, expectTyped, thrownBy, wrong } from '../support/errors.js';
import { expectEqual, scan } from '../support/model.js';
describe('a transaction', () => {
    test('sees its own changes, others see them once it has committed', () => withMemoryDatabase({}, ({ db }) => {
        db.put('a', '1');
        db.put('b', '2');
        const tx = db.begin();
        tx.put('a', 'changed');
        tx.put('c', 'new');
        expect(tx.delete('b')).toBe(true);
        expect(tx.delete('b')).toBe(false);
        expect([tx.get('a'), tx.get('b'), tx.get('c'), tx.has('b'), tx.has('c')]).toEqual([
            'changed',
            undefined,
            'new',
            false,
            true,
        ]);
        tx.commit();
        expectEqual(db, new Map([
            ['a', 'changed'],
            ['c', 'new'],
        ]));
    }));
    test('that is rolled back leaves nothing behind, and the next one finds its blocks again', () => withMemoryDatabase({}, ({ db }) => {
        for (let i = 0; i < 1000; i++)
            db.put(`key ${i}`, `${i}`.repeat(20));
        const before = scan(db);
        for (let round = 0; round < 5; round++) {
            const tx = db.begin();
            for (let i = 0; i < 1000; i++)
                tx.delete(`key ${i}`);
            for (let i = 0; i < 2000; i++)
                tx.put(`other ${i}`, 'x'.repeat(200));
            tx.put('large', 'x'.repeat(100_000));
            tx.rollback();
            expectEqual(db, before);
        }
        const grown = db.stats().blocks.total;
        const tx = db.begin();
        for (let i = 0; i < 2000; i++)
            tx.put(`other ${i}`, 'x'.repeat(200));
        tx.rollback();
        expect(db.stats().blocks.total).toBeLessThanOrEqual(grown * 1.1);
    }));
    test('that changes nothing commits and rolls back', () => withMemoryDatabase({}, ({ db }) => {
        db.begin().commit();
        db.begin().rollback();
        expect(db.stats().transactions.open).toBe(0);
    }));
    test('counts as open until it ends', () => withMemoryDatabase({}, ({ db }) => {
        const before = db.stats().transactions;
        const tx = db.begin();
        expect(db.stats().transactions.open).toBe(before.open + 1);
        tx.put('a', '1');
        tx.commit();
        expect(db.stats().transactions.open).toBe(before.open);
        expect(db.stats().transactions.commits).toBe(before.commits + 1);
        const second = db.begin();
        second.put('b', '1');
        second.rollback();
        expect(db.stats().transactions.rollbacks).toBe(before.rollbacks + 1);
        expect(db.stats().records).toBe(1);
    }));
    test('counts records only once it has committed', () => withMemoryDatabase({}, ({ db, reopen }) => {
        db.put('a', '1');
        const tx = db.begin();
        tx.put('a', '2');
        tx.put('b', '1');
        tx.put('c', '1');
        tx.delete('a');
        tx.commit();
        expect(db.stats().records).toBe(2);
        expect(reopen().stats().records).toBe(2);
    }));
    for (const [ended, end] of [
        ['commit', (tx) => tx.commit()],
        ['rollback', (tx) => tx.rollback()],
    ]) {
        test(`is over after ${ended}`, () => withMemoryDatabase({}, async ({ db }) => {
            const tx = db.begin();
            tx.put('a', '1');
            const savepoint = tx.savepoint();
            end(tx);
            const actions = [
                () => tx.get('a'),
                () => tx.has('a'),
                () => tx.put('b', '1'),
                () => tx.delete('a'),
                () => tx.savepoint(),
                () => tx.rollbackTo(savepoint),
                () => tx.commit(),
                () => tx.rollback(),
            ];
            for (const action of actions)
                expectCode(action, 'XENON_TRANSACTION_ENDED');
            tx[Symbol.dispose]();
            expect(db.stats().records).toBe(ended === 'commit' ? 1 : 0);
            expect(db.stats().transactions.open).toBe(0);
        }));
    }
    test('is rolled back by Symbol.dispose when it is still open, and not when it has committed', () => withMemoryDatabase({}, ({ db }) => {
        const open = db.begin();
        open.put('a', '1');
        open[Symbol.dispose]();
        open[Symbol.dispose]();
        expect(db.get('a')).toBeUndefined();
        expectCode(() => open.get('a'), 'XENON_TRANSACTION_ENDED');
        const committed = db.begin();
        committed.put('a', '1');
        committed.commit();
        committed[Symbol.dispose]();
        expect(db.get('a')).toBe('1');
    }));
    test('the commit of an asynchronous one makes it visible at once and durable when it resolves', () => withDatabase({}, async ({ db, reopen }) => {
        const tx = await db.async.begin();
        await tx.put('a', '1');
        const promise = tx.commit();
        await expectCodeAsync(() => tx.put('b', '1'), 'XENON_TRANSACTION_ENDED');
        expect(db.get('a')).toBe('1');
        await promise;
        expect(reopen().get('a')).toBe('1');
    }));
    test('that is read-only refuses to write', () => withMemoryDatabase({}, ({ db }) => {
        db.put('a', '1');
        const tx = db.begin({ readOnly: true });
        expect(tx.get('a')).toBe('1');
        expectCode(() => tx.put('a', '2'), 'XENON_READ_ONLY');
        expectCode(() => tx.delete('a'), 'XENON_READ_ONLY');
        expect(tx.get('a')).toBe('1');
        tx.commit();
        expect(db.get('a')).toBe('1');
    }));
    test('options of the wrong type are refused', () => withMemoryDatabase({}, ({ db }) => {
        expectCode(() => db.begin(wrong({ readOnly: 'yes' })), 'XENON_INVALID_ARGUMENT');
        expectCode(() => db.begin(wrong(5)), 'XENON_INVALID_ARGUMENT');
        expect(db.stats().transactions.open).toBe(0);
    }));
    test('an operation that fails leaves it as it was', () => withMemoryDatabase({}, ({ db }) => {
        db.put('a', '1');
        const tx = db.begin();
        tx.put('a', '2');
        expectCode(() => tx.put('', 'x'), 'XENON_INVALID_ARGUMENT');
        expectCode(() => tx.put('a', wrong(5)), 'XENON_INVALID_ARGUMENT');
        expectCode(() => tx.put('a', '\ud800'), 'XENON_INVALID_ARGUMENT');
        expectCode(() => tx.delete(wrong(undefined)), 'XENON_INVALID_ARGUMENT');
        expect(tx.get('a')).toBe('2');
        tx.commit();
        expectEqual(db, new Map([['a', '2']]));
    }));
});
describe('savepoints', () => {
    test('undo what came after them, and can be used again', () => withMemoryDatabase({}, ({ db, reopen }) => {
        db.put('a', '0');
        const tx = db.begin();
        tx.put('a', '1');
        const first = tx.savepoint();
        tx.put('a', '2');
        tx.put('b', '2');
        const second = tx.savepoint();
        tx.delete('a');
        tx.put('c', 'x'.repeat(50_000));
        tx.rollbackTo(second);
        expect([tx.get('a'), tx.get('b'), tx.get('c')]).toEqual(['2', '2', undefined]);
        tx.delete('b');
        tx.rollbackTo(second);
        expect([tx.get('a'), tx.get('b')]).toEqual(['2', '2']);
        tx.rollbackTo(first);
        expect([tx.get('a'), tx.get('b')]).toEqual(['1', undefined]);
        tx.put('d', '3');
        tx.commit();
        expectEqual(db, new Map([
            ['a', '1'],
            ['d', '3'],
        ]));
        expectEqual(reopen(), new Map([
            ['a', '1'],
            ['d', '3'],
        ]));
    }));
    test('undo splits and merges of buckets', () => withMemoryDatabase({ cacheBytes: 16 * 4096 }, ({ db }) => {
        for (let i = 0; i < 3000; i++)
            db.put(`key ${i}`, 'x'.repeat(100));
        const before = scan(db);
        const tx = db.begin();
        tx.put('kept', 'yes');
        const savepoint = tx.savepoint();
        for (let i = 0; i < 3000; i++)
            tx.put(`new ${i}`, 'y'.repeat(150));
        tx.rollbackTo(savepoint);
        for (let i = 0; i < 3000; i++)
            expect(tx.delete(`key ${i}`)).toBe(true);
        tx.rollbackTo(savepoint);
        tx.commit();
        expectEqual(db, before.set('kept', 'yes'));
    }));
    test('that were undone, or belong to another transaction, are refused', () => withMemoryDatabase({}, ({ db }) => {
        const tx = db.begin();
        const first = tx.savepoint();
        tx.put('a', '1');
        const second = tx.savepoint();
        tx.rollbackTo(first);
        expectTyped(() => tx.rollbackTo(second));
        expectTyped(() => tx.rollbackTo(wrong({})));
        expectTyped(() => tx.rollbackTo(wrong(undefined)));
        tx.put('a', '2');
        const other = db.begin();
        expectTyped(() => other.rollbackTo(first));
        other.rollback();
        tx.commit();
        expect(db.get('a')).toBe('2');
    }));
});
describe('transaction(fn)', () => {
    test('commits and gives the result', () => withMemoryDatabase({}, ({ db }) => {
        const result = db.transaction(tx => {
            tx.put('a', '1');
            return tx.get('a');
        });
        expect(result).toBe('1');
        expect(db.get('a')).toBe('1');
        expect(db.transaction(() => undefined)).toBeUndefined();
    }));
    test('rolls back on a throw, and throws the same thing', () => withMemoryDatabase({}, ({ db }) => {
        db.put('a', '1');
        for (const thing of [new Error('no'), 'text', undefined, null]) {
            let caught = 'nothing';
            try {
                db.transaction(tx => {
                    tx.put('a', '2');
                    tx.put('b', '2');
                    throw thing;
                });
            }
            catch (error) {
                caught = error;
            }
            expect(caught).toBe(thing);
            expectEqual(db, new Map([['a', '1']]));
        }
        expect(db.stats().transactions.open).toBe(0);
    }));
    test('refuses a function that returns a promise, and rolls back', () => withMemoryDatabase({}, async ({ db }) => {
        db.put('a', '1');
        const functions = [
            async (tx) => tx.put('a', '2'),
            (tx) => {
                tx.put('a', '2');
                return Promise.resolve();
            },
            (tx) => {
                tx.put('a', '2');
                return { then: (done) => done() };
            },
        ];
        for (const fn of functions) {
            expectCode(() => db.transaction(wrong(fn)), 'XENON_INVALID_ARGUMENT');
            expect(db.get('a')).toBe('1');
            expect(db.stats().transactions.open).toBe(0);
        }
        await new Promise(setImmediate);
        expect(db.get('a')).toBe('1');
    }));
    test('what a function does later that returned a promise is refused, not committed', () => withMemoryDatabase({}, async ({ db }) => {
        let late;
        const fn = (tx) => {
            tx.put('a', '1');
            return Promise.resolve().then(() => {
                late = thrownBy(() => tx.put('b', '1'));
            });
        };
        expectCode(() => db.transaction(wrong(fn)), 'XENON_INVALID_ARGUMENT');
        await new Promise(setImmediate);
        expect(late).toMatchObject({ code: 'XENON_TRANSACTION_ENDED' });
        expect(db.stats().records).toBe(0);
    }));
    test('refuses what is no function', () => withMemoryDatabase({}, ({ db }) => {
        for (const fn of [undefined, null, 5, {}]) {
            expectCode(() => db.transaction(wrong(fn)), 'XENON_INVALID_ARGUMENT');
        }
        expect(db.stats().transactions.open).toBe(0);
    }));
    test('a refused write caught inside does not end it', () => withMemoryDatabase({}, ({ db }) => {
        db.transaction(tx => {
            tx.put('a', '1');
            expect(thrownBy(() => tx.put('', 'x'))).toBeInstanceOf(XenonError);
            tx.put('b', '1');
        });
        expect(db.stats().records).toBe(2);
    }));
});
//# sourceMappingURL=transaction.test.js.map