import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CorruptionError } from '../../src/errors.js';
import { nodeStorage } from '../../src/storage/node.js';
import { freshDirectory, thrown } from './places.js';
const top = freshDirectory();
const ways = [{}, { readOnly: true }, { create: true }];
test('files are created with mode 0600, directories and their parents with 0700', () => {
    const directory = join(top, 'modes', 'below');
    nodeStorage.makeDirectory(directory);
    nodeStorage.open(join(directory, 'f'), { create: true }).close();
    expect(statSync(join(directory, 'f')).mode & 0o777).toBe(0o600);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(join(top, 'modes')).mode & 0o777).toBe(0o700);
});
test('a FIFO in place of a file is named and does not hang', () => {
    const path = join(top, 'fifo');
    execFileSync('mkfifo', [path]);
    for (const options of ways) {
        const error = thrown(() => nodeStorage.open(path, options));
        expect(error).toBeInstanceOf(CorruptionError);
        expect(error.message).toBe(`${path}: is a FIFO, not a regular file`);
    }
    expect(nodeStorage.kind(path)).toBe('other');
});
test('a symbolic link in place of a file is named and not followed', () => {
    writeFileSync(join(top, 'target'), 'target');
    for (const target of ['target', 'absent', 'link-absent']) {
        const path = join(top, `link-${target}`);
        symlinkSync(target, path);
        for (const options of ways) {
            const error = thrown(() => nodeStorage.open(path, options));
            expect(error).toBeInstanceOf(CorruptionError);
            expect(error.message).toBe(`${path}: is a symbolic link, not a regular file`);
        }
        expect(nodeStorage.kind(path)).toBe('other');
    }
    expect(lstatSync(join(top, 'absent'), { throwIfNoEntry: false })).toBeUndefined();
});
test('a socket and a device in place of a file are named', async () => {
    const path = join(top, 'socket');
    const server = createServer().listen(path);
    await new Promise(resolve => server.once('listening', resolve));
    expect(thrown(() => nodeStorage.open(path)).message).toBe(`${path}: is a socket, not a regular file`);
    server.close();
    expect(thrown(() => nodeStorage.open('/dev/full')).message).toBe('/dev/full: is a device, not a regular file');
});
test('refused files leave no descriptor open', () => {
    const path = join(top, 'directory');
    mkdirSync(path);
    const before = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 50; i++)
        thrown(() => nodeStorage.open(path, { readOnly: true }));
    expect(readdirSync('/proc/self/fd').length).toBe(before);
});
test('the memory of the machine is a positive number, at most what is built in', () => {
    expect(nodeStorage.memoryBytes).toBeGreaterThan(0);
    expect(nodeStorage.memoryBytes).toBeLessThanOrEqual(totalmem());
});
//# sourceMappingURL=node.test.js.map