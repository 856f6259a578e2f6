import { describe, expect, test } from 'vitest';
import { freeSlot, takenSlot, takeSlot } from '../../src/freelist/slots.js';
import { bucketProblem, compact, contiguousBytes, findSlot, fits, formatBucket, liveBytes, recordAt, recordBytes, recordFieldLength, recordFlags, recordKeyLength, recordSize, SLOT_BYTES, slotInUse, slotWord, writeRecordHeader, } from '../../src/pager/bucket.js';
import { AT_COUNT, AT_GARBAGE, AT_LIVE, AT_RECORD_BYTES, BUCKET_STATE_BYTES, BUCKET_STATE_OFFSET, HEADER_BYTES, maxInlineRecord, } from '../../src/pager/layout.js';
import { Arena } from '../../src/runtime/bytes.js';
import { runs, seeded } from '../support/random.js';
const GUARD = 256;
describe('a bucket agrees with a Map', () => {
    for (const blockSize of [4096, 65536]) {
        test(`of ${blockSize} bytes, after every insertion, removal and compaction`, () => seeded(random => {
            for (let run = 0; run < (blockSize === 4096 ? 12 : 2) * runs; run++) {
                const bucket = new Bucket(blockSize);
                const largest = random.pick([30, 200, maxInlineRecord(blockSize)]);
                for (let step = 0; step < 250; step++) {
                    if (random.chance(step % 125 < 80 ? 0.7 : 0.3))
                        bucket.insert(random, largest);
                    else
                        bucket.remove(random);
                    if (random.chance(0.03))
                        bucket.compact();
                    bucket.check(step % 10 === 0);
                }
                bucket.compact();
                bucket.check(true);
                while (bucket.records.size > 0)
                    bucket.remove(random);
                bucket.check(true);
                expect(contiguousBytes(bucket.arena, bucket.base, blockSize)).toBe(blockSize - HEADER_BYTES);
            }
        }));
    }
});
describe('compaction', () => {
    test('keeps the records in the order of their slots and leaves nothing between', () => seeded(random => {
        const bucket = new Bucket(4096);
        while (bucket.insert(random, 60))
            ;
        for (let i = 0; i < 12; i++)
            bucket.remove(random);
        const before = bucket.keysBySlot();
        bucket.compact();
        expect(bucket.keysBySlot()).toEqual(before);
        const { arena, base } = bucket;
        expect(bucket.state(AT_GARBAGE)).toBe(0);
        expect(bucket.state(AT_COUNT)).toBe(before.length);
        const free = contiguousBytes(arena, base, 4096);
        expect(free).toBe(4096 - HEADER_BYTES - liveBytes(arena, base));
        const from = base + HEADER_BYTES + SLOT_BYTES * before.length;
        expect(arena.u8.subarray(from, from + free).every(byte => byte === 0)).toBe(true);
    }));
    test('gives the same bytes from the same bytes, since the log redoes it by doing it again', () => seeded(random => {
        const bucket = new Bucket(4096);
        while (bucket.insert(random, 60))
            ;
        for (let i = 0; i < 12; i++)
            bucket.remove(random);
        const bytes = bucket.bytes();
        bucket.compact();
        const once = bucket.bytes();
        bucket.arena.u8.set(bytes, bucket.base);
        bucket.arena.u8.fill(0xee, bucket.scratch, bucket.scratch + 4096);
        bucket.compact();
        expect(bucket.bytes()).toEqual(once);
    }));
});
describe('bucketProblem', () => {
    test('finds every flipped bit of the counts', () => seeded(random => {
        for (const bucket of samples(random)) {
            for (let bit = 0; bit < 8 * BUCKET_STATE_BYTES; bit++) {
                const at = bucket.base + BUCKET_STATE_OFFSET + (bit >> 3);
                bucket.arena.u8[at] ^= 1 << (bit & 7);
                expect(bucket.problem(), `bit ${bit & 7} of byte ${at - bucket.base}`).toBeTypeOf('string');
                bucket.arena.u8[at] ^= 1 << (bit & 7);
            }
            expect(bucket.problem()).toBeUndefined();
        }
    }));
    test('lets no flipped bit of the rest of the header change what is found', () => seeded(random => {
        for (const bucket of samples(random)) {
            for (let byte = 0; byte < HEADER_BYTES; byte++) {
                if (byte >= BUCKET_STATE_OFFSET && byte < BUCKET_STATE_OFFSET + BUCKET_STATE_BYTES)
                    continue;
                bucket.arena.u8[bucket.base + byte] ^= 1 << random.below(8);
                bucket.check(true);
            }
        }
    }));
    test('finds every flipped bit of a slot that would lead out of the record area or lose a record', () => seeded(random => {
        for (const bucket of samples(random)) {
            const { arena, base } = bucket;
            for (let slot = 0; slot < bucket.state(AT_COUNT); slot++) {
                const word = slotWord(arena, base, slot);
                const at = ((base + HEADER_BYTES) >>> 2) + slot;
                arena.u32[at] = (word ^ 0x80000000) >>> 0;
                expect(bucket.problem(), `slot ${slot} in use or not`).toBeTypeOf('string');
                arena.u32[at] = ((word & 0xffff0000) | (HEADER_BYTES + SLOT_BYTES)) >>> 0;
                expect(bucket.problem(), `slot ${slot} among the slots`).toBeTypeOf('string');
                arena.u32[at] = ((word & 0xffff0000) | 4094) >>> 0;
                expect(bucket.problem(), `slot ${slot} at the end`).toBeTypeOf('string');
                arena.u32[at] = word;
            }
            expect(bucket.problem()).toBeUndefined();
        }
    }));
    test('finds a cycle in the list of free slots', () => {
        const bucket = new Bucket(4096);
        for (let i = 0; i < 6; i++)
            bucket.put(`key ${i}`, 'x', 0);
        for (let i = 1; i < 5; i++)
            bucket.removeKey(`key ${i}`);
        const { arena, base } = bucket;
        const at = ((base + HEADER_BYTES) >>> 2) + 1;
        arena.u32[at] = (4 << 16) | (arena.u32[at] & 0xffff);
        expect(bucket.problem()).toMatch(/cyclic/);
    });
    test('reads nothing outside of the block, whatever its bytes are, and neither does anybody after it', () => seeded(random => {
        let sound = 0;
        for (let run = 0; run < 1500 * runs; run++) {
            const bucket = random.chance(0.5) ? samples(random)[1] : new Bucket(4096);
            const { arena, base } = bucket;
            for (let i = random.between(1, 12); i > 0; i--) {
                const offset = random.pick([
                    random.below(4096),
                    BUCKET_STATE_OFFSET + random.below(BUCKET_STATE_BYTES),
                    HEADER_BYTES + random.below(60),
                ]);
                arena.u8[base + offset] = random.chance(0.5) ? random.below(256) : random.pick([0, 255]);
            }
            const watched = watch(arena, base, base + 4096);
            if (bucketProblem(watched, base, 4096) !== undefined)
                continue;
            sound++;
            for (let slot = 0; slot < bucket.state(AT_COUNT); slot++)
                if (slotInUse(slotWord(watched, base, slot))) {
                    const record = recordAt(watched, base, slot);
                    expect(record + recordSize(watched, record)).toBeLessThanOrEqual(base + 4096);
                }
            takeSlot(watched, base, 4096, 0x8001, 40);
        }
        expect(sound).toBeGreaterThan(0);
    }));
});
describe('the header of a record', () => {
    test('holds keys of every length, fields of every length, and flags', () => {
        const arena = new Arena(64);
        for (const keyLength of [0, 1, 255, 256, 257, 1023, 1024]) {
            for (const fieldLength of [0, 1, 255, 256, 21000, 65535]) {
                for (const flags of [0, 1, 31]) {
                    writeRecordHeader(arena, 8, flags, keyLength, fieldLength);
                    expect(recordKeyLength(arena, 8)).toBe(keyLength);
                    expect(recordFieldLength(arena, 8)).toBe(fieldLength);
                    expect(recordFlags(arena, 8)).toBe(flags);
                    expect(recordSize(arena, 8)).toBe(recordBytes(keyLength, fieldLength));
                }
            }
        }
        expect([arena.u8[7], arena.u8[12]]).toEqual([0, 0]);
    });
});
const samples = (random) => {
    const used = new Bucket(4096);
    for (let i = 0; i < 40; i++)
        used.insert(random, 100);
    for (let i = 0; i < 15; i++)
        used.remove(random);
    const compacted = new Bucket(4096);
    for (let i = 0; i < 20; i++)
        compacted.insert(random, 100);
    compacted.remove(random);
    compacted.compact();
    return [new Bucket(4096), used, compacted];
};
const watch = (arena, from, to) => {
    const guard = (array) => new Proxy(array, {
        get(target, name) {
            const index = Number(name);
            const at = index * target.BYTES_PER_ELEMENT;
            if (Number.isInteger(index) && (at < from || at >= to))
                throw new RangeError(`byte ${at - from} read`);
            return Reflect.get(target, name);
        },
    });
    return { ...arena, u8: guard(arena.u8), u16: guard(arena.u16), u32: guard(arena.u32) };
};
class Bucket {
    #keyAt;
    #next;
    constructor(blockSize) {
        this.base = GUARD;
        this.records = new Map();
        this.#next = 0;
        this.blockSize = blockSize;
        this.scratch = 2 * GUARD + blockSize;
        this.#keyAt = this.scratch + blockSize + GUARD;
        this.arena = new Arena(this.#keyAt + 1024);
        this.arena.u8.fill(0xa5);
        formatBucket(this.arena, this.base, blockSize);
    }
    insert(random, largest) {
        const key = `${this.#next++}`.padEnd(random.below(20), '*');
        const value = 'v'.repeat(random.below(Math.max(1, largest - recordBytes(key.length, 0) + 1)));
        return this.put(key, value, 0x8000 | random.below(3));
    }
    put(key, value, tag) {
        const { arena, base, blockSize } = this;
        const size = recordBytes(key.length, value.length);
        const room = HEADER_BYTES + liveBytes(arena, base) + SLOT_BYTES + size <= blockSize;
        expect(fits(arena, base, blockSize, size)).toBe(room);
        if (!room)
            return false;
        let taken = takeSlot(arena, base, blockSize, tag | 0x8000, size);
        if (taken < 0) {
            this.compact();
            taken = takeSlot(arena, base, blockSize, tag | 0x8000, size);
        }
        expect(taken).toBeGreaterThanOrEqual(0);
        const record = recordAt(arena, base, takenSlot(taken));
        writeRecordHeader(arena, record, 0, key.length, value.length);
        arena.u8.set(Buffer.from(key + value, 'latin1'), record + 4);
        this.records.set(key, { value, tag: tag | 0x8000 });
        return true;
    }
    remove(random) {
        if (this.records.size > 0)
            this.removeKey(random.pick([...this.records.keys()]));
    }
    removeKey(key) {
        freeSlot(this.arena, this.base, this.slotOf(key, this.records.get(key).tag));
        this.records.delete(key);
    }
    compact() {
        compact(this.arena, this.base, this.blockSize, this.scratch);
    }
    slotOf(key, tag) {
        this.arena.u8.set(Buffer.from(key, 'latin1'), this.#keyAt);
        return findSlot(this.arena, this.base, tag, this.#keyAt, key.length);
    }
    problem() {
        return bucketProblem(this.arena, this.base, this.blockSize);
    }
    state(at) {
        return this.arena.u16[(this.base + at) >>> 1];
    }
    bytes() {
        return new Uint8Array(this.arena.u8.subarray(this.base, this.base + this.blockSize));
    }
    keysBySlot() {
        const slots = [...this.records].map(([key, { tag }]) => ({ key, slot: this.slotOf(key, tag) }));
        return slots.sort((a, b) => a.slot - b.slot).map(({ key }) => key);
    }
    check(all) {
        const { arena, base, blockSize, records } = this;
        expect(this.problem()).toBeUndefined();
        const sizes = [...records].map(([key, { value }]) => recordBytes(key.length, value.length));
        const bytes = sizes.reduce((sum, size) => sum + size, 0);
        expect(liveBytes(arena, base)).toBe(bytes + SLOT_BYTES * records.size);
        expect(this.state(AT_LIVE)).toBe(records.size);
        const words = Array.from({ length: this.state(AT_COUNT) }, (_, slot) => slotWord(arena, base, slot));
        expect(words.filter(slotInUse).length).toBe(records.size);
        expect(this.state(AT_GARBAGE)).toBe(this.state(AT_RECORD_BYTES) - bytes);
        expect(contiguousBytes(arena, base, blockSize)).toBeGreaterThanOrEqual(0);
        for (const from of [0, base + blockSize, this.scratch + blockSize])
            expect(arena.u8.subarray(from, from + GUARD).every(byte => byte === 0xa5)).toBe(true);
        if (!all)
            return;
        for (const [key, { value, tag }] of records) {
            const record = recordAt(arena, base, this.slotOf(key, tag));
            const at = record + 4 + key.length;
            expect(recordFieldLength(arena, record)).toBe(value.length);
            expect(arena.u8.utf8Slice(at, at + value.length)).toBe(value);
            expect(this.slotOf(`${key}!`, tag)).toBe(-1);
            expect(this.slotOf(key, tag ^ 0x100)).toBe(-1);
        }
    }
}
//# sourceMappingURL=bucket.test.js.map