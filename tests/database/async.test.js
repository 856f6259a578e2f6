import { describe, expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { withDatabase, withMemoryDatabase } from '../support/database.js';
import { failureOf } from '../support/errors.js';
import { storageOf } from '../support/image.js';
import { expectEqual, scan } from '../support/model.js';
describe('put, delete and batch of the asynchronous face', () => {
    test('are visible at once', () => withDatabase({}, async ({ db }) => {
        const put = db.async.put('a', '1');
        expect(db.get('a')).toBe('1');
        expect(db.stats().records).toBe(1);
        const batch = db.async.batch([
            { type: 'put', key: 'b', value: '2' },
            { type: 'delete', key: 'a' },
        ]);
        expect([db.get('a'), db.get('b')]).toEqual([undefined, '2']);
        const there = db.async.delete('b');
        const absent = db.async.delete('b');
        expect(db.get('b')).toBeUndefined();
        expect(await put).toBeUndefined();
        expect(await batch).toBeUndefined();
        expect(await there).toBe(true);
        expect(await absent).toBe(false);
    }));
    for (const durability of ['power', 'process']) {
        test(`survive a crash once they have resolved, with durability ${durability}`, () => withDatabase({ durability }, async ({ db, image, options }) => {
            for (let round = 0; round < 10; round++) {
                await Promise.all([
                    db.async.put(`a ${round}`, 'x'),
                    db.async.batch([{ type: 'put', key: `b ${round}`, value: 'x' }]),
                    db.async.delete(`a ${round - 1}`),
                ]);
                const expected = scan(db);
                const copy = open('db', { ...options, storage: storageOf(image()) });
                expectEqual(copy, expected);
                copy.close();
            }
        }));
    }
    test('256 in flight take a few fsyncs', () => withDatabase({ durability: 'power' }, async ({ db, reopen }) => {
        for (let round = 0; round < 4; round++) {
            const before = db.stats();
            const promises = [];
            for (let i = 0; i < 256; i++)
                promises.push(db.async.put(`key ${round} ${i}`, 'x'.repeat(100)));
            await Promise.all(promises);
            const after = db.stats();
            expect(after.log.fsyncs - before.log.fsyncs).toBeGreaterThanOrEqual(1);
            expect(after.log.fsyncs - before.log.fsyncs).toBeLessThanOrEqual(8);
            expect(after.transactions.commits - before.transactions.commits).toBe(256);
        }
        expect(reopen().stats().records).toBe(1024);
    }));
    test('a synchronous put among them takes its place in order', () => withDatabase({ durability: 'power' }, async ({ db, image, options }) => {
        const first = db.async.put('key', 'first');
        db.put('key', 'second');
        const crashed = image();
        const third = db.async.put('key', 'third');
        expect(db.get('key')).toBe('third');
        await Promise.all([first, third]);
        expect(db.get('key')).toBe('third');
        const copy = open('db', { ...options, storage: storageOf(crashed) });
        expect(copy.get('key')).toBe('second');
        copy.close();
    }));
    test('thousands in flight, larger than a log segment, arrive in order', () => withDatabase({ durability: 'power', logSegmentBytes: 128 * 1024, checkpointBytes: 256 * 1024 }, async (subject) => {
        const { db } = subject;
        const order = [];
        const promises = [];
        for (let i = 0; i < 5000; i++) {
            promises.push(db.async.put(`key ${i % 700}`, `${i} `.repeat(30)).then(() => order.push(i)));
        }
        await Promise.all(promises);
        expect(order).toEqual(Array.from({ length: 5000 }, (_, i) => i));
        const expected = scan(db);
        for (let i = 0; i < 700; i++) {
            const last = i + 700 * Math.floor((4999 - i) / 700);
            expect(expected.get(`key ${i}`)).toBe(`${last} `.repeat(30));
        }
        expectEqual(subject.reopen(), expected);
    }));
    test('close waits for none of them: each has survived, or says that the database is closed', () => withDatabase({ durability: 'power' }, async ({ db, reopen }) => {
        const outcomes = Array.from({ length: 50 }, (_, i) => failureOf(() => db.async.put(`key ${i}`, 'x')));
        db.close();
        const errors = await Promise.all(outcomes);
        const again = reopen();
        for (const [i, error] of errors.entries()) {
            if (error === undefined)
                expect(again.get(`key ${i}`)).toBe('x');
            else
                expect(error).toMatchObject({ code: 'XENON_CLOSED' });
        }
    }));
});
describe('flush', () => {
    for (const durability of ['power', 'process', 'none']) {
        test(`makes everything committed durable, with durability ${durability}`, () => withDatabase({ durability }, async ({ db, image, options }) => {
            for (let i = 0; i < 300; i++)
                db.put(`key ${i}`, `${i}`);
            const promise = db.async.put('last', 'x');
            const expected = scan(db);
            const { fsyncs } = db.stats();
            await db.flush();
            if (durability !== 'power')
                expect(db.stats().fsyncs).toBeGreaterThan(fsyncs);
            const copy = open('db', { ...options, storage: storageOf(image()) });
            expectEqual(copy, expected);
            copy.close();
            await promise;
        }));
    }
    test('with nothing to flush resolves', () => withMemoryDatabase({}, async ({ db }) => {
        expect(await db.flush()).toBeUndefined();
        await Promise.all([db.flush(), db.flush()]);
    }));
});
describe('durability', () => {
    test('power syncs each commit, process and none do not', () => withDatabase({ durability: 'power' }, ({ db, reopen }) => {
        const syncsOf = (handle) => {
            const before = handle.stats().log.fsyncs;
            for (let i = 0; i < 100; i++)
                handle.put(`key ${i}`, `${Math.random()}`);
            return handle.stats().log.fsyncs - before;
        };
        const power = syncsOf(db);
        expect(power).toBeGreaterThanOrEqual(100);
        expect(power).toBeLessThan(110);
        expect(syncsOf(reopen({ durability: 'process' }))).toBeLessThan(10);
        expect(syncsOf(reopen({ durability: 'none' }))).toBeLessThan(10);
    }));
    test('process leaves every commit in the files, none need not, but closing does', () => withDatabase({ durability: 'process' }, ({ db, image, reopen }) => {
        for (let i = 0; i < 100; i++) {
            db.put(`key ${i}`, 'x');
            if (i % 10 !== 0)
                continue;
            const copy = open('db', { storage: storageOf(image()) });
            expectEqual(copy, scan(db));
            copy.close();
        }
        const lazy = reopen({ durability: 'none' });
        for (let i = 0; i < 100; i++)
            lazy.put(`other ${i}`, 'x');
        expect(reopen().stats().records).toBe(200);
    }));
});
//# sourceMappingURL=async.test.js.map