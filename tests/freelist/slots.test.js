import { describe, expect, test } from 'vitest';
import { freeSlot, relinkedSlot, takenSlot, takeSlot } from '../../src/freelist/slots.js';
import { bucketProblem, compact, contiguousBytes, fits, formatBucket, liveBytes, recordAt, recordBytes, recordSize, SLOT_BYTES, slotInUse, slotWord, writeRecordHeader, } from '../../src/pager/bucket.js';
import { AT_COUNT, AT_FREE_SLOT, AT_LIVE, AT_RECORD_BYTES, HEADER_BYTES } from '../../src/pager/layout.js';
import { Arena } from '../../src/runtime/bytes.js';
import { runs, seeded } from '../support/random.js';
const BLOCK = 4096;
const BASE = BLOCK;
const SCRATCH = 2 * BLOCK;
const TAG = 0x8123;
describe('a freed slot', () => {
    test('is taken again, with its hole, by a record that fits', () => {
        const bucket = new Bucket();
        const slots = [100, 200, 300].map(size => bucket.take(size));
        const offset = bucket.offset(slots[1]);
        const bytes = bucket.state(AT_RECORD_BYTES);
        freeSlot(bucket.arena, BASE, slots[1]);
        expect(bucket.take(150)).toBe(slots[1]);
        expect(bucket.offset(slots[1])).toBe(offset);
        expect(bucket.state(AT_RECORD_BYTES)).toBe(bytes);
        expect(bucket.state(AT_COUNT)).toBe(3);
    });
    test('is taken without its hole by a record that is longer', () => {
        const bucket = new Bucket();
        const slots = [100, 200, 300].map(size => bucket.take(size));
        const bytes = bucket.state(AT_RECORD_BYTES);
        freeSlot(bucket.arena, BASE, slots[1]);
        expect(bucket.take(201)).toBe(slots[1]);
        expect(bucket.state(AT_RECORD_BYTES)).toBe(bytes + 201);
        expect(bucket.state(AT_COUNT)).toBe(3);
    });
    test('behind three others is found for its hole; the slot before it is relinked', () => {
        const bucket = new Bucket();
        const slots = [300, 20, 20, 20, 20].map(size => bucket.take(size));
        for (const slot of slots.slice(0, 4))
            freeSlot(bucket.arena, BASE, slot);
        const taken = bucket.takeRaw(300);
        expect(takenSlot(taken)).toBe(slots[0]);
        expect(relinkedSlot(taken)).toBe(slots[1]);
        expect(slotWord(bucket.arena, BASE, slots[1]) >>> 16).toBe(0);
        expect(bucket.problem()).toBeUndefined();
    });
    test('behind four others is not looked for', () => {
        const bucket = new Bucket();
        const slots = [300, 20, 20, 20, 20, 20].map(size => bucket.take(size));
        for (const slot of slots.slice(0, 5))
            freeSlot(bucket.arena, BASE, slot);
        const taken = bucket.takeRaw(300);
        expect(takenSlot(taken)).toBe(slots[4]);
        expect(relinkedSlot(taken)).toBe(-1);
    });
    test('of the last record leaves an empty block', () => {
        const bucket = new Bucket();
        const slots = [100, 200, 300].map(size => bucket.take(size));
        for (const slot of [1, 0, 2])
            freeSlot(bucket.arena, BASE, slots[slot]);
        for (const at of [AT_COUNT, AT_FREE_SLOT, AT_LIVE, AT_RECORD_BYTES])
            expect(bucket.state(at)).toBe(0);
        expect(contiguousBytes(bucket.arena, BASE, BLOCK)).toBe(BLOCK - HEADER_BYTES);
        expect(bucket.problem()).toBeUndefined();
    });
});
describe('taking a slot', () => {
    test('fails, and changes nothing, when the free space is too small or in pieces', () => {
        const bucket = new Bucket();
        const slots = Array.from({ length: 8 }, () => bucket.take(500));
        for (const slot of [1, 3, 5])
            freeSlot(bucket.arena, BASE, slots[slot]);
        const before = bucket.bytes();
        expect(fits(bucket.arena, BASE, BLOCK, 1200)).toBe(true);
        expect(bucket.takeRaw(1200, false)).toBe(-1);
        expect(bucket.bytes()).toEqual(before);
        compact(bucket.arena, BASE, BLOCK, SCRATCH);
        expect(takenSlot(bucket.takeRaw(1200))).toBe(5);
        expect(bucket.takeRaw(1200, false)).toBe(-1);
    });
    test('succeeds to the last byte', () => {
        const bucket = new Bucket();
        bucket.take(1000);
        const rest = contiguousBytes(bucket.arena, BASE, BLOCK) - SLOT_BYTES;
        expect(bucket.takeRaw(rest + 1, false)).toBe(-1);
        bucket.take(rest);
        expect(contiguousBytes(bucket.arena, BASE, BLOCK)).toBe(0);
        expect(bucket.problem()).toBeUndefined();
    });
    test('changes the words of the slots it names and of no other, so that a log of them is whole', () => seeded(random => {
        let relinked = 0;
        let reused = 0;
        for (let run = 0; run < 20 * runs; run++) {
            const bucket = new Bucket();
            const live = [];
            for (let step = 0; step < 300; step++) {
                const before = bucket.words();
                if (random.chance(0.55)) {
                    const size = sizeOf(random);
                    const head = bucket.state(AT_FREE_SLOT);
                    const taken = bucket.takeRaw(size);
                    if (taken < 0) {
                        expect(bucket.words()).toEqual(before);
                        compact(bucket.arena, BASE, BLOCK, SCRATCH);
                        live.splice(0, live.length, ...Array.from({ length: bucket.state(AT_COUNT) }, (_, i) => i));
                    }
                    else {
                        const slot = takenSlot(taken);
                        const other = relinkedSlot(taken);
                        expect(bucket.changed(before)).toEqual([slot, other].filter(i => i >= 0).sort((a, b) => a - b));
                        if (other >= 0)
                            relinked++;
                        if (head !== 0)
                            reused++;
                        expect(live).not.toContain(slot);
                        live.push(slot);
                    }
                }
                else if (live.length > 1) {
                    const slot = random.pick(live);
                    freeSlot(bucket.arena, BASE, slot);
                    expect(bucket.changed(before)).toEqual([slot]);
                    live.splice(live.indexOf(slot), 1);
                }
                expect(bucket.problem()).toBeUndefined();
                expect(bucket.inUse()).toEqual([...live].sort((a, b) => a - b));
            }
        }
        expect(relinked).toBeGreaterThan(20);
        expect(reused).toBeGreaterThan(100);
    }));
    const sizeOf = (random) => recordBytes(1, random.below(random.chance(0.1) ? 1300 : random.pick([8, 60, 300])));
});
class Bucket {
    constructor() {
        this.arena = new Arena(3 * BLOCK);
        formatBucket(this.arena, BASE, BLOCK);
    }
    takeRaw(size, write = true) {
        const taken = takeSlot(this.arena, BASE, BLOCK, TAG, size);
        if (taken < 0 || !write)
            return taken;
        const record = recordAt(this.arena, BASE, takenSlot(taken));
        writeRecordHeader(this.arena, record, 0, 1, size - recordBytes(1, 0));
        expect(recordSize(this.arena, record)).toBe(size);
        return taken;
    }
    take(size) {
        const taken = this.takeRaw(size);
        expect(taken).toBeGreaterThanOrEqual(0);
        expect(relinkedSlot(taken)).toBe(-1);
        return takenSlot(taken);
    }
    offset(slot) {
        return recordAt(this.arena, BASE, slot) - BASE;
    }
    state(at) {
        return this.arena.u16[(BASE + at) >>> 1];
    }
    bytes() {
        return new Uint8Array(this.arena.u8.subarray(BASE, BASE + BLOCK));
    }
    words() {
        return Array.from({ length: this.state(AT_COUNT) }, (_, slot) => slotWord(this.arena, BASE, slot));
    }
    changed(before) {
        return this.words().flatMap((word, slot) => (word === before[slot] ? [] : [slot]));
    }
    inUse() {
        return this.words().flatMap((word, slot) => (slotInUse(word) ? [slot] : []));
    }
    problem() {
        expect(liveBytes(this.arena, BASE)).toBeLessThanOrEqual(BLOCK - HEADER_BYTES);
        return bucketProblem(this.arena, BASE, BLOCK);
    }
}
//# sourceMappingURL=slots.test.js.map