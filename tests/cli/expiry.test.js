import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { pause } from '../support/child.js';
import { withDirectory } from '../support/directory.js';
import { run, runWith } from './run.js';
const LATER = Date.now() + 10_000_000;
test('put --ttl, ttl, ttl --set and ttl --persist', () => withDirectory(async (parent) => {
    const db = `${parent}/db`;
    await run('put', db, 'stays', 'v');
    expect(await run('put', db, 'goes', 'v', '--ttl', '1000000')).toMatchObject({ status: 0, stderr: '' });
    expect(await run('ttl', db, 'stays')).toMatchObject({ status: 0, stdout: 'none\n' });
    const left = Number((await run('ttl', db, 'goes')).stdout);
    expect(left).toBeGreaterThan(900_000);
    expect(left).toBeLessThanOrEqual(1_000_000);
    expect(await run('ttl', db, 'goes', '--persist')).toMatchObject({ status: 0, stdout: '' });
    expect((await run('ttl', db, 'goes')).stdout).toBe('none\n');
    expect(await run('ttl', db, 'goes', '--set', '50')).toMatchObject({ status: 0, stdout: '' });
    await pause(60);
    expect(await run('get', db, 'goes')).toMatchObject({ status: 1 });
    for (const options of [[], ['--set', '5'], ['--persist']])
        expect(await run('ttl', db, 'goes', ...options)).toMatchObject({
            status: 1,
            stderr: 'xenondb: no such key: "goes"\n',
        });
    expect((await run('keys', db)).stdout).toBe('stays\n');
}));
test('a wrong time is wrong usage', async () => {
    for (const args of [
        ['put', 'nowhere', 'k', 'v', '--ttl', '0'],
        ['put', 'nowhere', 'k', 'v', '--ttl', '1.5'],
        ['put', 'nowhere', 'k', 'v', '--ttl', '-1'],
        ['ttl', 'nowhere', 'k', '--set', '0'],
        ['ttl', 'nowhere', 'k', '--set', '1', '--persist'],
    ])
        expect(await run(...args)).toMatchObject({ status: 2, stdout: '' });
});
function times(directory) {
    const db = open(directory);
    const found = new Map([...db.keys()].map(key => [key, Math.round(Date.now() + db.ttl(key))]));
    db.close();
    return found;
}
test.each([
    ['jsonl', true],
    ['csv', true],
    ['jsonl', false],
    ['csv', false],
])('export and import as %s carry the times (ordered: %s)', (format, ordered) => withDirectory(async (parent) => {
    const db = open(`${parent}/from`, { ordered });
    db.put('stays', 'v');
    for (let i = 0; i < 1500; i++)
        db.put(`goes ${i}`, `v ${i}`, { ttl: 5_000_000 + i });
    db.put('large', 'L'.repeat(200_000), { ttl: 5_000_000 });
    db.put('half', '\ufffd', { ttl: 5_000_000 });
    db.close();
    const options = ['--format', format];
    const first = await run('export', `${parent}/from`, ...options);
    expect(first.stderr).toBe('exported 1,503 records\n');
    expect(first.stdout).toMatch(format === 'csv' ? /^key,value,expires_at\n/ : /"expiresAt":\d{13}\}/);
    const imported = await runWith(first.stdout, 'import', `${parent}/to`, '-', ...options);
    expect(imported.stderr).toBe('imported 1,503 records\n');
    const second = await run('export', `${parent}/to`, ...options);
    const exact = (text) => text
        .split('\n')
        .filter(line => !line.includes('LLL'))
        .sort();
    expect(exact(second.stdout)).toEqual(exact(first.stdout));
    expect(times(`${parent}/to`).get('stays')).toBe(Number.POSITIVE_INFINITY);
    expect(Math.abs(times(`${parent}/to`).get('large') - Date.now() - 5_000_000)).toBeLessThan(100_000);
}));
test('the files look as documented', () => withDirectory(async (parent) => {
    const input = `{"key":"a","value":"1","expiresAt":${LATER}}\n{"key":"b","value":"2"}\n`;
    await runWith(input, 'import', `${parent}/db`);
    expect((await run('export', `${parent}/db`)).stdout).toBe(input);
    expect((await run('range', `${parent}/db`, '--json')).stdout).toBe(input);
    const csv = `key,value,expires_at\na,1,${LATER}\nb,2,\n`;
    expect((await run('export', `${parent}/db`, '--format', 'csv')).stdout).toBe(csv);
}));
test('a record whose time has passed takes away the one that was there', () => withDirectory(async (parent) => {
    await run('put', `${parent}/db`, 'a', 'old');
    const imported = await runWith('{"key":"a","value":"new","expiresAt":1000}\n{"key":"b","value":"2"}\n', 'import', `${parent}/db`);
    expect(imported).toMatchObject({ status: 0, stderr: 'imported 2 records, of which 1 had expired\n' });
    expect((await run('keys', `${parent}/db`)).stdout).toBe('b\n');
}));
test.each(['"soon"', '1.5', '-1', '0', 'null', '1e99', '[]'])('the time %s is named by its line', time => withDirectory(async (parent) => {
    const input = `{"key":"a","value":"1"}\n{"key":"b","value":"2","expiresAt":${time}}\n`;
    const outcome = await runWith(input, 'import', `${parent}/db`);
    expect(outcome.status).toBe(1);
    expect(outcome.stderr).toMatch(/stdin, line 2: "expiresAt" is not a time.*; 1 records were imported/);
    const csv = await runWith(`key,value,expires_at\na,1,\nb,2,${time}\n`, 'import', `${parent}/csv`, '-', '--format', 'csv');
    expect(csv.status).toBe(1);
    expect(csv.stderr).toMatch(/line 3: (expires_at is not a time|a quote)/);
}));
test('stats says how many records have expired, and works beside a damaged tree', () => withDirectory(async (parent) => {
    const db = open(`${parent}/db`);
    db.put('stays', 'v');
    for (let i = 0; i < 10; i++)
        db.put(`goes ${i}`, 'v', { ttl: 1 });
    db.close();
    await pause(5);
    expect((await run('stats', `${parent}/db`, '--quick')).stdout).toMatch(/records +11, of which 10 have expired/);
    const bytes = readFileSync(`${parent}/db/data`);
    bytes[102 * 4096 + 200] ^= 1;
    writeFileSync(`${parent}/db/data`, bytes);
    const { status, stdout } = await run('stats', `${parent}/db`);
    expect(status).toBe(0);
    expect(stdout).toMatch(/damage +\d+ problems/);
}));
//# sourceMappingURL=expiry.test.js.map