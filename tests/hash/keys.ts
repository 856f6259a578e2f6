/** Keys chosen by their hash, and hashes bent so that keys collide. */
import { KeyHash } from '../../src/hash/key-hash.ts'
import { Metadata } from '../../src/pager/metadata.ts'
import { memoryStorage } from '../../src/storage/memory.ts'
import type { Subject } from '../support/database.ts'
import type { Image } from '../support/image.ts'
import type { Random } from '../support/random.ts'

/** The hash of a database's keys. */
export function hashOf<V>(subject: Subject<V>): KeyHash {
  return hashIn(subject.image())
}

export function hashIn(image: Image): KeyHash {
  const head = image.get('data')!.slice(0, 4096)
  return new KeyHash(Metadata.decode(head, 'data', memoryStorage()).identity.hashKey)
}

/**
 * So many keys that begin with `prefix` in index blocks of their own, where none of the `others` lies either: a lock of
 * one is none of another.
 */
export function keysApart(
  hash: KeyHash,
  count: number,
  prefix: string = 'k',
  others: readonly string[] = [],
): string[] {
  const rootOf = (key: string): number => {
    const bytes = Buffer.from(key)
    hash.of(bytes, 0, bytes.length)
    return hash.root
  }
  const taken = new Set(others.map(rootOf))
  const keys: string[] = []
  for (let number = 0; keys.length < count; number++) {
    const root = rootOf(`${prefix}${number}`)
    if (taken.has(root)) continue
    taken.add(root)
    keys.push(`${prefix}${number}`)
  }
  return keys
}

/** `count` different keys of 15 bytes or of the lengths that `length` gives, all in index block `root`. */
export function keysOfRoot(
  hash: KeyHash,
  root: number,
  count: number,
  random: Random,
  length: () => number = () => 15,
): string[] {
  const bytes = new Uint8Array(1024)
  const keys = new Set<string>()
  let number = random.below(1e6)
  while (keys.size < count) {
    const size = length()
    let rest = number++
    bytes.fill(0x78, 0, size)
    for (let i = size - 1; i >= Math.max(0, size - 10); i--) {
      bytes[i] = 0x30 + (rest % 10)
      rest = Math.floor(rest / 10)
    }
    hash.of(bytes, 0, size)
    if (hash.root === root) keys.add(Buffer.from(bytes.subarray(0, size)).toString('latin1'))
  }
  return [...keys]
}

interface Finish {
  finish(a: number, b: number, c: number, d: number, m: number): void
  bits: number
  root: number
}

/** Runs `body` while every key has the hash position that `position` makes of its own, all in one index block. */
export async function withBentHash(
  root: number,
  position: (position: number) => number,
  body: () => unknown,
): Promise<void> {
  const prototype = KeyHash.prototype as unknown as Finish
  const { finish } = prototype
  prototype.finish = function (this: Finish, a, b, c, d, m): void {
    finish.call(this, a, b, c, d, m)
    this.bits = position(this.bits >>> 0) | 0
    this.root = root
  }
  try {
    await body()
  } finally {
    prototype.finish = finish
  }
}
