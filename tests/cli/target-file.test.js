import { execFileSync, spawn } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync, } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { appendOwnLine, writeTarget } from '../../src/cli/target-file.js';
import { open } from '../../src/index.js';
import { withDirectory } from '../support/directory.js';
import { failureOf, thrownBy } from '../support/errors.js';
import { run, start } from './run.js';
const write = (file, text, force = false, meanwhile = () => { }) => writeTarget(file, force, async (output) => {
    output.add(text);
    await output.flush();
    meanwhile();
    return 'written';
});
const messageOf = async (action) => String(await failureOf(action));
test('a symbolic link is refused, with force too, and what it leads to stays', () => withDirectory(async (parent) => {
    writeFileSync(`${parent}/precious`, 'precious');
    symlinkSync(`${parent}/precious`, `${parent}/link`);
    symlinkSync(`${parent}/nowhere`, `${parent}/dangling`);
    execFileSync('mkfifo', [`${parent}/fifo`]);
    symlinkSync(`${parent}/fifo`, `${parent}/to-fifo`);
    for (const name of ['link', 'dangling', 'to-fifo'])
        for (const force of [false, true])
            expect(await messageOf(() => write(`${parent}/${name}`, 'new', force))).toMatch(/symbolic link, .*name the file/);
    expect(readFileSync(`${parent}/precious`, 'utf8')).toBe('precious');
    expect(existsSync(`${parent}/nowhere`)).toBe(false);
    expect(readdirSync(parent).sort()).toEqual(['dangling', 'fifo', 'link', 'precious', 'to-fifo']);
}));
test('a link or a file that appears meanwhile is neither followed nor replaced', () => withDirectory(async (parent) => {
    writeFileSync(`${parent}/precious`, 'precious');
    const file = `${parent}/out`;
    const plant = () => symlinkSync(`${parent}/precious`, file);
    expect(await messageOf(() => write(file, 'new', false, plant))).toContain('--force replaces it');
    expect(readlinkSync(file)).toBe(`${parent}/precious`);
    const other = `${parent}/other`;
    expect(await messageOf(() => write(other, 'new', false, () => writeFileSync(other, 'theirs')))).toContain('exists');
    expect(readFileSync(other, 'utf8')).toBe('theirs');
    const forced = `${parent}/forced`;
    await write(forced, 'new', true, () => symlinkSync(`${parent}/precious`, forced));
    expect(lstatSync(forced).isFile()).toBe(true);
    expect(readFileSync(forced, 'utf8')).toBe('new');
    expect(readFileSync(`${parent}/precious`, 'utf8')).toBe('precious');
    expect(readdirSync(parent).filter(name => name.endsWith('.partial'))).toEqual([]);
}));
test("somebody else's .partial stays, as a file and as a link", () => withDirectory(async (parent) => {
    writeFileSync(`${parent}/precious`, 'precious');
    for (const [name, make] of [
        ['a', () => writeFileSync(`${parent}/a.partial`, 'theirs')],
        ['b', () => symlinkSync(`${parent}/precious`, `${parent}/b.partial`)],
        ['c', () => mkdirSync(`${parent}/c.partial`)],
    ]) {
        make();
        expect(await write(`${parent}/${name}`, name)).toBe('written');
        expect(readFileSync(`${parent}/${name}`, 'utf8')).toBe(name);
        await write(`${parent}/${name}`, `${name}2`, true);
    }
    expect(await failureOf(() => write(`${parent}/d`, 'd', false, () => expect.fail('in the midst')))).toBeDefined();
    expect(readFileSync(`${parent}/a.partial`, 'utf8')).toBe('theirs');
    expect(readFileSync(`${parent}/precious`, 'utf8')).toBe('precious');
    expect(readdirSync(parent).sort()).toEqual(['a', 'a.partial', 'b', 'b.partial', 'c', 'c.partial', 'precious']);
}));
test('pipes, devices and the links of the system are written to', () => withDirectory(async (parent) => {
    execFileSync('mkfifo', [`${parent}/fifo`]);
    const reader = spawn('cat', [`${parent}/fifo`], { stdio: ['ignore', 'pipe', 'ignore'] });
    let read = '';
    reader.stdout.setEncoding('utf8').on('data', text => {
        read += text;
    });
    const ended = new Promise(resolve => reader.once('close', resolve));
    await write(`${parent}/fifo`, 'through the pipe');
    await ended;
    expect(read).toBe('through the pipe');
    expect(await write('/dev/null', 'nothing')).toBe('written');
    expect(await messageOf(() => write(parent, 'x'))).toContain('is a directory');
    const db = open(`${parent}/db`);
    db.put('a', '1');
    db.close();
    const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
    const pipe = ['-c', '"$@" /dev/stdout | cat', 'sh', process.execPath, main, 'export', `${parent}/db`];
    expect(execFileSync('sh', pipe, { encoding: 'utf8', stdio: 'pipe' })).toBe('{"key":"a","value":"1"}\n');
    symlinkSync('/etc/passwd', `${parent}/link`);
    expect(await run('export', `${parent}/db`, `${parent}/link`, '--force')).toMatchObject({
        status: 1,
        stdout: '',
    });
}));
test('an export that is interrupted leaves nothing', () => withDirectory(async (parent) => {
    const db = open(`${parent}/db`);
    db.batch(Array.from({ length: 50 }, (_, i) => ({ type: 'put', key: `${i}`, value: 'v'.repeat(1e6) })));
    db.close();
    const { process: child, outcome } = start('export', `${parent}/db`, `${parent}/out`);
    while (readdirSync(parent).length < 2 && child.exitCode === null)
        await new Promise(resolve => setTimeout(resolve, 2));
    child.kill('SIGINT');
    const { status } = await outcome;
    if (status === 0)
        expect(statSync(`${parent}/out`).size).toBeGreaterThan(5e7);
    else
        expect(readdirSync(parent)).toEqual(['db']);
}));
test('the history of the repl goes to a file of our own, which others cannot read', () => withDirectory(parent => {
    appendOwnLine(`${parent}/history`, 'GET a');
    appendOwnLine(`${parent}/history`, 'GET b');
    expect(readFileSync(`${parent}/history`, 'utf8')).toBe('GET a\nGET b\n');
    expect(statSync(`${parent}/history`).mode & 0o777).toBe(0o600);
    writeFileSync(`${parent}/precious`, 'precious');
    symlinkSync(`${parent}/precious`, `${parent}/link`);
    expect(thrownBy(() => appendOwnLine(`${parent}/link`, 'x'))).toMatchObject({ code: 'ELOOP' });
    execFileSync('mkfifo', [`${parent}/fifo`]);
    expect(thrownBy(() => appendOwnLine(`${parent}/fifo`, 'x'))).toMatchObject({ code: 'ENXIO' });
    expect(readFileSync(`${parent}/precious`, 'utf8')).toBe('precious');
}));
//# sourceMappingURL=target-file.test.js.map