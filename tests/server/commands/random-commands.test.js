import { expect, test } from 'vitest';
import { commands } from '../../../src/server/commands/index.js';
import { firstSeed, runs, runTimeout, seeded } from '../../support/random.js';
import { request, withServer } from '../wire.js';
const ARGUMENTS = [
    ...['a', 'b', 'c', 'key', '', 'k'.repeat(1025), '0', '1', '-1', '10', '3.5', '1e400', 'nan', 'inf'],
    ...['9223372036854775807', '-9223372036854775808', '99999999999999999999', '*', '[a', '(b', '-', '+', '\0\xff\r\n'],
    ...['EX', 'PX', 'EXAT', 'PXAT', 'NX', 'XX', 'GT', 'LT', 'KEEPTTL', 'GET', 'PERSIST', 'MATCH', 'COUNT', 'TYPE'],
    ...['LIMIT', 'REV', 'KEYS', 'ISOLATION', 'serializable', 'snapshot', 'read-committed', 'REPLACE', 'DB', 'ASYNC'],
    ...['LIST', 'KILL', 'ID', 'SETNAME', 'SETINFO', 'lib-name', 'USAGE', 'SAMPLES', 'INFO', 'DOCS', 'maxclients', 'SET'],
    ...['2', '3', 'AUTH', 'default', 'constructor', '__proto__', 'x'.repeat(5000)],
];
const NAMES = [...commands.keys()].filter(name => !['shutdown', 'backup'].includes(name));
const SOME = ['get', 'set', 'incr', 'del', 'expire', 'begin', 'commit', 'rollback', 'multi', 'exec', 'range', 'append'];
test('random commands', { timeout: runTimeout }, () => seeded(async (random) => {
    await withServer({ lockTimeout: 20, maxClients: 1000 }, async ({ client, server }) => {
        let clients = await Promise.all(Array.from({ length: 6 }, () => client()));
        for (let round = 0; round < 100 * runs; round++) {
            for (const c of clients)
                c.write(Array.from({ length: 10 }, () => randomCommand(random)).join(''));
            if (random.chance(0.1))
                clients[random.below(clients.length)].close();
            await new Promise(resolve => setImmediate(resolve));
            for (const c of clients)
                c.received = '';
            clients = await Promise.all(clients.map(c => (c.closed || c.socket.destroyed ? client() : c)));
        }
        for (const c of clients)
            c.close();
        const last = await client();
        await last.expect('SET last 1\r\nGET last\r\n', '+OK\r\n$1\r\n1\r\n');
        expect(server.failure).toBeUndefined();
    });
}, firstSeed()));
function randomCommand(random) {
    const names = random.chance(0.5) ? SOME : NAMES;
    const name = names[random.below(names.length)];
    const count = random.below(5);
    return request(name, ...Array.from({ length: count }, () => ARGUMENTS[random.below(ARGUMENTS.length)]));
}
//# sourceMappingURL=random-commands.test.js.map