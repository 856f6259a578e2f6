import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { CorruptionError, DatabaseLockedError, DeadlockError, DecodeError, DiskFullError, EncodeError, InvalidArgumentError, LockConflictError, MovedError, StorageError, WriteConflictError, XenonError, } from '../../src/index.js';
import { portable, revived } from '../../src/worker/errors.js';
import { PortDatabase, servePort } from '../../src/worker/index.js';
import { pause } from '../support/child.js';
import { withMemoryDatabase } from '../support/database.js';
import { expectCodeAsync, failureOf, wrong } from '../support/errors.js';
const startClient = (db, task) => {
    const { port1, port2 } = new MessageChannel();
    servePort(db, port1);
    return new Worker(new URL('client.mjs', import.meta.url), {
        workerData: { task, port: port2 },
        transferList: [port2],
    });
};
const portTo = (db) => {
    const { port1, port2 } = new MessageChannel();
    return { end: servePort(db, port1), far: new PortDatabase(port2) };
};
const NUMBERS = { valueEncoding: 'json', lockTimeout: 20_000 };
const openTransactions = (db) => db.stats().transactions.open;
describe('threads', () => {
    test('several add to one counter, over a port each: no addition is lost', () => withMemoryDatabase(NUMBERS, async ({ db }) => {
        const workers = Array.from({ length: 3 }, () => startClient(db, 'add'));
        const codes = await Promise.all(workers.map(worker => once(worker, 'exit')));
        expect(codes).toEqual([[0], [0], [0]]);
        expect(db.get('counter')).toBe(150);
        expect(openTransactions(db)).toBe(0);
    }));
    test('what one has open when it is terminated is rolled back, and waits no more', () => withMemoryDatabase(NUMBERS, async ({ db }) => {
        for (let i = 0; i < 2000; i++)
            db.put(`record ${i}`, i);
        const theirs = db.begin();
        theirs.put('b', 0);
        const worker = startClient(db, 'hold');
        await once(worker, 'message');
        const mine = db.async.put('a', 7);
        await pause(20);
        expect(db.has('a')).toBe(false);
        expect(openTransactions(db)).toBeGreaterThan(2);
        await worker.terminate();
        await mine;
        expect(db.get('a')).toBe(7);
        await pause(20);
        expect(openTransactions(db)).toBe(1);
        expect(db.stats().snapshots.open).toBe(0);
        theirs.commit();
        await pause(20);
        expect(db.get('b')).toBe(0);
    }));
    test('when the owner is terminated, all calls end with an error', async () => {
        const { port1, port2 } = new MessageChannel();
        const worker = new Worker(new URL('../contract/owner.mjs', import.meta.url));
        worker.postMessage({ id: 1, options: { lockTimeout: 20_000 }, port: port2 }, [port2]);
        const far = new PortDatabase(port1);
        await far.put('a', '1');
        await far.batch(Array.from({ length: 500 }, (_, i) => ({ type: 'put', key: `key ${i}`, value: 'x' })));
        const tx = await far.begin();
        await tx.put('a', '2');
        const keys = far.keys();
        await keys.next();
        const watcher = await far.watch();
        const waiting = [
            failureOf(() => far.put('a', '3')),
            failureOf(() => far.transact(other => other.put('a', '4'))),
            failureOf(() => watcher.next()),
        ];
        await pause(20);
        await worker.terminate();
        for (const failure of await Promise.all(waiting))
            expect(failure).toMatchObject({ code: 'XENON_CONNECTION' });
        for (const use of [
            () => far.get('a'),
            () => tx.commit(),
            () => far.begin(),
            async () => {
                for await (const _ of keys)
                    ;
            },
        ])
            await expectCodeAsync(use, 'XENON_CONNECTION');
        expect(far.closed).toBe(false);
        await far.close();
        await expectCodeAsync(() => far.get('a'), 'XENON_CLOSED');
    });
});
describe('ports', () => {
    test('of one database know nothing of each other’s transactions', () => withMemoryDatabase({}, async ({ db }) => {
        const [one, other] = [portTo(db), portTo(db)];
        const tx = await one.far.begin();
        await tx.put('a', '1');
        const { port1, port2 } = new MessageChannel();
        servePort(db, port1);
        port2.postMessage({ id: 1, method: 'commit', args: [], tx: 1 });
        const [answer] = await once(port2, 'message');
        expect(answer).toMatchObject({ id: 1, error: { code: 'XENON_TRANSACTION_ENDED' } });
        port2.close();
        expect(await other.far.get('a')).toBe(undefined);
        await tx.commit();
        expect(await other.far.get('a')).toBe('1');
        await one.far.close();
        await other.far.close();
    }));
    test('give access to nothing but what a worker may call', () => withMemoryDatabase({}, async ({ db }) => {
        const { port1, port2 } = new MessageChannel();
        servePort(db, port1);
        for (const method of ['backup', 'beginNow', 'constructor', 'toString', '__proto__', 'hasOwnProperty', '']) {
            port2.postMessage({ id: 1, method, args: ['elsewhere'] });
            const [answer] = await once(port2, 'message');
            expect(answer, method).toMatchObject({ id: 1, error: { code: 'XENON_INVALID_ARGUMENT' } });
        }
        port2.close();
    }));
    test('are served no more once they are ended', () => withMemoryDatabase({}, async ({ db }) => {
        const { far, end } = portTo(db);
        const tx = await far.begin();
        await tx.put('a', '1');
        const waiting = failureOf(() => far.put('a', '2'));
        await pause(20);
        end();
        end();
        expect(await waiting).toBeDefined();
        await expectCodeAsync(() => far.get('a'), 'XENON_CLOSED');
        await expectCodeAsync(() => tx.commit(), 'XENON_CLOSED');
        expect(db.has('a')).toBe(false);
        expect(db.stats().transactions.open).toBe(0);
        await far.close();
    }));
    test('may be those of the web', () => withMemoryDatabase({}, async ({ db }) => {
        const { port1, port2 } = new MessageChannel();
        const web = (port) => ({
            postMessage: (message) => port.postMessage(message),
            addEventListener: (type, listener) => port.addEventListener(type, listener),
            start: () => port.start(),
            close: () => port.close(),
        });
        servePort(db, wrong(web(port1)));
        const far = new PortDatabase(wrong(web(port2)));
        await far.put('a', '1');
        const tx = await far.begin();
        await tx.put('b', '1');
        expect(db.get('a')).toBe('1');
        await far.close();
        expect(db.stats().transactions.open).toBe(0);
    }));
    test('a commit that is refused while an operation waits leaves the transaction open', () => withMemoryDatabase({}, async ({ db }) => {
        const { far } = portTo(db);
        const holder = db.begin();
        holder.put('a', 'theirs');
        const tx = await far.begin();
        const waiting = tx.put('a', 'mine');
        await pause(20);
        await expectCodeAsync(() => tx.commit(), 'XENON_INVALID_ARGUMENT');
        expect(tx.ended).toBe(false);
        holder.rollback();
        await waiting;
        await tx.commit();
        expect(db.get('a')).toBe('mine');
        await far.close();
    }));
});
describe('what crosses a port', () => {
    test('bytes: the caller keeps his, and gets some of his own', () => withMemoryDatabase({ valueEncoding: 'binary' }, async ({ db }) => {
        const { far } = portTo(db);
        for (const value of [new Uint8Array(3).fill(1), Buffer.from('text'), new Uint8Array(1_000_000).fill(2)]) {
            const before = Buffer.from(value);
            const put = far.put('a', value);
            value.fill(0);
            await put;
            expect(value.length).toBe(before.length);
            const found = (await far.get('a'));
            expect(Buffer.compare(found, before)).toBe(0);
            found.fill(9);
            expect(Buffer.compare(db.get('a'), before)).toBe(0);
            expect(Buffer.compare((await far.get('a')), before)).toBe(0);
        }
        await far.close();
    }));
    test('errors keep class, code, message, and what else they tell', () => {
        const cause = Object.assign(new Error('disk on fire'), { name: 'HotError' });
        for (const error of [
            new InvalidArgumentError('wrong', { cause }),
            new EncodeError('key', 'mine', cause),
            new DecodeError(new Uint8Array([255]), 'mine', cause),
            new DatabaseLockedError('taken', 7),
            new LockConflictError('held', { holders: [1], lock: 2, exclusive: true }),
            new DeadlockError('ended'),
            new WriteConflictError('changed'),
            new CorruptionError('data', 'torn', 5),
            new MovedError('here'),
            new StorageError('no', cause),
            new DiskFullError('full', { cause }),
            new XenonError('XENON_SNAPSHOT_LOST', 'gone'),
        ]) {
            const arrived = revived(structuredClone(portable(error)));
            expect(arrived).toBeInstanceOf(error.constructor);
            expect([arrived.name, arrived.code, arrived.message]).toEqual([error.name, error.code, error.message]);
            for (const field of ['key', 'encoding', 'pid', 'file', 'block', 'path'])
                expect(arrived[field], field).toEqual(error[field]);
            if (error.cause !== undefined)
                expect(arrived.cause).toMatchObject({ name: 'HotError', message: 'disk on fire' });
        }
        for (const thrown of ['text', undefined, null, { toString: () => 'an object' }])
            expect(revived(structuredClone(portable(thrown)))).toBeInstanceOf(Error);
        const round = new Error('round');
        round.cause = round;
        expect(revived(portable(round)).message).toBe('round');
    });
    test('a value that cannot be cloned fails alone, on either side', () => withMemoryDatabase({
        valueEncoding: {
            name: 'functions',
            encode: value => Buffer.from(String(value)),
            decode: bytes => (bytes.length === 1 ? () => 1 : String(bytes.length)),
        },
    }, async ({ db }) => {
        const { far } = portTo(db);
        db.put('function', 'x');
        db.put('text', 'more');
        await expectCodeAsync(() => far.get('function'), 'XENON_INVALID_ARGUMENT');
        await expectCodeAsync(() => far.put('a', () => 1), 'XENON_INVALID_ARGUMENT');
        expect(await far.get('text')).toBe('4');
        await far.close();
    }));
});
//# sourceMappingURL=worker.test.js.map