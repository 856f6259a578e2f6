import { join } from 'node:path';
import { beforeEach, expect, test, vi } from 'vitest';
import { StorageError } from '../../src/errors.js';
import { nodeStorage } from '../../src/storage/node.js';
import { bytes, freshDirectory, text, thrown } from './places.js';
const disk = vi.hoisted(() => ({ most: 1000, full: false, calls: 0 }));
vi.mock('node:fs', async (importOriginal) => {
    const fs = await importOriginal();
    const check = () => {
        disk.calls++;
        if (!disk.full)
            return;
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), {
            code: 'ENOSPC',
            syscall: 'write',
        });
    };
    return {
        ...fs,
        readSync: (fd, target, offset, length, position) => fs.readSync(fd, target, offset, Math.min(length, disk.most), position),
        writeSync: (fd, source, offset, length, position) => {
            check();
            return fs.writeSync(fd, source, offset, Math.min(length, disk.most), position);
        },
        writevSync: (fd, parts, position) => {
            check();
            const all = Buffer.concat(parts);
            return fs.writeSync(fd, all, 0, Math.min(all.length, disk.most), position);
        },
    };
});
beforeEach(() => Object.assign(disk, { most: 1000, full: false, calls: 0 }));
const top = freshDirectory();
test('short writes and reads are carried on to the end', () => {
    const file = nodeStorage.open(join(top, 'short'), { create: true });
    disk.most = 3;
    file.write(bytes('..0123456789..'), 2, 10, 4);
    const target = new Uint8Array(16);
    expect(file.read(target, 1, 15, 0)).toBe(14);
    expect(text(target)).toBe('\0\0\0\0\x000123456789\0');
});
test.each([0, 1, 2, 3, 4, 5, 8, 9, 10, 100])('a writev cut after %i bytes is carried on to the end', most => {
    const file = nodeStorage.open(join(top, `writev-${most}`), { create: true });
    const parts = ['abc', '', 'd', 'efgh', 'i'].map(bytes);
    disk.most = most === 0 ? 1 : most;
    file.writeMany(parts, 2);
    const target = new Uint8Array(11);
    disk.most = 1000;
    file.read(target, 0, 11, 0);
    expect(text(target)).toBe('\0\0abcdefghi');
});
test('a full write is one system call', () => {
    const file = nodeStorage.open(join(top, 'one'), { create: true });
    file.write(bytes('0123456789'), 0, 10, 0);
    expect(disk.calls).toBe(1);
    file.writeMany([bytes('a'), bytes('b')], 0);
    expect(disk.calls).toBe(2);
});
test('a write that makes no progress is an error, not a loop', () => {
    const file = nodeStorage.open(join(top, 'stuck'), { create: true });
    disk.most = 0;
    expect(() => file.write(bytes('x'), 0, 1, 0)).toThrow(StorageError);
});
test('an error of the system names operation and path, and is the cause', () => {
    const file = nodeStorage.open(join(top, 'full'), { create: true });
    disk.full = true;
    for (const write of [() => file.write(bytes('x'), 0, 1, 0), () => file.writeMany([bytes('x'), bytes('y')], 0)]) {
        const error = thrown(write);
        expect(error).toBeInstanceOf(StorageError);
        expect(error).toMatchObject({ code: 'XENON_IO', cause: { code: 'ENOSPC' } });
        expect(error.message).toBe(`cannot write ${file.path}: ENOSPC: no space left on device`);
    }
});
//# sourceMappingURL=short-io.test.js.map