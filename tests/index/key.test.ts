import { describe, expect, test } from 'vitest'
import { KeyHash } from '../../src/index/key.ts'
import { seeded } from '../support/random.ts'

describe('the hash of a key', () => {
  test('is the same of bytes, of words and of text, at every length and place', () =>
    seeded(random => {
      const words = new Uint32Array(400)
      const bytes = new Uint8Array(words.buffer)
      const keys: [number, number] = [random.next(), random.next()]
      const [one, other, third] = [new KeyHash(keys), new KeyHash(keys), new KeyHash(keys)]
      const room = new Uint32Array(400)
      for (let length = 1; length <= 1024; length++) {
        const word = random.below(100)
        bytes.fill(0)
        for (let i = 0; i < length; i++) bytes[4 * word + i] = random.below(length % 2 === 0 ? 128 : 256)
        one.of(bytes, 4 * word, length)
        other.ofWords(words, word, length)
        expect([other.root, other.position, other.tag]).toEqual([one.root, one.position, one.tag])
        if (length % 2 !== 0) continue
        const text = Buffer.from(bytes.subarray(4 * word, 4 * word + length)).toString('latin1')
        expect(third.ofText(text, room, 4 * random.below(100))).toBe(true)
        expect([third.root, third.position, third.tag]).toEqual([one.root, one.position, one.tag])
      }
    }))
})
