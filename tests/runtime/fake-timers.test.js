import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { connect } from '../../src/client/index.js';
import { createServer } from '../../src/server/index.js';
import { expectVerified, withDatabase, withMemoryDatabase } from '../support/database.js';
import { withDirectory } from '../support/directory.js';
import { failureOf } from '../support/errors.js';
const ALL = [
    ...['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'setInterval', 'clearInterval'],
    ...['Date', 'performance', 'hrtime'],
];
const deadlock = async (db) => {
    await Promise.all([
        ['a', 'b'],
        ['b', 'a'],
    ].map(([first, second]) => db.transact(async (tx) => {
        await tx.put(first, 'x');
        for (let i = 0; i < 5; i++)
            await Promise.resolve();
        await tx.put(second, 'x');
    })));
};
describe.each(['before the database was opened', 'while it is open'])('fake timers from %s on', when => {
    const install = () => void vi.useFakeTimers({ toFake: [...ALL] });
    beforeEach(() => {
        if (when.startsWith('before'))
            install();
    });
    afterEach(() => void vi.useRealTimers());
    test('transactions wait, run again, and end by lockTimeout', () => withMemoryDatabase({ lockTimeout: 50 }, async ({ db }) => {
        install();
        await deadlock(db.async);
        expect(db.stats().transactions.deadlocks).toBeGreaterThan(0);
        const holder = db.begin();
        holder.put('a', 'held');
        expect(await failureOf(() => db.async.transact(tx => tx.get('a')))).toMatchObject({
            code: 'XENON_LOCK_CONFLICT',
        });
        holder.rollback();
    }));
    test('commits, checkpoints, copies and checks go on, whatever the durability', () => withDirectory(async (parent) => {
        for (const durability of ['power', 'none'])
            await withDatabase({ durability }, async ({ db }) => {
                install();
                await Promise.all(Array.from({ length: 300 }, (_, i) => db.async.put(`${i}`, 'v'.repeat(500))));
                for (let i = 0; i < 200; i++)
                    db.delete(`${i}`);
                await db.flush();
                await db.checkpoint();
                await db.compact();
                await db.backup(`${parent}/${durability}`);
                await expectVerified(db, 100);
            });
    }));
    test('a client and its server talk', () => withMemoryDatabase({ keyEncoding: 'binary', valueEncoding: 'binary' }, async ({ db }) => {
        install();
        const server = createServer(db, { port: 0 });
        const address = (await server.listen());
        const client = await connect({ port: address.port });
        await deadlock(client);
        expect(await client.get('a')).toBe('x');
        await client.close();
        await server.close();
    }));
    test('a time to live follows the clock of the test, and the real one afterwards', () => withMemoryDatabase({}, ({ db }) => {
        install();
        db.put('minute', 'x', { ttl: 60_000 });
        expect(db.ttl('minute')).toBe(60_000);
        vi.advanceTimersByTime(59_999);
        expect(db.has('minute')).toBe(true);
        vi.advanceTimersByTime(1);
        expect(db.has('minute')).toBe(false);
        vi.advanceTimersByTime(1000);
        expect(db.stats().records).toBe(0);
        vi.setSystemTime(new Date('2001-01-01'));
        db.put('long ago', 'x', { ttl: 1000 });
        expect(db.has('long ago')).toBe(true);
        vi.useRealTimers();
        expect(db.has('long ago')).toBe(false);
    }));
});
test("the timers of node:test's mock stand in nobody's way either", () => {
    const script = fileURLToPath(new URL('./mock-timers.mjs', import.meta.url));
    const child = spawnSync(process.execPath, ['--no-warnings', script], { encoding: 'utf8', timeout: 20_000 });
    expect(child.stdout.trim()).toBe('done: 1 deadlock, expired');
});
//# sourceMappingURL=fake-timers.test.js.map