import { expect, test } from 'vitest';
import { Arena } from '../../src/runtime/bytes.js';
import { TEXT_SCRATCH_BYTES, TextBatch } from '../../src/runtime/text-batch.js';
import { seeded } from '../support/random.js';
const ROOM = 100_000;
const place = (arena, texts, gap, filler) => {
    const at = new Int32Array(texts.length);
    const length = new Int32Array(texts.length);
    arena.u8.fill(filler, TEXT_SCRATCH_BYTES);
    let end = TEXT_SCRATCH_BYTES;
    for (const [i, text] of texts.entries()) {
        at[i] = end + gap();
        length[i] = arena.u8.utf8Write(text, at[i]);
        end = at[i] + length[i];
    }
    return { at, length };
};
const textOf = (random, alphabet) => Array.from({ length: random.chance(0.05) ? random.below(900) : random.below(60) }, () => alphabet.charAt(random.below(alphabet.length))).join('');
for (const [name, alphabet] of [
    ['ASCII', 'abcdefghijklmnopqrstuvwxyz'],
    ['mixed', 'abcdefgé水ж'],
])
    for (const filler of [0, 0xff])
        for (const largest of [0, 3, 9])
            test(`${name} texts with gaps of up to ${largest} bytes of ${filler} come out as they went in`, () => seeded(random => {
                const arena = new Arena(TEXT_SCRATCH_BYTES + ROOM);
                const batch = new TextBatch(arena, 0);
                for (const count of [0, 1, 2, 31, 32, 33, 300]) {
                    const texts = Array.from({ length: count }, () => textOf(random, alphabet));
                    const { at, length } = place(arena, texts, () => random.below(largest + 1), filler);
                    expect(batch.decode(count, at, length)).toEqual(texts);
                    const order = texts.map((_, i) => i).sort(() => random.next() - 0x8000_0000);
                    const mixed = batch.decode(count, Int32Array.from(order, i => at[i]), Int32Array.from(order, i => length[i]));
                    expect(mixed).toEqual(order.map(i => texts[i]));
                }
            }));
//# sourceMappingURL=text-batch.test.js.map