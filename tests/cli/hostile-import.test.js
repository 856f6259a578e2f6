import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { withDirectory } from '../support/directory.js';
import { run, runWith } from './run.js';
const LINE = '{"key":"a","value":"1"}\n';
test('a line, or a row, that is longer than the limit is refused by its number', () => withDirectory(async (parent) => {
    const long = 'x'.repeat(3000);
    const limit = ['--max-record-bytes', '1000'];
    const line = await runWith(`${LINE}{"key":"b","value":"${long}"}\n`, 'import', `${parent}/json`, ...limit);
    expect(line).toMatchObject({ status: 1 });
    expect(line.stderr).toMatch(/stdin, line 2: the line is longer than 1000 bytes.*--max-record-bytes.*1 record/);
    const csv = ['--format', 'csv'];
    const row = await runWith(`key,value\na,1\nb,${long}\n`, 'import', `${parent}/csv`, ...csv, ...limit);
    expect(row.stderr).toMatch(/stdin, line 3: the row is longer than 1000 bytes/);
    const quote = await runWith(`key,value\na,1\nb,"${'x\n'.repeat(3000)}`, 'import', `${parent}/q`, ...csv, ...limit);
    expect(quote.stderr).toMatch(/stdin, line 3: the row is longer than 1000 bytes/);
    expect((await run('keys', `${parent}/q`)).stdout).toBe('a\n');
    expect(await runWith(`${LINE}{"key":"b","value":"${long}"}\n`, 'import', `${parent}/json`)).toMatchObject({
        status: 0,
    });
    for (const wrong of ['0', '-1', '1e99', 'x', '99999999999999'])
        expect((await runWith(LINE, 'import', `${parent}/no`, '--max-record-bytes', wrong)).status).not.toBe(0);
}));
test('nesting without an end, NUL bytes and marks of byte order do no harm', () => withDirectory(async (parent) => {
    const deep = 2_000_000;
    const nested = `{"key":"deep","value":${'['.repeat(deep)}${']'.repeat(deep)}}\n`;
    const outcome = await runWith(LINE + nested, 'import', `${parent}/deep`, '--encoding', 'json');
    expect([0, 1]).toContain(outcome.status);
    if (outcome.status === 1)
        expect(outcome.stderr).toMatch(/stdin, line 2: /);
    expect((await run('keys', `${parent}/deep`)).stdout).toContain('a\n');
    const unclosed = await runWith(`${LINE}{"key":"b","value":${'{"a":'.repeat(500_000)}\n`, 'import', `${parent}/u`);
    expect(unclosed.stderr).toMatch(/stdin, line 2: not a JSON object/);
    const nul = await runWith(`key,value\nn\0,v\0w\n`, 'import', `${parent}/nul`, '--format', 'csv');
    expect(nul.status).toBe(0);
    expect((await run('get', `${parent}/nul`, '--', 'n\\0')).status).not.toBe(2);
    const zeros = await runWith('\0'.repeat(100_000), 'import', `${parent}/zeros`);
    expect(zeros.stderr).toMatch(/stdin, line 1: not a JSON object/);
    expect((await runWith(`\ufeff${LINE}`, 'import', `${parent}/bom`)).status).toBe(0);
    expect((await runWith(`\ufeff\ufeff${LINE}`, 'import', `${parent}/boms`)).stderr).toMatch(/stdin, line 1: /);
}));
test('an input without line ends does not fill the memory', () => withDirectory(async (parent) => {
    const bin = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
    const child = spawn(process.execPath, [bin, 'import', `${parent}/db`], {
        stdio: ['pipe', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', chunk => {
        stderr += chunk;
    });
    child.stdin.on('error', () => { });
    const chunk = Buffer.alloc(1 << 20, 'x');
    let sent = 0;
    const send = () => {
        while (sent < 400 && child.exitCode === null) {
            sent++;
            if (!child.stdin.write(chunk)) {
                child.stdin.once('drain', send);
                return;
            }
        }
        child.stdin.end();
    };
    send();
    const code = await new Promise(resolve => child.on('exit', resolve));
    expect(code).toBe(1);
    expect(stderr).toMatch(/stdin, line 1: the line is longer than 16777216 bytes/);
    expect(sent).toBeLessThan(100);
}));
//# sourceMappingURL=hostile-import.test.js.map