import { describe, expect, test } from 'vitest';
import * as xenon from '../../src/index.js';
import { CorruptionError, DatabaseLockedError, InvalidArgumentError, LockConflictError } from '../../src/index.js';
import { withDatabase, withMemoryDatabase } from '../support/database.js';
import { expectCode, failureOf } from '../support/errors.js';
import { expectEqual, scan } from '../support/model.js';
describe('verify', () => {
    test('counts records and blocks, and shows its progress', () => withMemoryDatabase({}, async ({ db }) => {
        for (let i = 0; i < 5_000; i++)
            db.put(`key ${i}`, 'x'.repeat(100));
        db.put('large', 'x'.repeat(100_000));
        for (let i = 0; i < 1_000; i++)
            db.delete(`key ${i}`);
        const progress = [];
        const report = await db.verify({ onProgress: step => progress.push(step) });
        expect(report).toMatchObject({ ok: true, problems: [], problemCount: 0, records: 4001 });
        const { total, metadata, index, directory, overflow, large, tree, free } = report.blocks;
        expect(metadata + index + directory + overflow + large + tree + free).toBe(total);
        expect(index).toBe(101);
        expect(tree).toBeGreaterThan(10);
        expect(large).toBeGreaterThanOrEqual(24);
        expect(db.stats().blocks).toMatchObject({ total, free });
        expect(report.fill).toBeGreaterThan(0);
        expect(report.fill).toBeLessThanOrEqual(1);
        expect(report.fillHistogram).toHaveLength(10);
        expect(report.freeSlots).toBeGreaterThan(0);
        expect(report.maxDepth).toBeGreaterThanOrEqual(1);
        for (const { done, total: all } of progress)
            expect(done).toBeLessThanOrEqual(all);
        expect(progress.map(step => step.done)).toEqual(progress.map(step => step.done).sort((a, b) => a - b));
    }));
    test('of an empty database is fine', () => withMemoryDatabase({}, async ({ db }) => {
        expect(await db.verify()).toMatchObject({ ok: true, records: 0, problemCount: 0 });
    }));
    test('changes nothing', () => withMemoryDatabase({}, async ({ db }) => {
        for (let i = 0; i < 500; i++)
            db.put(`key ${i}`, `${i}`);
        const before = scan(db);
        await db.verify();
        await db.verify();
        expectEqual(db, before);
    }));
});
describe('close', () => {
    test('ends everything; closing twice is fine', () => withDatabase({}, async ({ db }) => {
        db.put('a', '1');
        const tx = db.begin();
        tx.put('b', '1');
        const cursor = db.cursor();
        expect(db.closed).toBe(false);
        db.close();
        expect(db.closed).toBe(true);
        db.close();
        expect(db.closed).toBe(true);
        const actions = [
            () => db.get('a'),
            () => db.getMany(['a']),
            () => db.has('a'),
            () => db.put('a', '2'),
            () => db.delete('a'),
            () => db.batch([]),
            () => db.reset(),
            () => db.next(),
            () => db.readCurrent(),
            () => db.cursor(),
            () => db.begin(),
            () => db.transaction(() => 1),
            () => db.stats(),
            () => cursor.next(),
        ];
        for (const action of actions)
            expectCode(action, 'XENON_CLOSED');
        const asyncActions = [
            () => db.async.put('a', '2'),
            () => db.async.delete('a'),
            () => db.async.batch([{ type: 'delete', key: 'a' }]),
            () => db.flush(),
            () => db.checkpoint(),
            () => db.verify(),
        ];
        for (const action of asyncActions)
            expect(await failureOf(action)).toMatchObject({ code: 'XENON_CLOSED' });
        for (const action of [() => tx.get('b'), () => tx.put('c', '1'), () => tx.commit(), () => tx.savepoint()]) {
            expectCode(action, 'XENON_CLOSED', 'XENON_TRANSACTION_ENDED');
        }
        tx[Symbol.dispose]();
    }));
    test('rolls open transactions back', () => withDatabase({ cacheBytes: 16 * 4096 }, ({ db, reopen }) => {
        for (let i = 0; i < 500; i++)
            db.put(`key ${i}`, `${i}`);
        const before = scan(db);
        const tx = db.begin();
        for (let i = 0; i < 500; i++)
            tx.put(`key ${i}`, 'changed'.repeat(50));
        for (let i = 0; i < 500; i++)
            tx.put(`new ${i}`, 'x'.repeat(200));
        db.begin();
        expectEqual(reopen(), before);
    }));
    test('Symbol.dispose closes', () => withDatabase({}, ({ db, reopen }) => {
        db.put('a', '1');
        db[Symbol.dispose]();
        expect(db.closed).toBe(true);
        db[Symbol.dispose]();
        expect(reopen().get('a')).toBe('1');
    }));
    test('leaves a process nothing to wait for, and no lock', () => withDatabase({}, async ({ db, reopen }) => {
        const verify = failureOf(() => db.verify());
        const checkpoint = failureOf(() => db.checkpoint());
        db.put('a', '1');
        db.close();
        for (const error of await Promise.all([verify, checkpoint])) {
            if (error !== undefined)
                expect(error).toMatchObject({ code: 'XENON_CLOSED' });
        }
        expect(reopen().get('a')).toBe('1');
    }));
});
describe('errors', () => {
    test('are XenonError with a stable code, and of their own class where a caller would ask', () => {
        const samples = [
            [new InvalidArgumentError('x'), 'XENON_INVALID_ARGUMENT'],
            [new DatabaseLockedError('x', 5), 'XENON_LOCKED'],
            [new LockConflictError('x'), 'XENON_LOCK_CONFLICT'],
            [new CorruptionError('data', 'x', 7), 'XENON_CORRUPT'],
            [new xenon.StorageError('x', new Error('cause')), 'XENON_IO'],
        ];
        for (const [error, code] of samples) {
            expect(error).toBeInstanceOf(xenon.XenonError);
            expect(error).toBeInstanceOf(Error);
            expect(error.code).toBe(code);
            expect(error.name).toBe(error.constructor.name);
        }
    });
});
//# sourceMappingURL=verify-and-close.test.js.map