import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { memoryStorage } from '../../src/index.js';
export function readImage(directory, storage) {
    const image = new Map();
    const visit = (path, name) => {
        const kind = storage === undefined ? kindOnDisk(path) : storage.kind(path);
        if (kind === 'directory') {
            const entries = storage === undefined ? readdirSync(path) : storage.list(path);
            const below = (entry) => storage?.join(path, entry) ?? join(path, entry);
            for (const entry of entries.sort())
                visit(below(entry), name === '' ? entry : `${name}/${entry}`);
        }
        else if (kind === 'file' && !/^lock\b/.test(name)) {
            image.set(name, storage === undefined ? new Uint8Array(readFileSync(path)) : readAll(storage, path));
        }
    };
    visit(directory, '');
    return image;
}
export function writeImage(directory, image) {
    mkdirSync(join(directory, 'log'), { recursive: true });
    for (const [name, bytes] of image) {
        mkdirSync(dirname(join(directory, name)), { recursive: true });
        writeFileSync(join(directory, name), bytes);
    }
}
export function storageOf(image) {
    const storage = memoryStorage();
    storage.makeDirectory('db');
    storage.makeDirectory(storage.join('db', 'log'));
    for (const [name, bytes] of image) {
        const path = storage.join('db', ...name.split('/'));
        const file = storage.open(path, { create: true });
        if (bytes.length > 0)
            file.write(bytes, 0, bytes.length, 0);
        file.sync();
        file.close();
    }
    storage.syncDirectory('db');
    return storage;
}
export function copyImage(image) {
    return new Map([...image].map(([name, bytes]) => [name, bytes.slice()]));
}
export function differences(before, after) {
    const names = new Set([...before.keys(), ...after.keys()]);
    return [...names].filter(name => {
        const a = before.get(name);
        const b = after.get(name);
        return a === undefined || b === undefined || Buffer.compare(a, b) !== 0;
    });
}
export function segments(image) {
    return [...image.keys()].filter(name => name.startsWith('log/') && name.endsWith('.log')).sort();
}
function kindOnDisk(path) {
    if (!existsSync(path))
        return 'none';
    const status = lstatSync(path);
    return status.isDirectory() ? 'directory' : status.isFile() ? 'file' : 'other';
}
function readAll(storage, path) {
    const file = storage.open(path, { readOnly: true });
    try {
        const bytes = new Uint8Array(file.size());
        file.read(bytes, 0, bytes.length, 0);
        return bytes;
    }
    finally {
        file.close();
    }
}
//# sourceMappingURL=image.js.map