import { describe, expect, test } from 'vitest';
import { LockConflictError } from '../../src/index.js';
import { withMemoryDatabase } from '../support/database.js';
import { expectCode, expectCodeAsync, thrownBy } from '../support/errors.js';
import { expectEqual, scan } from '../support/model.js';
describe('uncommitted changes', () => {
    test('are not seen from outside: updates, deletes, new records, and splits of buckets', () => withMemoryDatabase({}, ({ db }) => {
        for (let i = 0; i < 3000; i++)
            db.put(`key ${i}`, `committed ${i}`);
        const before = scan(db);
        const tx = db.begin();
        for (let i = 0; i < 3000; i += 3)
            tx.put(`key ${i}`, 'changed'.repeat(30));
        for (let i = 1; i < 3000; i += 3)
            tx.delete(`key ${i}`);
        for (let i = 0; i < 3000; i++)
            tx.put(`new ${i}`, 'x'.repeat(100));
        for (let i = 0; i < 3000; i++) {
            expect(db.get(`key ${i}`)).toBe(`committed ${i}`);
            expect(db.has(`new ${i}`)).toBe(false);
        }
        expect(db.getMany(['key 0', 'key 1', 'new 0'])).toEqual(['committed 0', 'committed 1', undefined]);
        tx.rollback();
        expectEqual(db, before);
    }));
    test('are not seen by a cursor of the database', () => withMemoryDatabase({}, ({ db }) => {
        for (let i = 0; i < 1000; i++)
            db.put(`key ${i}`, `committed ${i}`);
        const before = scan(db);
        const tx = db.begin();
        for (let i = 0; i < 1000; i += 2)
            tx.put(`key ${i}`, 'changed'.repeat(30));
        for (let i = 1; i < 1000; i += 4)
            tx.delete(`key ${i}`);
        for (let i = 0; i < 500; i++)
            tx.put(`new ${i}`, 'x'.repeat(100));
        expect(scan(db)).toEqual(before);
        tx.commit();
        expect(scan(db).size).toBe(1000 - 250 + 500);
    }));
    test('survive the eviction of their blocks, and so do the committed versions', () => withMemoryDatabase({ cacheBytes: 16 * 4096 }, ({ db }) => {
        for (let i = 0; i < 2000; i++)
            db.put(`key ${i}`, `committed ${i}`.repeat(10));
        const tx = db.begin();
        for (let i = 0; i < 2000; i++)
            tx.put(`key ${i}`, `changed ${i}`.repeat(10));
        for (let i = 0; i < 2000; i++) {
            expect(db.get(`key ${i}`)).toBe(`committed ${i}`.repeat(10));
            expect(tx.get(`key ${i}`)).toBe(`changed ${i}`.repeat(10));
        }
        tx.commit();
        for (let i = 0; i < 2000; i++)
            expect(db.get(`key ${i}`)).toBe(`changed ${i}`.repeat(10));
    }));
});
describe('a conflict', () => {
    test('of autocommit with an open transaction throws at once and changes nothing', () => withMemoryDatabase({}, async ({ db }) => {
        db.put('key', 'old');
        const tx = db.begin();
        tx.put('key', 'new');
        const { lockConflicts } = db.stats().transactions;
        const error = expectCode(() => db.put('key', 'mine'), 'XENON_LOCK_CONFLICT');
        expect(error).toBeInstanceOf(LockConflictError);
        expectCode(() => db.delete('key'), 'XENON_LOCK_CONFLICT');
        expectCode(() => db.batch([{ type: 'put', key: 'key', value: 'mine' }]), 'XENON_LOCK_CONFLICT');
        await expectCodeAsync(() => db.async.put('key', 'mine', { lockTimeout: 1 }), 'XENON_LOCK_CONFLICT');
        expectCode(() => db.transaction(other => other.put('key', 'mine')), 'XENON_LOCK_CONFLICT');
        expect(db.stats().transactions.lockConflicts).toBeGreaterThanOrEqual(lockConflicts + 5);
        expect(db.get('key')).toBe('old');
        expect(tx.get('key')).toBe('new');
        tx.put('key', 'newer');
        tx.commit();
        expect(db.get('key')).toBe('newer');
        db.put('key', 'mine');
        expect(db.get('key')).toBe('mine');
    }));
    test('of a batch leaves none of its operations behind', () => withMemoryDatabase({}, ({ db }) => {
        db.put('key', 'old');
        const before = scan(db);
        const tx = db.begin();
        tx.put('key', 'new');
        const operations = Array.from({ length: 300 }, (_, i) => ({
            type: 'put',
            key: i === 250 ? 'key' : `other ${i}`,
            value: 'x',
        }));
        expectCode(() => db.batch(operations), 'XENON_LOCK_CONFLICT');
        expect(scan(db)).toEqual(before);
        tx.rollback();
        expectEqual(db, before);
    }));
    test('of two transactions leaves both usable', () => withMemoryDatabase({}, ({ db }) => {
        db.put('key', 'old');
        const first = db.begin();
        const second = db.begin();
        first.put('key', 'first');
        const free = putWhereFree(second, 'second');
        const savepoint = second.savepoint();
        expectCode(() => second.put('key', 'second'), 'XENON_LOCK_CONFLICT');
        expectCode(() => second.delete('key'), 'XENON_LOCK_CONFLICT');
        expect(second.get(free)).toBe('second');
        second.rollbackTo(savepoint);
        expect(second.get(free)).toBe('second');
        expect(first.get('key')).toBe('first');
        first.commit();
        second.put('key', 'second');
        second.commit();
        expectEqual(db, new Map([
            ['key', 'second'],
            [free, 'second'],
        ]));
    }));
    test('ends when the other transaction is rolled back', () => withMemoryDatabase({}, ({ db }) => {
        const tx = db.begin();
        tx.put('key', 'tx');
        expectCode(() => db.put('key', 'mine'), 'XENON_LOCK_CONFLICT');
        tx.rollback();
        db.put('key', 'mine');
        expect(db.get('key')).toBe('mine');
    }));
    test('inside transaction(fn) with the database itself throws, and does not hang', () => withMemoryDatabase({}, ({ db }) => {
        db.transaction(tx => {
            tx.put('key', 'inside');
            expect(thrownBy(() => db.put('key', 'outside'))).toBeInstanceOf(LockConflictError);
        });
        expect(db.get('key')).toBe('inside');
    }));
});
describe('many open transactions', () => {
    test('commit and roll back in any order', () => withMemoryDatabase({}, ({ db, reopen }) => {
        for (let i = 0; i < 2000; i++)
            db.put(`key ${i}`, 'old');
        const expected = scan(db);
        const open = [];
        for (let i = 0; i < 30; i++) {
            const tx = db.begin();
            open.push({ tx, key: putWhereFree(tx, `by ${i}`, i) });
        }
        expect(db.stats().transactions.open).toBe(30);
        expect(scan(db)).toEqual(expected);
        for (let i = 0; i < 15; i++) {
            const winner = open[29 - 2 * i];
            winner.tx.commit();
            expected.set(winner.key, `by ${29 - 2 * i}`);
            expect(db.get(winner.key)).toBe(`by ${29 - 2 * i}`);
            open[2 * i].tx.rollback();
        }
        expectEqual(db, expected);
        expectEqual(reopen(), expected);
    }));
    test('a new record beside an open transaction is counted once both have ended', () => withMemoryDatabase({}, ({ db, reopen }) => {
        const tx = db.begin();
        tx.put('key', 'tx');
        let added = 0;
        for (let i = 0; i < 500; i++)
            if (tryPut(db, `other ${i}`, 'x'))
                added++;
        expect(added).toBeGreaterThan(100);
        tx.rollback();
        expect(db.stats().records).toBe(added);
        expect(reopen().stats().records).toBe(added);
    }));
});
function putWhereFree(tx, value, group = 0) {
    for (let i = 0; i < 500; i++) {
        const key = `free ${group} ${i}`;
        if (tryPut(tx, key, value))
            return key;
    }
    throw new Error('every block is locked');
}
function tryPut(target, key, value) {
    const error = thrownBy(() => target.put(key, value));
    if (error !== undefined && !(error instanceof LockConflictError))
        throw error;
    return error === undefined;
}
test('a delete from outside does not take what an open transaction has removed for gone', () => withMemoryDatabase({}, ({ db }) => {
    db.put('key', 'committed');
    const tx = db.begin();
    tx.delete('key');
    expectCode(() => db.delete('key'), 'XENON_LOCK_CONFLICT');
    tx.rollback();
    expect(db.get('key')).toBe('committed');
    expect(db.delete('key')).toBe(true);
}));
//# sourceMappingURL=isolation.test.js.map