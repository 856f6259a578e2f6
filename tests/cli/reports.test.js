import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { withDirectory } from '../support/directory.js';
import { run } from './run.js';
function fill(directory, records) {
    const db = open(directory);
    db.transaction(tx => {
        for (let i = 0; i < records; i++)
            tx.put(`key-${i}`, `value ${i}`.repeat(10));
    });
    db.close();
}
test('stats shows records and blocks by kind', () => withDirectory(async (parent) => {
    fill(`${parent}/db`, 3_000);
    const { status, stdout, stderr } = await run('stats', `${parent}/db`);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/records +3,000/);
    expect(stdout).toMatch(/hash index +101 .*█/);
    expect(stdout).toMatch(/trees +[\d,]+ .*█/);
    expect(stdout).toMatch(/ordered +yes/);
    expect(stdout).not.toContain('\u001b');
    expect((await run('stats', `${parent}/db`, '--quick')).stdout).not.toContain('hash index');
}));
test('stats --json adds up', () => withDirectory(async (parent) => {
    fill(`${parent}/db`, 3_000);
    const { records, blocks, blockSize } = JSON.parse((await run('stats', `${parent}/db`, '--json')).stdout);
    expect({ records, blockSize, index: blocks.index }).toEqual({
        records: 3_000,
        blockSize: 4096,
        index: 101,
    });
    const { metadata, index, directory, overflow, large, tree, free, total } = blocks;
    expect(metadata + index + directory + overflow + large + tree + free).toBe(total);
}));
test('verify reports a sound database with status 0', () => withDirectory(async (parent) => {
    fill(`${parent}/db`, 3_000);
    const readable = await run('verify', `${parent}/db`);
    expect(readable).toMatchObject({ status: 0, stderr: '' });
    expect(readable.stdout).toContain('ok: no problems');
    const { stdout } = await run('verify', `${parent}/db`, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, problems: [], records: 3_000 });
}));
test('verify finds a damaged block and ends with status 1', () => withDirectory(async (parent) => {
    fill(`${parent}/db`, 3_000);
    const file = `${parent}/db/data`;
    expect(existsSync(file), `the database has ${readdirSync(`${parent}/db`)}`).toBe(true);
    const bytes = readFileSync(file);
    const middle = 50 * 4096 + 2048;
    bytes[middle] = bytes[middle] ^ 0x10;
    writeFileSync(file, bytes);
    const readable = await run('verify', `${parent}/db`);
    expect(readable.status).toBe(1);
    expect(readable.stdout + readable.stderr).toMatch(/block 50\b/);
    const json = await run('verify', `${parent}/db`, '--json');
    expect(json.status).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false });
}));
//# sourceMappingURL=reports.test.js.map