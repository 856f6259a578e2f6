import { expect, test } from 'vitest';
import { withDirectory } from '../support/directory.js';
import { run, runWith } from './run.js';
const good = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => `{"key":"k${from + i}","value":"v"}\n`).join('');
const JSON_LINES = [
    ['no JSON', 'nonsense', /not a JSON object/],
    ['an array', '["a","b"]', /not a JSON object/],
    ['half a line', '{"key":"a","val', /not a JSON object/],
    ['no key', '{"value":"v"}', /"key" is missing/],
    ['no value', '{"key":"k"}', /"value" is missing/],
    ['a number for a key', '{"key":1,"value":"v"}', /"key" is not a string/],
    ['a number for a value', '{"key":"k","value":1}', /"value" is not a string; import it with --encoding json/],
    ['an unknown member', '{"key":"k","value":"v","colour":"red"}', /unknown member "colour"/],
    ['an empty key', '{"key":"","value":"v"}', /XENON_INVALID_ARGUMENT/],
    ['a key that is too long', `{"key":"${'k'.repeat(70_000)}","value":"v"}`, /./],
    ['half a surrogate pair', '{"key":"\\ud800","value":"v"}', /surrogate/],
    ['bad base64', '{"key":"k","value":"%%","valueEncoding":"base64"}', /"value" is not base64/],
    ['an unknown encoding', '{"key":"k","value":"v","valueEncoding":"hex"}', /"valueEncoding" can only be/],
];
test.each(JSON_LINES)('JSON Lines: %s is named by its line, and what came before stays', (_, line, message) => withDirectory(async (parent) => {
    const outcome = await runWith(`${good(1, 5)}\n${line}\n${good(6, 9)}`, 'import', `${parent}/db`);
    expect(outcome.stderr).toMatch(/^xenondb: stdin, line 7: [^\n]+; 5 records were imported before it \[XENON_[A-Z_]+\]\n$/);
    expect(outcome.stderr).toMatch(message);
    expect(outcome).toMatchObject({ status: 1, stdout: '' });
    const keys = (await run('keys', `${parent}/db`)).stdout.trim().split('\n');
    expect(keys.sort()).toEqual(['k1', 'k2', 'k3', 'k4', 'k5']);
}));
const CSV = [
    ['too few fields', 'only\n', 6, /1 fields where the header has 2/],
    ['too many fields', 'a,b,c\n', 6, /3 fields where the header has 2/],
    ['a stray quote', 'a,b"c\n', 6, /a quote inside a field/],
    ['text behind a quote', 'a,"b"c\n', 6, /something follows a closing quote/],
    ['a quote never closed', 'fine,x\na,"b\nmore\n', 7, /a quote is never closed/],
];
test.each(CSV)('CSV: %s is named by the line where the row begins', (_, rows, line, message) => withDirectory(async (parent) => {
    const head = 'key,value\n"two\nlines","two\r\nlines"\n';
    const outcome = await runWith(`${head}\n${rows}`, 'import', `${parent}/db`, '-', '--format', 'csv');
    expect(outcome.stderr).toContain(`xenondb: stdin, line ${line}: `);
    expect(outcome.stderr).toMatch(message);
    expect(outcome.stderr).toContain(`; ${line - 5} records were imported before it [XENON_INVALID_ARGUMENT]\n`);
    expect(outcome.status).toBe(1);
}));
test.each(['a,b\n1,2\n', 'key\n1\n', 'key,value,other\n1,2,3\n', 'key,value,key\n1,2,3\n'])('CSV: the header %j is refused', text => withDirectory(async (parent) => {
    const outcome = await runWith(text, 'import', `${parent}/db`, '-', '--format', 'csv');
    expect(outcome).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('line 1: the header must be'),
    });
}));
test('bytes that are not UTF-8 are refused', () => withDirectory(async (parent) => {
    const outcome = await runWith(Buffer.from([0x7b, 0xff, 0x7d]), 'import', `${parent}/db`);
    expect(outcome).toMatchObject({ status: 1, stderr: expect.stringContaining('line 1: not UTF-8') });
}));
test('a bad line behind many batches leaves all records before it', () => withDirectory(async (parent) => {
    const outcome = await runWith(`${good(1, 2_345)}bad\n`, 'import', `${parent}/db`);
    expect(outcome.stderr).toContain('line 2346: ');
    expect(outcome.stderr).toContain('; 2,345 records were imported before it');
    const report = JSON.parse((await run('verify', `${parent}/db`, '--json')).stdout);
    expect(report).toMatchObject({ ok: true, records: 2_345 });
}));
test('an empty input imports nothing', () => withDirectory(async (parent) => {
    expect(await run('import', `${parent}/db`)).toMatchObject({ status: 0, stderr: 'imported 0 records\n' });
}));
//# sourceMappingURL=bad-lines.test.js.map