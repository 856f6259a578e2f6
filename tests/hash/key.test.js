import { describe, expect, test } from 'vitest';
import { KeyHash } from '../../src/hash/key-hash.js';
import { seeded } from '../support/random.js';
describe('the hash of a key', () => {
    test.each([
        [2, 63, 3159035440, 52552],
        [3, 75, 22255929, 51458],
        [4, 73, 2114297510, 57346],
        [5, 55, 2296633499, 56566],
        [7, 72, 2637748694, 48889],
        [8, 30, 1467586993, 59806],
        [15, 35, 3492117252, 36575],
        [16, 48, 2335298817, 57740],
        [64, 91, 545842571, 43714],
        [1024, 93, 2531857285, 39610],
    ])('of %i bytes stays what it has always been', (length, root, position, tag) => {
        const hash = new KeyHash([0x03020100, 0x07060504]);
        hash.of(Uint8Array.from({ length }, (_, i) => i & 255), 0, length);
        expect([hash.root, hash.position, hash.tag]).toEqual([root, position, tag]);
    });
    test('is the same of bytes, of words and of text, at every length and place', () => seeded(random => {
        const words = new Uint32Array(400);
        const bytes = new Uint8Array(words.buffer);
        const keys = [random.next(), random.next()];
        const [one, other, third] = [new KeyHash(keys), new KeyHash(keys), new KeyHash(keys)];
        const room = new Uint32Array(400);
        for (let length = 1; length <= 1024; length++) {
            const word = random.below(100);
            bytes.fill(0);
            for (let i = 0; i < length; i++)
                bytes[4 * word + i] = random.below(length % 2 === 0 ? 128 : 256);
            one.of(bytes, 4 * word, length);
            other.ofWords(words, word, length);
            expect([other.root, other.position, other.tag]).toEqual([one.root, one.position, one.tag]);
            if (length % 2 !== 0)
                continue;
            const text = Buffer.from(bytes.subarray(4 * word, 4 * word + length)).toString('latin1');
            expect(third.ofText(text, room, 4 * random.below(100))).toBe(true);
            expect([third.root, third.position, third.tag]).toEqual([one.root, one.position, one.tag]);
        }
    }));
});
//# sourceMappingURL=key.test.js.map