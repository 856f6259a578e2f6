import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test, vi } from 'vitest';
import { DatabaseLockedError } from '../../src/errors.js';
import { lockDirectory } from '../../src/storage/lock.js';
import { expectDescriptor, forge, noSuchPid } from './lock-owner.js';
import { freshDirectory, thrown } from './places.js';
vi.mock('node:fs', async (importOriginal) => ({
    ...(await importOriginal()),
    linkSync: () => {
        throw Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM', syscall: 'link' });
    },
}));
const top = freshDirectory();
let count = 0;
let directory;
beforeEach(() => {
    directory = join(top, `d${count++}`);
    mkdirSync(directory);
});
test('a file system without links still gives the lock to one handle only', () => {
    const lock = lockDirectory(directory);
    expect(readdirSync(directory)).toEqual(['lock']);
    expect(JSON.parse(readFileSync(join(directory, 'lock'), 'utf8'))).toMatchObject({ pid: process.pid });
    expectDescriptor(directory);
    expect(() => lockDirectory(directory)).toThrow(DatabaseLockedError);
    expect(readdirSync(directory)).toEqual(['lock']);
    lock.release();
    expect(readdirSync(directory)).toEqual([]);
});
test('a file system without links still lets a dead owner be taken over', () => {
    forge(directory, { pid: noSuchPid });
    const lock = lockDirectory(directory);
    expect(readdirSync(directory)).toEqual(['lock']);
    expectDescriptor(directory);
    lock.release();
});
test('a half-written lock counts as held while its writer lives', () => {
    writeFileSync(join(directory, 'lock'), '{"pid":');
    writeFileSync(join(directory, `lock.${process.ppid}.0a.writing`), '');
    expect(thrown(() => lockDirectory(directory))).toMatchObject({ code: 'XENON_LOCKED', pid: process.ppid });
});
test('a half-written lock of a dead writer is taken over', () => {
    writeFileSync(join(directory, 'lock'), '{"pid":');
    writeFileSync(join(directory, `lock.${noSuchPid}.0a.writing`), '');
    lockDirectory(directory).release();
    expect(readdirSync(directory)).toEqual([]);
});
//# sourceMappingURL=lock-without-links.test.js.map