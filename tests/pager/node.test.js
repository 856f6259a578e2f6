import { describe, expect, test } from 'vitest';
import { AT_COUNT, AT_GARBAGE, HEADER_BYTES } from '../../src/pager/layout.js';
import { copyLeafKeys, formatNode, insertNodeEntry, nodeCount, nodeFits, nodeKey } from '../../src/pager/node.js';
import { nodeProblem } from '../../src/pager/node-check.js';
import { Arena } from '../../src/runtime/bytes.js';
import { seeded } from '../support/random.js';
const BLOCK = 4096;
const ROOM = 2 * BLOCK;
const ROOM_BYTES = 65_536;
const leafOf = (arena, random, prefix, longest) => {
    const shared = Buffer.from(Array.from({ length: prefix }, () => random.below(256)));
    formatNode(arena, 0, BLOCK, 0, shared, 0, prefix);
    const suffixes = new Set();
    while (suffixes.size < 300)
        suffixes.add(Buffer.from(Array.from({ length: random.below(longest + 1) }, () => random.below(256))).toString('latin1'));
    const keys = [];
    for (const suffix of [...suffixes].sort()) {
        const bytes = Buffer.from(suffix, 'latin1');
        if (!nodeFits(arena, 0, BLOCK, bytes.length + 3))
            break;
        insertNodeEntry(arena, 0, BLOCK, keys.length, bytes, 0, bytes.length, 0);
        keys.push(Buffer.concat([shared, bytes]));
    }
    return keys;
};
const roomOf = (bytes) => ({
    start: ROOM,
    end: ROOM + bytes,
    at: new Int32Array(512),
    length: new Int32Array(512),
});
describe('nodeProblem', () => {
    const node = () => {
        const arena = new Arena(BLOCK);
        formatNode(arena, 0, BLOCK, 0, Buffer.from('p'), 0, 1);
        for (const [i, key] of ['aaa', 'bbbb', 'ccccc'].entries())
            insertNodeEntry(arena, 0, BLOCK, i, Buffer.from(key), 0, key.length, 0);
        return arena;
    };
    test('finds nothing wrong with a sound node', () => {
        expect(nodeProblem(node(), 0, BLOCK)).toBeUndefined();
    });
    test('names entries that do not ascend (N1)', () => {
        const arena = node();
        const slots = HEADER_BYTES >>> 2;
        [arena.u32[slots], arena.u32[slots + 1]] = [arena.u32[slots + 1], arena.u32[slots]];
        expect(nodeProblem(arena, 0, BLOCK)).toMatch(/entries 0 and 1 do not ascend/);
    });
    test('names a wrong count of garbage (N2)', () => {
        const arena = node();
        arena.u16[AT_GARBAGE >>> 1] = 2;
        expect(nodeProblem(arena, 0, BLOCK)).toMatch(/0 garbage bytes, the header says 2/);
    });
    test('names more entries than fit (N3)', () => {
        const arena = node();
        arena.u16[AT_COUNT >>> 1] = 1100;
        expect(nodeProblem(arena, 0, BLOCK)).toMatch(/1100 entries .* do not fit/);
    });
});
describe('copyLeafKeys', () => {
    for (const [prefix, longest] of [
        [0, 3],
        [1, 12],
        [3, 40],
        [5, 2],
        [14, 300],
        [700, 300],
    ])
        test(`copies keys of ${prefix} shared bytes and up to ${longest} more to whole words, forward and backward`, () => seeded(random => {
            const arena = new Arena(ROOM + ROOM_BYTES);
            const keys = leafOf(arena, random, prefix, longest);
            expect(keys.length).toBe(nodeCount(arena, 0));
            expect(keys.length).toBeGreaterThan(5);
            for (const step of [1, -1]) {
                arena.u8.fill(0xff, ROOM, ROOM + ROOM_BYTES);
                const room = roomOf(ROOM_BYTES);
                const first = random.below(keys.length);
                const most = step === 1 ? keys.length - first : first + 1;
                const count = copyLeafKeys(arena, 0, BLOCK, first, step, most, room);
                let end = ROOM;
                for (let i = 0; i < count; i++) {
                    const at = room.at[i];
                    const expected = keys[first + i * step];
                    expect(at).toBe(Math.ceil(end / 4) * 4);
                    expect(Buffer.from(arena.u8.subarray(end, at)).every(byte => byte === 0)).toBe(true);
                    end = at + room.length[i];
                    expect(Buffer.from(arena.u8.subarray(at, end))).toEqual(expected);
                    expect(nodeKey(arena, 0, BLOCK, first + i * step, new Uint8Array(1040), 0)).toBe(expected.length);
                }
                if (keys.reduce((sum, key) => sum + key.length + 3, 0) < ROOM_BYTES)
                    expect(count).toBe(most);
                else
                    expect(count).toBeGreaterThan(0);
            }
        }));
    test('stops where a key might not fit any more', () => seeded(random => {
        const arena = new Arena(ROOM + ROOM_BYTES);
        const keys = leafOf(arena, random, 6, 20);
        for (const bytes of [0, 4, 40, 64, 100]) {
            const room = roomOf(bytes);
            arena.u8.fill(0xee, room.end, room.end + 64);
            const count = copyLeafKeys(arena, 0, BLOCK, 0, 1, keys.length, room);
            expect(count).toBeLessThan(keys.length);
            expect(Buffer.from(arena.u8.subarray(room.end, room.end + 64)).every(byte => byte === 0xee)).toBe(true);
        }
    }));
});
//# sourceMappingURL=node.test.js.map