import * as zlib from 'node:zlib';
import { open } from '../../src/index.js';
import { AT_KIND, BlockKind, INDEX_BLOCKS } from '../../src/pager/layout.js';
import { METADATA_BYTES, Metadata } from '../../src/pager/metadata.js';
import { hashIn, keysOfRoot } from '../hash/keys.js';
import { readImage, storageOf } from '../support/image.js';
import { groupsOf } from './groups.js';
export const BLOCK = 4096;
export const smallOptions = {
    durability: 'power',
    cacheBytes: 524288,
    logSegmentBytes: 131072,
};
export function fastStorage(image) {
    const { crc32 } = zlib;
    const storage = storageOf(image);
    return crc32 === undefined ? storage : { ...storage, crc32 };
}
export async function smallSample(random) {
    const storage = fastStorage(new Map());
    const records = new Map();
    let db = open('db', { ...smallOptions, storage });
    const states = [];
    const put = (key, value) => {
        db.put(key, value);
        records.set(key, value);
        states.push(new Map(records));
    };
    const remove = (key) => {
        db.delete(key);
        records.delete(key);
        states.push(new Map(records));
    };
    const text = (from, to) => String.fromCharCode(97 + random.below(26)).repeat(random.between(from, to));
    const hash = hashIn(readImage('db', storage));
    for (const key of keysOfRoot(hash, 7, 14, random))
        put(key, text(900, 1300));
    const chained = keysOfRoot(hash, 50, 5, random);
    for (const key of chained)
        put(key, text(1000, 1300));
    for (let i = 0; i < 12; i++)
        put(`key ${i}`, text(0, 200));
    put('large', text(9_000, 12_000));
    put('large too', text(5_000, 6_000));
    put('dropped', text(9_000, 12_000));
    remove('dropped');
    remove('key 3');
    db.close();
    const closed = readImage('db', storage);
    const closedRecords = new Map(records);
    db = open('db', { ...smallOptions, storage });
    while (db.stats().log.bytes < 105_000)
        put('filler', text(6_000, 7_000));
    await db.checkpoint();
    states.splice(0, states.length, new Map(records));
    while (segmentsInUse(readImage('db', storage)) < 2)
        put('filler', text(3_000, 4_000));
    put(chained[0], text(1000, 1300));
    db.transaction(tx => {
        for (const key of ['key 0', 'key 1', 'large too', 'new']) {
            const value = text(100, 9_000);
            tx.put(key, value);
            records.set(key, value);
        }
    });
    states.push(new Map(records));
    remove('key 5');
    put('large', text(9_000, 16_000));
    for (let i = 12; i < 18; i++)
        put(`key ${i}`, text(0, 300));
    put('filler', text(6_000, 7_000));
    const beforeLast = new Map(records);
    put('last', text(10, 500));
    const live = readImage('db', storage);
    db.close();
    return { closed, closedRecords, live, liveRecords: records, beforeLast, states };
}
function segmentsInUse(image) {
    return new Set(groupsOf(image, metadataIn(image).redoLsn).map(group => group.segment)).size;
}
export function metadataIn(image) {
    return Metadata.decode(image.get('data').subarray(0, METADATA_BYTES), 'data', fastStorage(new Map()));
}
export function seal(image, block) {
    const { crc32 } = fastStorage(new Map());
    const number = new Uint8Array(new Uint32Array([block]).buffer);
    const bytes = image.get('data').subarray(block * BLOCK, (block + 1) * BLOCK);
    const checksum = crc32(bytes.subarray(4), crc32(number, crc32(metadataIn(image).identity.uuid, 0)));
    bytes.set(new Uint8Array(new Uint32Array([checksum]).buffer));
}
export function blockOfEachKind(image) {
    const data = image.get('data');
    const find = (kind, from, wanted = () => true) => {
        for (let block = from; block * BLOCK < data.length; block++)
            if (data[block * BLOCK + AT_KIND] === kind && wanted(block * BLOCK))
                return block;
        return 0;
    };
    const live = (at) => data[at + 10];
    const blocks = {
        'an index block with records': find(BlockKind.bucket, 1, at => live(at) > 0),
        'an empty index block': find(BlockKind.bucket, 1, at => live(at) === 0),
        'an index block with a directory': find(BlockKind.directory, 1),
        'an overflow block': find(BlockKind.bucket, INDEX_BLOCKS + 1),
        'a large value part': find(BlockKind.large, INDEX_BLOCKS + 1),
        'a free block': find(BlockKind.free, INDEX_BLOCKS + 1),
    };
    return Object.fromEntries(Object.entries(blocks).filter(([, block]) => block > 0));
}
export function scanned(db) {
    const records = new Map();
    db.reset();
    while (db.next()) {
        const { key, value } = db.readCurrent();
        records.set(key, value);
    }
    return records;
}
//# sourceMappingURL=small.js.map