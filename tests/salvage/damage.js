import { expect } from 'vitest';
import { KeyHash } from '../../src/hash/key-hash.js';
import { LargeValues } from '../../src/hash/large.js';
import { memoryStorage, open } from '../../src/index.js';
import { bucketNext, RECORD_HEADER_BYTES, RecordFlag, recordAt, recordFlags, recordKeyLength, slotInUse, slotWord, } from '../../src/pager/bucket.js';
import { childOf, directoryCapacity, entryCount } from '../../src/pager/directory.js';
import { AT_COUNT, AT_KIND, AT_NEXT, BlockKind, INDEX_BLOCKS } from '../../src/pager/layout.js';
import { Metadata } from '../../src/pager/metadata.js';
import { Arena } from '../../src/runtime/bytes.js';
import { readImage, storageOf } from '../support/image.js';
import { show } from '../support/model.js';
export const BLOCK = 4096;
export const blocksOf = (image, blockSize = BLOCK) => image.get('data').length / blockSize;
export function rich(random, options = {}, crowded = false) {
    const storage = storageOf(new Map());
    const db = open('db', { durability: 'process', logSegmentBytes: 131072, ...options, storage });
    const records = new Map();
    const values = [];
    for (let i = 0; i < 4000; i++)
        values.push([`key ${i}`, `${i} `.repeat(random.between(1, 60))]);
    for (let i = 0; i < 40; i++)
        values.push([`large ${i}`, String.fromCharCode(97 + random.below(26)).repeat(random.between(2000, 30_000))]);
    db.batch(random.shuffle(values).map(([key, value]) => ({ type: 'put', key, value })));
    for (const [key, value] of values)
        records.set(key, value);
    if (crowded)
        crowd(storage, db, records);
    for (let i = 0; i < 10; i++) {
        db.delete(`large ${i}`);
        records.delete(`large ${i}`);
    }
    for (let i = 0; i < 300; i++) {
        const key = `key ${random.below(4000)}`;
        db.put(key, `changed ${i}`);
        records.set(key, `changed ${i}`);
    }
    const crashed = readImage('db', storage);
    db.close();
    return { closed: readImage('db', storage), crashed, records };
}
function crowd(storage, db, records) {
    const file = storage.open('db/data', { readOnly: true });
    const bytes = new Uint8Array(4096);
    file.read(bytes, 0, bytes.length, 0);
    file.close();
    const { identity } = Metadata.decode(bytes, 'data', storage);
    const hash = new KeyHash(identity.hashKey);
    const long = Math.floor(identity.blockSize / 3) - 100;
    for (let i = 0, left = 1700; left > 0; i++) {
        const key = `crowd ${i}`;
        const encoded = new TextEncoder().encode(key);
        hash.of(encoded, 0, encoded.length);
        if (hash.root !== 77)
            continue;
        const value = `${i}`.padEnd(long, '.');
        db.put(key, value);
        records.set(key, value);
        left--;
    }
}
export function layoutOf(image) {
    const data = image.get('data');
    const { identity, freeHead } = Metadata.decode(data.slice(0, 4096), 'data', memoryStorage());
    const { blockSize } = identity;
    const uses = new Map();
    const arena = new Arena(data.length);
    arena.u8.set(data);
    const note = (block, kind, use) => {
        const keys = new Set();
        uses.set(block, { kind, use, keys });
        return keys;
    };
    const visit = (block, use) => {
        const base = block * blockSize;
        if (arena.u8[base + AT_KIND] === BlockKind.directory) {
            note(block, 'directory', use);
            const level = arena.u8[base + 5];
            for (let i = 0; i < entryCount(arena, base); i++)
                visit(childOf(arena, base, directoryCapacity(blockSize), i), level === 0 ? 'bucket' : 'directory');
            return;
        }
        const keys = note(block, 'bucket', use);
        for (let slot = 0; slot < arena.u16[(base + AT_COUNT) >>> 1]; slot++) {
            if (!slotInUse(slotWord(arena, base, slot)))
                continue;
            const at = recordAt(arena, base, slot);
            const keyAt = at + RECORD_HEADER_BYTES;
            const fieldAt = keyAt + recordKeyLength(arena, at);
            const key = arena.u8.utf8Slice(keyAt, fieldAt);
            keys.add(key);
            if ((recordFlags(arena, at) & RecordFlag.large) === 0)
                continue;
            const pointer = LargeValues.pointer(arena, fieldAt);
            for (let i = 0, part = pointer.head; i < pointer.blocks; i++) {
                note(part, 'large', 'large value').add(key);
                part = arena.u32[(part * blockSize + AT_NEXT) >>> 2];
            }
        }
        const next = bucketNext(arena, base);
        if (next !== 0)
            visit(next, 'overflow');
    };
    for (let root = 1; root <= INDEX_BLOCKS; root++)
        visit(root, 'index');
    for (let block = freeHead; block !== 0; block = arena.u32[(block * blockSize + AT_NEXT) >>> 2])
        note(block, 'free', 'free');
    return { uses };
}
export function smash(image, block, random, blockSize = BLOCK) {
    const bytes = image.get('data').subarray(block * blockSize, (block + 1) * blockSize);
    const before = bytes.slice();
    do {
        const roll = random.below(5);
        const at = random.below(blockSize);
        if (roll === 0)
            bytes.fill(0);
        else if (roll === 1)
            bytes[at] ^= 1 << random.below(8);
        else if (roll === 2)
            bytes.set(random.bytes(512), 512 * random.below(blockSize / 512));
        else if (roll === 3)
            bytes.set(random.bytes(blockSize));
        else
            bytes.fill(0, 512 * random.below(blockSize / 512));
    } while (Buffer.compare(before, bytes) === 0);
}
export function expectOutcome(found, records, lost, rebuilt = 0) {
    for (const [key, value] of found) {
        if (!records.has(key))
            expect.fail(`${show(key)} was invented`);
        if (records.get(key) !== value)
            expect.fail(`${show(key)} is ${show(value)}, expected ${show(records.get(key))}`);
        if (lost.has(key) && rebuilt === 0)
            expect.fail(`${show(key)} lay in a damaged block`);
    }
    for (const key of records.keys())
        if (!found.has(key) && !lost.has(key))
            expect.fail(`${show(key)} is missing`);
}
//# sourceMappingURL=damage.js.map