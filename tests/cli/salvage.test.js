import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { expectVerified } from '../support/database.js';
import { withDirectory } from '../support/directory.js';
import { differences, readImage } from '../support/image.js';
import { run } from './run.js';
function fill(directory) {
    const db = open(directory);
    db.transaction(tx => {
        for (let i = 0; i < 3_000; i++)
            tx.put(`key-${i}`, `value ${i}`.repeat(10));
        tx.put('large', 'L'.repeat(50_000));
    });
    db.close();
}
function damage(file, block) {
    const bytes = readFileSync(file);
    bytes[block * 4096 + 2048] ^= 0x10;
    writeFileSync(file, bytes);
}
test('salvage of a sound database is complete, with status 0', () => withDirectory(async (parent) => {
    fill(`${parent}/db`);
    const before = readImage(`${parent}/db`);
    const readable = await run('salvage', `${parent}/db`, `${parent}/new`);
    expect(readable).toMatchObject({ status: 0, stderr: '' });
    expect(readable.stdout).toMatch(/records +3,001/);
    expect(readable.stdout).toContain('complete: nothing was lost');
    expect(readable.stdout).not.toContain('\u001b');
    const json = await run('salvage', `${parent}/db`, `${parent}/newer`, '--json', '--block-size', '8192');
    expect(json).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(json.stdout)).toMatchObject({ complete: true, records: 3_001, warnings: [] });
    for (const [name, blockSize] of [
        ['new', 4096],
        ['newer', 8192],
    ]) {
        const db = open(`${parent}/${name}`, { createIfMissing: false });
        await expectVerified(db, 3_001);
        expect(db.stats().blockSize).toBe(blockSize);
        db.close();
    }
    expect(differences(before, readImage(`${parent}/db`))).toEqual([]);
}));
test('salvage of a damaged database names the block, and ends with status 1', () => withDirectory(async (parent) => {
    fill(`${parent}/db`);
    damage(`${parent}/db/data`, 50);
    const before = readImage(`${parent}/db`);
    const readable = await run('salvage', `${parent}/db`, `${parent}/new`);
    expect(readable).toMatchObject({ status: 1, stderr: '' });
    expect(readable.stdout).toMatch(/block 50 +index +wrong checksum/);
    expect(readable.stdout).toMatch(/index block 50, all of it +an unknown number of records/);
    const json = await run('salvage', `${parent}/db`, `${parent}/newer`, '--json');
    expect(json.status).toBe(1);
    const report = JSON.parse(json.stdout);
    expect(report).toMatchObject({
        complete: false,
        expectedRecords: 3_001,
        damagedBlocks: { count: 1, first: [{ block: 50, use: 'index' }] },
        gaps: { count: 1, first: [{ block: 50, indexBlock: 50, from: 0, to: 0xffffffff }] },
    });
    const db = open(`${parent}/newer`, { createIfMissing: false });
    await expectVerified(db, report.records);
    expect(report.records).toBeLessThan(3_001);
    expect(report.records).toBeGreaterThan(2_900);
    db.close();
    expect(differences(before, readImage(`${parent}/db`))).toEqual([]);
}));
test('salvage refuses a target that exists, a source that is open, and one that is not there', () => withDirectory(async (parent) => {
    fill(`${parent}/db`);
    fill(`${parent}/other`);
    const other = readImage(`${parent}/other`);
    const taken = await run('salvage', `${parent}/db`, `${parent}/other`);
    expect(taken.status).toBe(1);
    expect(taken.stderr).toContain('XENON_EXISTS');
    expect(differences(other, readImage(`${parent}/other`))).toEqual([]);
    const db = open(`${parent}/db`);
    const locked = await run('salvage', `${parent}/db`, `${parent}/new`);
    expect(locked.status).toBe(1);
    expect(locked.stderr).toContain('XENON_LOCKED');
    expect(locked.stderr).toContain(String(process.pid));
    db.close();
    const absent = await run('salvage', `${parent}/nowhere`, `${parent}/new`);
    expect(absent).toMatchObject({ status: 1 });
    expect(absent.stderr).toContain('XENON_NOT_FOUND');
    expect(existsSync(`${parent}/new`)).toBe(false);
    expect(readdirSync(parent).sort()).toEqual(['db', 'other']);
}));
test('salvage without a target, or with a block size that cannot be, is wrong usage', () => withDirectory(async (parent) => {
    fill(`${parent}/db`);
    expect((await run('salvage', `${parent}/db`)).status).toBe(2);
    for (const blockSize of ['5', '5000', 'large', '131072'])
        expect((await run('salvage', `${parent}/db`, `${parent}/new`, '--block-size', blockSize)).status).toBe(2);
    expect((await run('salvage', `${parent}/db`, `${parent}/new`, '--guess')).status).toBe(2);
    expect(existsSync(`${parent}/new`)).toBe(false);
}));
//# sourceMappingURL=salvage.test.js.map