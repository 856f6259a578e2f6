import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { expectVerified } from '../support/database.js';
import { withDirectory } from '../support/directory.js';
const script = fileURLToPath(new URL('./exit.mjs', import.meta.url));
const run = (directory, way) => {
    const child = spawnSync(process.execPath, ['--no-warnings', script, directory, way], {
        encoding: 'utf8',
    });
    return { status: child.status, signal: child.signal, out: child.stdout.trim(), err: child.stderr };
};
const expectAll = async (directory) => {
    const db = open(directory);
    expect([...db.keys()]).toEqual(['asynchronous', 'batch', 'large', 'put', 'transaction']);
    expect(db.get('large')).toBe('L'.repeat(100_000));
    await expectVerified(db);
    db.close();
};
describe("with durability 'none' every commit so far survives", () => {
    for (const [way, status] of [
        ['nothing left to do', 0],
        ['exit', 3],
        ['exit at once', 3],
        ['uncaught', 1],
        ['rejection', 1],
        ['worker ends', 0],
        ['worker exits', 0],
    ])
        test(way, () => withDirectory(async (parent) => {
            const ended = run(`${parent}/db`, way);
            expect(ended.status, ended.err).toBe(status);
            await expectAll(`${parent}/db`);
            await expectAll(`${parent}/db-2`);
        }));
});
test('a transaction that was open at the end is taken back, and a kill loses nothing but the last moments', () => withDirectory(async (parent) => {
    expect(run(`${parent}/db`, 'open transaction').status).toBe(0);
    await expectAll(`${parent}/db`);
    expect(run(`${parent}/killed`, 'killed').signal).toBe('SIGKILL');
    const db = open(`${parent}/killed`);
    await expectVerified(db);
    db.close();
}));
test('one listener serves all databases, none when all are closed', () => withDirectory(parent => {
    expect(JSON.parse(run(`${parent}/db`, 'listeners').out)).toEqual({
        before: 0,
        open: 1,
        oneClosed: 1,
        closed: 0,
        again: 1,
        readOnly: 0,
    });
}));
//# sourceMappingURL=exit.test.js.map