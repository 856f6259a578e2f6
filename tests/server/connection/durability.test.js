import { expect, test } from 'vitest';
import { memoryStorage } from '../../../src/index.js';
import { pause } from '../../support/child.js';
import { Gate } from '../../support/gate.js';
import { withServer } from '../wire.js';
function watched(onSync) {
    const storage = memoryStorage();
    return {
        ...storage,
        open(path, options) {
            const file = storage.open(path, options);
            return new Proxy(file, {
                get(target, name) {
                    if (name === 'sync')
                        return () => {
                            onSync();
                            target.sync();
                        };
                    const value = Reflect.get(target, name, target);
                    return typeof value === 'function' ? value.bind(target) : value;
                },
            });
        },
    };
}
test('no reply leaves before the writes of its turn are synced, whoever has written', async () => {
    let syncs = 0;
    const storage = watched(() => syncs++);
    await withServer({}, async ({ client, server }) => {
        const reader = await client();
        const writer = await client();
        await reader.expect('PING\r\n', '+PONG\r\n');
        await writer.expect('PING\r\n', '+PONG\r\n');
        const before = syncs;
        let atReply = -1;
        for (const session of server.sessions.values()) {
            const { socket } = session;
            const { write } = socket;
            socket.write = ((...args) => {
                if (atReply < 0)
                    atReply = syncs;
                return write.apply(socket, args);
            });
        }
        writer.write('SET a b\r\n');
        reader.write('GET a\r\n');
        await writer.until(text => text === '+OK\r\n');
        await reader.until(text => text.endsWith('\r\n'));
        expect(atReply).toBeGreaterThan(before);
    }, { storage });
});
test('a write of the program itself is synced before a reply shows it', async () => {
    let syncs = 0;
    await withServer({}, async ({ client, server }) => {
        const c = await client();
        await c.expect('PING\r\n', '+PONG\r\n');
        server.keys.records.put(Buffer.from('a'), Buffer.from('b'), 0);
        const before = syncs;
        await c.expect('GET a\r\n', '$1\r\nb\r\n');
        expect(syncs).toBeGreaterThan(before);
    }, { storage: watched(() => syncs++) });
});
test('after a sync that failed nothing is answered any more, and the server closes', async () => {
    let broken = false;
    const storage = watched(() => {
        if (broken)
            throw Object.assign(new Error('EIO'), { code: 'EIO' });
    });
    let outcome;
    await withServer({ logLevel: 'silent' }, async ({ client, server }) => {
        const a = await client();
        const b = await client();
        await a.expect('SET a 1\r\n', '+OK\r\n');
        await b.expect('PING\r\n', '+PONG\r\n');
        broken = true;
        a.write('SET a 2\r\n');
        b.write('GET a\r\n');
        expect(await a.untilClosed()).toBe('');
        expect(await b.untilClosed()).not.toContain('2');
        outcome = await server.done.catch(error => error);
        await pause(1);
    }, { storage }).catch(() => { });
    expect(outcome).toBeInstanceOf(Error);
    expect(String(outcome)).toContain('EIO');
});
test('a storage that has failed is noticed by a client that is inside BEGIN, too', async () => {
    let outcome;
    await withServer({ logLevel: 'silent' }, async ({ client, server }) => {
        const a = await client();
        await a.expect('BEGIN\r\nGET a\r\n', '+OK\r\n$-1\r\n');
        const { engine } = server.db;
        engine.health.fail(new Error('EIO'));
        a.write('GET a\r\n');
        expect(await a.untilClosed()).toBe('');
        outcome = await server.done.catch(error => error);
    }).catch(() => { });
    expect(outcome).toMatchObject({ code: 'XENON_FAILED' });
});
async function until(isSo) {
    const deadline = Date.now() + 10_000;
    while (!isSo()) {
        if (Date.now() > deadline)
            throw new Error(`never: ${isSo}`);
        await pause(1);
    }
}
test('while the log is synced aside requests go on, and each reply waits for what it shows', async () => {
    const gate = new Gate();
    await withServer({}, async ({ client, server }) => {
        const [writer, reader] = [await client(), await client()];
        await writer.expect('PING\r\n', '+PONG\r\n');
        await reader.expect('PING\r\n', '+PONG\r\n');
        writer.received = '';
        reader.received = '';
        const executed = server.commandsProcessed;
        writer.write('SET a 1\r\n');
        await until(() => gate.waiting() === 1);
        writer.write('SET a 2\r\nGET a\r\nPING\r\n');
        await until(() => server.commandsProcessed === executed + 4);
        reader.write('GET a\r\n');
        await until(() => server.commandsProcessed === executed + 5);
        await pause(20);
        expect([writer.received, reader.received]).toEqual(['', '']);
        gate.letGo();
        await until(() => writer.received !== '' && gate.waiting() === 1);
        await pause(20);
        expect([writer.received, reader.received]).toEqual(['+OK\r\n', '']);
        gate.letGo();
        await writer.until(text => text.endsWith('PONG\r\n'));
        await reader.until(text => text.endsWith('2\r\n'));
        expect(writer.received).toBe('+OK\r\n+OK\r\n$1\r\n2\r\n+PONG\r\n');
        expect(reader.received).toBe('$1\r\n2\r\n');
        await reader.expect('GET a\r\n', '$1\r\n2\r\n');
    }, { storage: gate.storage });
});
test('a client that leaves, or ends its side, while its write is being synced', async () => {
    const gate = new Gate();
    await withServer({}, async ({ client, server }) => {
        const [gone, ends, stays] = [await client(), await client(), await client()];
        gone.write('SET a 1\r\n');
        ends.write('SET b 1\r\n');
        stays.write('SET c 1\r\n');
        ends.socket.end();
        await until(() => server.commandsProcessed === 3 && gate.waiting() === 1);
        gone.socket.destroy();
        await pause(10);
        expect([ends.received, ends.closed]).toEqual(['', false]);
        const timer = setInterval(() => gate.letGo(), 2);
        await stays.until(text => text === '+OK\r\n');
        expect(await ends.untilClosed()).toBe('+OK\r\n');
        stays.received = '';
        await stays.expect('MGET a b\r\n', '*2\r\n$1\r\n1\r\n$1\r\n1\r\n');
        clearInterval(timer);
    }, { storage: gate.storage });
});
test('a sync aside that fails: none of the replies that wait for it leaves', async () => {
    const gate = new Gate();
    let outcome;
    await withServer({ logLevel: 'silent' }, async ({ client, server }) => {
        const [a, b] = [await client(), await client()];
        a.write('SET a 1\r\n');
        await until(() => gate.waiting() === 1);
        b.write('GET a\r\n');
        await until(() => server.commandsProcessed === 2);
        await pause(5);
        gate.letGo(Object.assign(new Error('EIO'), { code: 'EIO' }));
        expect(await a.untilClosed()).toBe('');
        expect(await b.untilClosed()).toBe('');
        outcome = await server.done.catch(error => error);
    }, { storage: gate.storage }).catch(() => { });
    expect(String(outcome)).toContain('EIO');
});
//# sourceMappingURL=durability.test.js.map