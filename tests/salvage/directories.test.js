import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { memoryStorage, open, StorageError, salvage } from '../../src/index.js';
import { FORMAT_VERSION } from '../../src/pager/metadata.js';
import { nodeStorage } from '../../src/storage/node.js';
import { withDirectory } from '../support/directory.js';
import { expectCode, expectCodeAsync, failureOf, wrong } from '../support/errors.js';
import { copyImage, differences, readImage, segments, storageOf } from '../support/image.js';
import { expectEqual } from '../support/model.js';
const records = new Map(Array.from({ length: 300 }, (_, i) => [`key ${i}`, 'v'.repeat(20 * i)]));
function closed() {
    const storage = memoryStorage();
    const db = open('db', { storage });
    db.batch([...records].map(([key, value]) => ({ type: 'put', key, value })));
    db.close();
    return readImage('db', storage);
}
function fill(directory) {
    const db = open(directory);
    db.batch([...records].map(([key, value]) => ({ type: 'put', key, value })));
    db.close();
}
describe('the new directory', () => {
    test('may be an empty one', () => withDirectory(async (parent) => {
        fill(`${parent}/db`);
        mkdirSync(`${parent}/new`);
        expect((await salvage(`${parent}/db`, `${parent}/new`)).complete).toBe(true);
        const db = open(`${parent}/new`);
        expectEqual(db, records);
        db.close();
    }));
    test('is refused, and left alone, if anything is in it, or if it is a file', () => withDirectory(async (parent) => {
        fill(`${parent}/db`);
        fill(`${parent}/full`);
        mkdirSync(`${parent}/notes`);
        writeFileSync(`${parent}/notes/mine.txt`, 'mine');
        writeFileSync(`${parent}/file`, 'mine');
        const before = readImage(parent);
        for (const name of ['full', 'notes', 'file'])
            await expectCodeAsync(() => salvage(`${parent}/db`, `${parent}/${name}`), 'XENON_EXISTS');
        expect(differences(before, readImage(parent))).toEqual([]);
    }));
    test('is refused inside the damaged database, or in its place', () => withDirectory(async (parent) => {
        fill(`${parent}/db`);
        const before = readdirSync(`${parent}/db`, { recursive: true }).sort();
        for (const name of ['db', 'db/new', 'db/log/new', 'db/../db/a/b', './db/.'])
            await expectCodeAsync(() => salvage(`${parent}/db`, `${parent}/${name}`), 'XENON_INVALID_ARGUMENT', 'XENON_EXISTS');
        expect(readdirSync(`${parent}/db`, { recursive: true }).sort()).toEqual(before);
    }));
});
describe('the damaged database', () => {
    test('is refused while another handle has it', () => withDirectory(async (parent) => {
        fill(`${parent}/db`);
        const db = open(`${parent}/db`);
        const error = await expectCodeAsync(() => salvage(`${parent}/db`, `${parent}/new`), 'XENON_LOCKED');
        expect(error).toMatchObject({ pid: process.pid });
        expect(readdirSync(parent)).toEqual(['db']);
        db.close();
        expect((await salvage(`${parent}/db`, `${parent}/new`)).complete).toBe(true);
        open(`${parent}/db`).close();
    }));
    test('is locked meanwhile', () => withDirectory(async (parent) => {
        fill(`${parent}/db`);
        let tried = 0;
        await salvage(`${parent}/db`, `${parent}/new`, {
            onProgress: () => {
                tried++;
                expectCode(() => open(`${parent}/db`), 'XENON_LOCKED');
                expectCode(() => open(`${parent}/new`), 'XENON_LOCKED');
            },
        });
        expect(tried).toBeGreaterThan(0);
    }));
    test('is worked on without a lock where none can be written', async () => {
        const below = storageOf(closed());
        const storage = {
            ...below,
            lock: directory => {
                if (directory === 'db')
                    throw new StorageError('cannot create the lock: EROFS', new Error('EROFS'));
                return below.lock(directory);
            },
        };
        const report = await salvage('db', 'new', { storage });
        expect(report).toMatchObject({ complete: true, records: records.size });
        expect(report.warnings).toEqual([expect.stringContaining('without a lock')]);
    });
    test.runIf(process.getuid?.() !== 0)('may lie in a directory that cannot be written', () => withDirectory(async (parent) => {
        fill(`${parent}/db`);
        chmodSync(`${parent}/db`, 0o500);
        try {
            expect((await salvage(`${parent}/db`, `${parent}/new`)).complete).toBe(true);
        }
        finally {
            chmodSync(`${parent}/db`, 0o700);
        }
    }));
    test('must be one', () => withDirectory(async (parent) => {
        mkdirSync(`${parent}/empty`);
        writeFileSync(`${parent}/file`, 'mine');
        for (const name of ['empty', 'file', 'absent'])
            await expectCodeAsync(() => salvage(`${parent}/${name}`, `${parent}/new`), 'XENON_NOT_FOUND');
        expect(readdirSync(parent).sort()).toEqual(['empty', 'file']);
        expect(readdirSync(`${parent}/empty`)).toEqual([]);
    }));
    test('is refused if nothing tells whose blocks these are', async () => {
        const image = closed();
        const contents = {
            'of 0 bytes': () => new Uint8Array(0),
            'of text': data => Buffer.alloc(data.length, 'my diary\n'),
            'of random bytes': data => new Uint8Array(data.length).map((_, i) => (i * 2654435761) >>> 13),
        };
        for (const [name, make] of Object.entries(contents)) {
            const damaged = copyImage(image);
            damaged.set('data', make(image.get('data')));
            const storage = storageOf(damaged);
            await expectCodeAsync(() => salvage('db', 'new', { storage }), 'XENON_CORRUPT');
            expect(storage.kind('new'), name).toBe('none');
            expect(differences(damaged, readImage('db', storage))).toEqual([]);
        }
        const alone = new Map([['data', image.get('data').slice().fill(0, 0, 512)]]);
        await expectCodeAsync(() => salvage('db', 'new', { storage: storageOf(alone) }), 'XENON_CORRUPT');
        const logOnly = copyImage(image);
        logOnly.delete('data');
        await expectCodeAsync(() => salvage('db', 'new', { storage: storageOf(logOnly) }), 'XENON_CORRUPT');
    });
    test('of a later format version is not read by the rules of this one', async () => {
        const image = closed();
        const data = image.get('data');
        const view = new DataView(data.buffer, data.byteOffset);
        view.setUint32(8, FORMAT_VERSION + 1, true);
        view.setUint32(508, nodeStorage.crc32(data.subarray(0, 508), 0), true);
        const error = await expectCodeAsync(() => salvage('db', 'new', { storage: storageOf(image) }), 'XENON_FORMAT_VERSION');
        expect(error.message).toContain('version');
    });
    test('may have the log of another database beside it: that is left out', async () => {
        const image = closed();
        const stranger = closed();
        for (const name of segments(stranger))
            image.set('log/00000077.log', stranger.get(name));
        const report = await salvage('db', 'new', { storage: storageOf(image) });
        expect(report).toMatchObject({ complete: true, records: records.size });
        expect(report.warnings).toEqual([expect.stringContaining('belongs to another database')]);
    });
});
describe('a salvage that fails midway', () => {
    const image = closed();
    test('leaves nothing that could be opened, at whichever write it fails', async () => {
        let failures = 0;
        for (let writes = 0;; writes += writes < 20 ? 1 : 7) {
            const below = storageOf(image);
            const error = await failureOf(() => salvage('db', 'new', { storage: failingAt(writes, below), cacheBytes: 65536 }));
            if (error === undefined)
                break;
            failures++;
            expect(error).toBeInstanceOf(Error);
            expect([...readImage('new', below).keys()], `write ${writes}`).toEqual([]);
            expect(differences(image, readImage('db', below))).toEqual([]);
            if (failures % 10 === 1)
                expect((await salvage('db', 'new', { storage: below, cacheBytes: 65536 })).complete).toBe(true);
        }
        expect(failures).toBeGreaterThan(20);
    });
    test('by the end of its process leaves what open refuses, or what is finished', async () => {
        let refused = 0;
        for (let writes = 0;; writes += writes < 20 ? 1 : 7) {
            const below = storageOf(image);
            const error = await failureOf(() => salvage('db', 'new', { storage: failingAt(writes, below, true), cacheBytes: 65536 }));
            if (error === undefined)
                break;
            const left = storageOf(new Map([...readImage('new', below)]));
            if (left.kind('db/data') === 'none') {
                if (readImage('new', below).size > 0) {
                    refused++;
                    expectCode(() => open('db', { storage: left }), 'XENON_CORRUPT');
                }
            }
            else {
                const db = open('db', { storage: left });
                expectEqual(db, records);
                db.close();
            }
            expect(differences(image, readImage('db', below))).toEqual([]);
        }
        expect(refused).toBeGreaterThan(20);
    });
});
test('wrong arguments are refused', async () => {
    const storage = storageOf(closed());
    for (const attempt of [
        () => salvage('', 'new', { storage }),
        () => salvage('db', '', { storage }),
        () => salvage('db\0', 'new', { storage }),
        () => salvage(wrong(1), 'new', { storage }),
        () => salvage('db', 'new', wrong(null)),
        () => salvage('db', 'new', { storage, blockSize: 5000 }),
        () => salvage('db', 'new', { storage, onProgress: wrong(1) }),
        () => salvage('db', 'new', wrong({ storage, readOnly: true })),
    ])
        await expectCodeAsync(attempt, 'XENON_INVALID_ARGUMENT');
    expect(storage.kind('new')).toBe('none');
});
function failingAt(writes, storage, forGood = false) {
    let left = writes;
    const step = () => {
        if (left-- === 0 || (forGood && left < 0))
            throw new StorageError('cannot write: ENOSPC', new Error('ENOSPC'));
    };
    return {
        ...storage,
        open(path, options) {
            if (options?.create)
                step();
            const file = storage.open(path, options);
            const write = file.write.bind(file);
            const writeMany = file.writeMany.bind(file);
            file.write = (...given) => {
                step();
                write(...given);
            };
            file.writeMany = (...given) => {
                step();
                writeMany(...given);
            };
            return file;
        },
        rename(from, to) {
            step();
            storage.rename(from, to);
        },
        remove(path) {
            if (forGood)
                step();
            storage.remove(path);
        },
    };
}
//# sourceMappingURL=directories.test.js.map