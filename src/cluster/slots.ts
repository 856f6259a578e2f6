/**
 * Hash slots as Redis Cluster has them: a key belongs to slot CRC16(key) mod 16,384, CRC16 being XMODEM's (polynomial
 * 0x1021, begun with 0). Of a key with a hash tag (`{…}`, from the first `{` to the first `}` behind it, not empty) only
 * what stands in the tag counts, so that keys with one tag lie in one slot.
 *
 * In a cluster the keys of the file carry their slot in front (2 bytes, big-endian), so that the keys of a slot lie next
 * to each other: they can be listed, moved and dropped without a scan.
 */
import { SLOTS } from './shard-map.ts'

/** Bytes in front of a key. */
export const SLOT_BYTES = 2

const OPEN = 123
const CLOSE = 125

const TABLE: Uint16Array = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
  return crc & 0xffff
})

/** CRC16/XMODEM of the bytes at [start, end). */
export const crc16 = (source: Uint8Array, start: number = 0, end: number = source.length): number => {
  let crc = 0
  for (let at = start; at < end; at++) crc = ((crc << 8) & 0xffff) ^ TABLE[(crc >> 8) ^ source[at]!]!
  return crc
}

/**
 * The slot of the key that lies at [start, end) of `source`, 0 to 16,383.
 * @example const slot = slotOf(Buffer.from('{cart:42}item'))
 */
export const slotOf = (source: Uint8Array, start: number = 0, end: number = source.length): number => {
  const tag = tagOf(source, start, end)
  return (tag === undefined ? crc16(source, start, end) : crc16(source, tag[0], tag[1])) % SLOTS
}

/** Where what stands in the hash tag begins and ends; undefined: there is none. */
const tagOf = (source: Uint8Array, start: number, end: number): readonly [from: number, to: number] | undefined => {
  const open = source.subarray(start, end).indexOf(OPEN)
  if (open < 0) return undefined
  const from = start + open + 1
  const length = source.subarray(from, end).indexOf(CLOSE)
  return length <= 0 ? undefined : [from, from + length]
}

/**
 * The slot of every key that begins with these bytes, if that is one: they contain a whole hash tag. Otherwise such keys
 * lie anywhere.
 */
export const slotOfPrefix = (prefix: Uint8Array): number | undefined =>
  tagOf(prefix, 0, prefix.length) === undefined ? undefined : slotOf(prefix)

/** The key as it stands in the file: behind its slot. */
export const placed = (key: Uint8Array, slot: number = slotOf(key)): Uint8Array => {
  const bytes = new Uint8Array(SLOT_BYTES + key.length)
  bytes[0] = slot >> 8
  bytes[1] = slot & 255
  bytes.set(key, SLOT_BYTES)
  return bytes
}

/** The slot of a key of the file. */
export const slotAt = (bytes: Uint8Array): number => (bytes[0]! << 8) | bytes[1]!

/** What all keys of a slot begin with; of slot 16,384, which there is not: what lies behind all of them. */
export const slotPrefix = (slot: number): Uint8Array => Uint8Array.of(slot >> 8, slot & 255)
