import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { startXenon } from '../redis/servers.js';
import { withDirectory } from '../support/directory.js';
import { run, runWith } from './run.js';
const CONVERSATION = `PUT user:42 "{\\"name\\": \\"Alice\\"}"
GET user:42

get nobody
BEGIN
SET b 1
ROLLBACK
EXISTS b
RANGE - + KEYS
DELETE user:42
exit
DEL never
`;
const ANSWERS = `OK
"{\\"name\\": \\"Alice\\"}"
(nil)
OK
OK
OK
(integer) 0
1) "user:42"
(integer) 1
`;
test('a conversation with a database of its own', () => withDirectory(async (parent) => {
    expect(await runWith(CONVERSATION, 'repl', `${parent}/db`)).toMatchObject({
        status: 0,
        stdout: ANSWERS,
        stderr: '',
    });
    await runWith('SET kept 1', 'repl', `${parent}/db`);
    const db = open(`${parent}/db`);
    expect([...db.entries()]).toEqual([['kept', '1']]);
    db.close();
    expect(readdirSync(tmpdir()).filter(name => name.startsWith('xenondb-repl-'))).toEqual([]);
}));
test('a conversation with a server', () => withDirectory(async (parent) => {
    const server = await startXenon(`${parent}/db`, '--password', 'secret');
    try {
        const place = ['--connect', `127.0.0.1:${server.port}`];
        expect(await runWith(CONVERSATION, 'repl', ...place, '--password', 'secret')).toMatchObject({
            status: 0,
            stdout: ANSWERS,
            stderr: '',
        });
        const refused = await runWith('GET a\n', 'repl', ...place, '--password', 'wrong');
        expect(refused).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('WRONGPASS') });
    }
    finally {
        await server.stop();
    }
}));
test('an error is shown, gives status 1, and ends nothing', () => withDirectory(async (parent) => {
    const { status, stdout, stderr } = await runWith('NOSUCH\n"x\nSET a 1\nhelp\n', 'repl', `${parent}/db`);
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
    expect(stdout).toMatch(/^\(error\) ERR unknown command 'NOSUCH'.*\n\(error\) a quote is not closed\nOK\nAny command/);
}));
test('wrong usage', async () => {
    expect(await run('repl')).toMatchObject({ status: 2 });
    expect(await run('repl', 'db', '--connect', 'localhost:1')).toMatchObject({ status: 2 });
    expect(await run('repl', '--connect', 'a:b:c')).toMatchObject({ status: 2 });
    expect(await run('repl', '--connect', '127.0.0.1:1')).toMatchObject({ status: 1 });
});
//# sourceMappingURL=repl.test.js.map