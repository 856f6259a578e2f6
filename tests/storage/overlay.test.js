import { describe, expect, test } from 'vitest';
import { memoryStorage, open } from '../../src/index.js';
import { overlayStorage } from '../../src/storage/overlay.js';
import { copyImage, differences, readImage, storageOf } from '../support/image.js';
import { expectEqual } from '../support/model.js';
import { runs, seeded } from '../support/random.js';
function sealed(storage) {
    const refuse = () => {
        throw new Error('the storage below was to be written');
    };
    return {
        ...storage,
        makeDirectory: refuse,
        rename: refuse,
        remove: refuse,
        lock: refuse,
        open: (path, options) => options?.readOnly === true && options.create !== true ? storage.open(path, options) : refuse(),
    };
}
test('a database is opened, recovered, changed and closed above, and nothing changes below', async () => {
    const storage = memoryStorage();
    const db = open('db', { storage, durability: 'process', logSegmentBytes: 131072 });
    const records = new Map();
    for (let i = 0; i < 2000; i++) {
        db.put(`key ${i}`, 'v'.repeat(i));
        records.set(`key ${i}`, 'v'.repeat(i));
    }
    const image = readImage('db', storage);
    const below = storageOf(image);
    const above = overlayStorage(sealed(below));
    const copy = open('db', { storage: above });
    expect(copy.stats().recovery.needed).toBe(true);
    expectEqual(copy, records);
    for (let i = 0; i < 2000; i += 3) {
        copy.delete(`key ${i}`);
        records.delete(`key ${i}`);
    }
    copy.close();
    const again = open('db', { storage: above });
    expectEqual(again, records);
    expect((await again.verify()).problems).toEqual([]);
    again.close();
    expect(differences(image, readImage('db', below))).toEqual([]);
    db.close();
});
describe('a file of the storage below', () => {
    const base = () => {
        const storage = memoryStorage();
        storage.makeDirectory('d');
        const file = storage.open('d/f', { create: true });
        file.write(new Uint8Array(10_000).fill(1), 0, 10_000, 0);
        file.close();
        return sealed(storage);
    };
    test('that was removed is gone, also from the list, and may be created anew', () => {
        const storage = overlayStorage(base());
        expect(storage.list('d')).toEqual(['f']);
        storage.remove('d/f');
        expect(storage.kind('d/f')).toBe('none');
        expect(storage.list('d')).toEqual([]);
        expect(storage.open('d/f', { create: true }).size()).toBe(0);
        expect(storage.list('d')).toEqual(['f']);
    });
    test('that was renamed keeps its bytes under the new name', () => {
        const storage = overlayStorage(base());
        storage.rename('d/f', 'd/g');
        expect(storage.list('d')).toEqual(['g']);
        const file = storage.open('d/g');
        const bytes = new Uint8Array(10_001);
        expect(file.read(bytes, 0, 10_001, 0)).toBe(10_000);
        expect(bytes.subarray(0, 10_000).every(byte => byte === 1)).toBe(true);
    });
    test('does not shine through where it was cut off', () => {
        const file = overlayStorage(base()).open('d/f');
        file.truncate(5000);
        file.truncate(9000);
        const bytes = new Uint8Array(9000);
        expect(file.read(bytes, 0, 9000, 0)).toBe(9000);
        expect(bytes.indexOf(0)).toBe(5000);
        expect(bytes.lastIndexOf(1)).toBe(4999);
    });
});
test('random reads and writes give what they give on a file of its own', () => seeded(random => {
    for (let run = 0; run < 20 * runs; run++) {
        const image = new Map([['f', random.bytes(random.below(40_000))]]);
        const below = storageOf(image);
        const model = storageOf(copyImage(image)).open('db/f');
        const file = overlayStorage(sealed(below)).open('db/f');
        for (let i = 0; i < 200; i++) {
            const position = random.below(50_000);
            const length = random.below(random.chance(0.2) ? 20_000 : 600);
            const roll = random.below(10);
            if (roll === 0)
                for (const each of [file, model])
                    each.truncate(position);
            else if (roll < 5) {
                const bytes = random.bytes(length);
                for (const each of [file, model])
                    each.write(bytes, 0, length, position);
            }
            else {
                const [a, b] = [new Uint8Array(length).fill(9), new Uint8Array(length).fill(9)];
                expect(file.read(a, 0, length, position)).toBe(model.read(b, 0, length, position));
                expect(Buffer.compare(a, b)).toBe(0);
            }
            expect(file.size()).toBe(model.size());
        }
        expect(differences(image, readImage('db', below))).toEqual([]);
    }
}));
//# sourceMappingURL=overlay.test.js.map