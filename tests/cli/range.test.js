import { expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { withDirectory } from '../support/directory.js';
import { run } from './run.js';
const KEYS = ['a', 'ab', 'b', 'ba', 'c', '\uffff', '🎓'];
function fill(directory, ordered = true) {
    const db = open(directory, { ordered });
    db.batch(KEYS.toReversed().map(key => ({ type: 'put', key, value: `v ${key}` })));
    db.close();
}
const lines = (text) => text.split('\n').slice(0, -1);
test.each([
    [[], KEYS],
    [['--gt', 'a'], KEYS.slice(1)],
    [
        ['--gte', 'a', '--lt', 'b'],
        ['a', 'ab'],
    ],
    [
        ['--gte', 'ab', '--lte', 'b'],
        ['ab', 'b'],
    ],
    [
        ['--prefix', 'b'],
        ['b', 'ba'],
    ],
    [['--prefix', 'b', '--gt', 'b'], ['ba']],
    [['--prefix', ''], KEYS],
    [
        ['--reverse', '--limit', '2'],
        ['🎓', '\uffff'],
    ],
    [
        ['--lt', 'c', '--reverse', '--limit=3'],
        ['ba', 'b', 'ab'],
    ],
    [['--gt', 'b', '--lt', 'b'], []],
    [['--limit', '0'], []],
])('range and keys with %j', (args, expected) => withDirectory(async (parent) => {
    fill(`${parent}/db`);
    for (const command of [
        ['keys', `${parent}/db`],
        ['range', `${parent}/db`, '--keys'],
    ]) {
        const { status, stdout, stderr } = await run(...command, ...args);
        expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
        expect(lines(stdout)).toEqual(expected);
    }
}));
test('range prints keys and values, values alone, or JSON', () => withDirectory(async (parent) => {
    fill(`${parent}/db`);
    const b = ['range', `${parent}/db`, '--prefix', 'b'];
    expect((await run(...b)).stdout).toBe('b\tv b\nba\tv ba\n');
    expect((await run(...b, '--keys', '--values')).stdout).toBe('b\tv b\nba\tv ba\n');
    expect((await run(...b, '--values')).stdout).toBe('v b\nv ba\n');
    expect((await run(...b, '--encoding', 'binary')).stdout).toBe('b\tdiBi\nba\tdiBiYQ==\n');
    expect((await run(...b, '--json')).stdout).toBe('{"key":"b","value":"v b"}\n{"key":"ba","value":"v ba"}\n');
    expect((await run(...b, '--json', '--keys')).stdout).toBe('"b"\n"ba"\n');
    expect((await run(...b, '--json', '--values')).stdout).toBe('"v b"\n"v ba"\n');
}));
test('a value that is not text ends range with the way out', () => withDirectory(async (parent) => {
    await run('put', `${parent}/db`, 'a', 'text');
    await run('put', `${parent}/db`, 'b', '/w==', '--encoding', 'binary');
    const failing = await run('range', `${parent}/db`);
    expect(failing).toMatchObject({ status: 1, stdout: 'a\ttext\n' });
    expect(failing.stderr).toMatch(/^xenondb: the value of "b" is not UTF-8 text; .*--encoding binary\n$/);
    expect((await run('range', `${parent}/db`, '--json')).stdout).toContain('"valueEncoding":"base64"');
}));
test('without the ordered index a range is refused, and the way out named', () => withDirectory(async (parent) => {
    const db = `${parent}/db`;
    fill(db, false);
    for (const command of [
        ['range', db],
        ['keys', db, '--gt', 'a'],
        ['keys', db, '--reverse'],
    ]) {
        const { status, stdout, stderr } = await run(...command);
        expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
        expect(stderr).toMatch(/^xenondb: a range.* needs the ordered index.* xenondb convert .*--ordered adds it\n$/);
    }
    expect(lines((await run('keys', db)).stdout).sort()).toEqual(KEYS.toSorted());
    expect(lines((await run('keys', db, '--prefix', 'b')).stdout).sort()).toEqual(['b', 'ba']);
    expect(lines((await run('keys', db, '--limit', '3')).stdout)).toHaveLength(3);
    expect(lines((await run('keys', db, '--limit', '0')).stdout)).toHaveLength(0);
    expect(lines((await run('export', db)).stdout)).toHaveLength(KEYS.length);
}));
test('an export is in key order', () => withDirectory(async (parent) => {
    fill(`${parent}/db`);
    const { stdout } = await run('export', `${parent}/db`);
    expect(lines(stdout).map(line => JSON.parse(line).key)).toEqual(KEYS);
    const csv = await run('export', `${parent}/db`, '--format', 'csv');
    expect(lines(csv.stdout)
        .slice(1)
        .map(line => line.split(',')[0])).toEqual(KEYS);
}));
//# sourceMappingURL=range.test.js.map