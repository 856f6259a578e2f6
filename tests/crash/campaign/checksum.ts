/**
 * CRC-32 for crash images. Image after image reads the same blocks, most of them unchanged, and comparing a block with
 * the one that was read last under its seed (its number and the database's UUID) takes a sixth of a checksum.
 */
import { nodeStorage } from '../../../src/storage/node.ts'

/** Bytes of a block that its checksum covers. */
const BLOCK = 4092
/** So many blocks are remembered. */
const MOST = 2048

const known: Map<number, { bytes: Uint8Array; checksum: number }> = new Map()

export const crc32 = (bytes: Uint8Array, seed: number): number => {
  if (bytes.length !== BLOCK) return nodeStorage.crc32(bytes, seed)
  const last = known.get(seed)
  if (last !== undefined && Buffer.compare(last.bytes, bytes) === 0) return last.checksum
  const checksum = nodeStorage.crc32(bytes, seed)
  if (last !== undefined) {
    last.bytes.set(bytes)
    last.checksum = checksum
  } else {
    if (known.size === MOST) known.clear()
    known.set(seed, { bytes: new Uint8Array(bytes), checksum })
  }
  return checksum
}
