/**
 * The mark: position of the last message that a database has applied. It is stored in the same commit as the changes of
 * that message, as opaque bytes that the engine keeps beside its own state (little-endian):
 *
 * | offset | size | |
 * | --- | --- | --- |
 * | 0 | 1 | version, 1 |
 * | 1 | 3 | zero |
 * | 4 | 4 | epoch |
 * | 8 | 8 | sequence of the message in its log, f64 |
 * | 16 | 8 | time of the last group, milliseconds since 1970, f64 |
 * | 24 | 16 | hash of the message |
 * | 40 | 8 | first bytes of the sha-256 of the log's name: a database belongs to one log |
 */
import { createHash } from 'node:crypto'
import { XenonError } from '../errors.ts'

export const MARK_BYTES = 48
const VERSION = 1
const LOG_ID_BYTES = 8
export const HASH_BYTES = 16

export interface Mark {
  /** Of the last message applied; 0 before the first one. */
  readonly sequence: number
  /** Of the reign in which it was appended. */
  readonly epoch: number
  /** Milliseconds since 1970: the latest time that a group up to here was executed at. */
  readonly time: number
  /** First 16 bytes of the message's sha-256. */
  readonly hash: Uint8Array
}

/** Of a database to which nothing was applied yet. */
export const NO_MARK: Mark = { sequence: 0, epoch: 0, time: 0, hash: new Uint8Array(HASH_BYTES) }

/** The hash that the next message carries of this one. */
export const hashOf = (message: Uint8Array): Uint8Array =>
  new Uint8Array(createHash('sha256').update(message).digest().subarray(0, HASH_BYTES))

const logId = (log: string): Uint8Array =>
  new Uint8Array(createHash('sha256').update(log).digest().subarray(0, LOG_ID_BYTES))

export const encodeMark = (mark: Mark, log: string): Uint8Array => {
  const bytes = new Uint8Array(MARK_BYTES)
  const view = new DataView(bytes.buffer)
  bytes[0] = VERSION
  view.setUint32(4, mark.epoch, true)
  view.setFloat64(8, mark.sequence, true)
  view.setFloat64(16, mark.time, true)
  bytes.set(mark.hash, 24)
  bytes.set(logId(log), 40)
  return bytes
}

/**
 * @param log name of the log that the database is to follow
 * @throws XenonError `XENON_NOT_SUPPORTED` if the bytes are no mark of this release, or the mark is one of another log
 */
export const decodeMark = (bytes: Uint8Array | undefined, log: string): Mark => {
  if (bytes === undefined || bytes.length === 0) return NO_MARK
  if (bytes.length !== MARK_BYTES || bytes[0] !== VERSION)
    throw new XenonError(
      'XENON_NOT_SUPPORTED',
      `the database has a mark of ${bytes.length} bytes and version ${bytes[0]} that this release does not know: open it with the release that it was used with, or start the node with an empty directory`,
    )
  const id = logId(log)
  if (id.some((byte, i) => bytes[40 + i] !== byte))
    throw new XenonError(
      'XENON_NOT_SUPPORTED',
      `the database has followed another log than ${log}: start the node with the directory of this cluster and shard, or with an empty one`,
    )
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return {
    epoch: view.getUint32(4, true),
    sequence: view.getFloat64(8, true),
    time: view.getFloat64(16, true),
    hash: bytes.slice(24, 40),
  }
}
