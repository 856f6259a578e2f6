import { describe, expect, test } from 'vitest'
import { FORMAT_VERSION, METADATA_BYTES, Metadata, OLDEST_FORMAT_VERSION, SECTOR } from '../../src/pager/metadata.ts'
import { memoryStorage } from '../../src/storage/memory.ts'
import { expectCode } from '../support/errors.ts'
import { seeded } from '../support/random.ts'

const storage = memoryStorage()

describe('block 0', () => {
  test('gives back what was written', () => {
    const { bytes, metadata } = written()
    const read = decode(bytes)
    expect(read.identity).toEqual(metadata.identity)
    expect(stateOf(read)).toEqual(stateOf(metadata))
  })

  test('with one torn state has the other one, older or newer', () => {
    const { bytes, states } = written()
    for (const [torn, expected] of [
      [states[3]!.position, states[2]!.state],
      [states[2]!.position, states[3]!.state],
    ] as const) {
      for (let offset = 0; offset < SECTOR; offset++) {
        const damaged = bytes.slice()
        damaged[torn + offset]! ^= 1 << (offset & 7)
        expect(stateOf(decode(damaged)), `byte ${offset}`).toEqual(expected)
      }
      expect(stateOf(decode(bytes.slice().fill(0, torn, torn + SECTOR)))).toEqual(expected)
    }
  })

  test('is written next where the older state lies, whichever was torn', () => {
    const { bytes, states } = written()
    expect(decode(bytes).encodeState(storage).position).toBe(states[2]!.position)
    const torn = bytes.slice().fill(0, states[3]!.position, states[3]!.position + SECTOR)
    expect(decode(torn).encodeState(storage).position).toBe(states[3]!.position)
  })

  test('with both states torn is damage, not an empty database', () => {
    const { bytes } = written()
    bytes[SECTOR]! ^= 1
    bytes[2 * SECTOR]! ^= 1
    expect(expectCode(() => decode(bytes), 'XENON_CORRUPT').message).toMatch(/both copies/)
  })

  test('with the states of another database is refused', () => {
    const { bytes } = written()
    const other = written(9).bytes
    bytes.set(other.subarray(SECTOR), SECTOR)
    expectCode(() => decode(bytes), 'XENON_CORRUPT')
  })

  test('with any flipped bit in its identity is refused', () =>
    seeded(random => {
      const { bytes } = written()
      for (let byte = 0; byte < SECTOR; byte++) {
        const damaged = bytes.slice()
        damaged[byte]! ^= 1 << random.below(8)
        expectCode(() => decode(damaged), 'XENON_CORRUPT')
      }
    }))

  test('of another format version says which', () => {
    for (const [version, remedy] of [
      [OLDEST_FORMAT_VERSION - 1, 'export it with the release that wrote it'],
      [FORMAT_VERSION + 1, 'newer release'],
    ] as const) {
      const error = expectCode(() => decode(withIdentity(8, version)), 'XENON_FORMAT_VERSION')
      expect(error).toMatchObject({ version, supported: FORMAT_VERSION })
      expect(error.message).toContain(
        `version ${version}; this release reads versions ${OLDEST_FORMAT_VERSION} to ${FORMAT_VERSION}`,
      )
      expect(error.message).toContain(remedy)
    }
  })

  test('with an impossible block size is refused', () => {
    for (const blockSize of [0, 1, 512, 2048, 4095, 5000, 131072, 0x80000000])
      expect(expectCode(() => decode(withIdentity(12, blockSize)), 'XENON_CORRUPT').message).toMatch(/block size/)
    for (const blockSize of [4096, 8192, 65536])
      expect(decode(withIdentity(12, blockSize)).identity.blockSize).toBe(blockSize)
  })

  test('cut off anywhere is too short', () => {
    const { bytes } = written()
    for (const length of [0, 1, SECTOR, METADATA_BYTES - 1])
      expect(expectCode(() => decode(bytes.slice(0, length)), 'XENON_CORRUPT').message).toMatch(/too short/)
  })

  test('counts the most records there ever were', () => {
    const { metadata } = written()
    metadata.addRecords(10)
    const peak = metadata.records
    metadata.addRecords(-7)
    expect([metadata.records, metadata.peakRecords]).toEqual([peak - 7, peak])
  })
})

/** A block 0 whose state was written four times, with the states and their places. */
const written = (
  fill = 3,
): {
  bytes: Uint8Array
  metadata: Metadata
  states: { state: object; position: number }[]
} => {
  const metadata = new Metadata({
    version: 2,
    blockSize: 8192,
    uuid: new Uint8Array(16).fill(fill),
    hashKey: [0xdeadbeef, 0x80000001],
    createdAt: 1_700_000_000_123,
  })
  const bytes = new Uint8Array(METADATA_BYTES)
  bytes.set(metadata.encodeIdentity(storage), 0)
  const states: { state: object; position: number }[] = []
  for (let i = 1; i <= 4; i++) {
    metadata.lsn = 2 ** 40 + i
    metadata.redoLsn = 2 ** 39 + i
    metadata.logLsn = 2 ** 41 + i
    metadata.records = 0
    metadata.addRecords(2 ** 33 + i)
    metadata.blocks = 0xfffffff0 - i
    metadata.freeHead = 500 + i
    metadata.freeBlocks = 600 + i
    metadata.fileBlocks = 700 + i
    const { sector, position } = metadata.encodeState(storage)
    expect(sector.length).toBe(SECTOR)
    bytes.set(sector, position)
    states.push({ state: stateOf(metadata), position })
  }
  expect(states[2]!.position).not.toBe(states[3]!.position)
  return { bytes, metadata, states }
}

/** The same with a word of the identity changed and its checksum made right. */
const withIdentity = (offset: number, value: number): Uint8Array => {
  const { bytes } = written()
  const view = new DataView(bytes.buffer)
  view.setUint32(offset, value, true)
  view.setUint32(508, storage.crc32(bytes.subarray(0, 508), 0), true)
  return bytes
}

const decode = (bytes: Uint8Array): Metadata => Metadata.decode(bytes, 'data', storage)

const stateOf = (metadata: Metadata): object => {
  const { lsn, redoLsn, logLsn, records, peakRecords, blocks, freeHead, freeBlocks, fileBlocks } = metadata
  return { lsn, redoLsn, logLsn, records, peakRecords, blocks, freeHead, freeBlocks, fileBlocks }
}
