/**
 * A message of the log, byte for byte (little-endian):
 *
 * | offset | size | |
 * | --- | --- | --- |
 * | 0 | 1 | `X` |
 * | 1 | 1 | version, 1 |
 * | 2 | 1 | kind |
 * | 3 | 1 | flags: none yet, 0 |
 * | 4 | 4 | node that appended it |
 * | 8 | 4 | epoch |
 * | 12 | 2 | part, from 1 |
 * | 14 | 2 | of so many parts |
 * | 16 | 16 | group id: the same in all parts, and in each attempt to append them |
 * | 32 | 8 | time, f64: milliseconds since 1970 |
 * | 40 | 16 | hash of the message before: the first bytes of its sha-256; zeros in the first one |
 * | 56 | | body, or this part's piece of it |
 *
 * The body: count u32, that many changes, then the note, which the kind gives its meaning (EPOCH: the address of the
 * node in UTF-8; TRANSFER: u32, the node that leads next; records of moves of slots: JSON, `moves/mover.ts`; none in
 * groups and heartbeats). A change:
 *
 * | code | then | |
 * | --- | --- | --- |
 * | 1 | flags u8, key, value | put |
 * | 2 | flags u8, time of expiry f64, key, value | put that expires |
 * | 3 | key | delete |
 * | 4 | bounds u8, lower (if bounds has 1), upper (if it has 2) | clear a range, the upper bound not in it |
 * | 5 | names of the key and the value encoding | make the sub-database |
 * | 6 | names u8, so many names from the outermost on | the changes from here on are of that sub-database; of the root at first |
 *
 * Keys, values, bounds and names (UTF-8): length u32, bytes. A time of expiry of 0 is none, and has code 1.
 *
 *  X7  A message carries the hash of the one before it; a broken chain or a falling epoch halts.
 *  X8  To apply a message twice is to apply it once: changes are whole records with their exact time of expiry.
 */
import { CorruptionError, XenonError } from '../errors.ts'
import type { Change, SpacePath } from './group-store.ts'
import { HASH_BYTES, hashOf } from './mark.ts'

/** Kinds in the order of their numbers, from 1. */
export const KINDS = [
  'group',
  'epoch',
  'heartbeat',
  'transfer',
  'freeze',
  'unfreeze',
  'import-begin',
  'import-data',
  'import-commit',
  'import-abort',
  'slot-drop',
  'import-end',
] as const
export type MessageKind = (typeof KINDS)[number]

export const HEADER_BYTES = 56
export const ID_BYTES = 16
const MAGIC = 0x58
const VERSION = 1
/** Of a group: what JetStream takes in one atomic batch. */
export const MOST_PARTS = 1000

export interface MessageHeader {
  readonly kind: MessageKind
  readonly node: number
  readonly epoch: number
  /** Of the group, 16 bytes. */
  readonly id: Uint8Array
  readonly time: number
}

/** A message as it lies in the log: all of a group, or a part. */
export interface MessagePart extends MessageHeader {
  readonly part: number
  readonly of: number
  readonly before: Uint8Array
  readonly body: Uint8Array
}

export interface MessageBody {
  readonly changes: readonly Change[]
  readonly note: Uint8Array
}

/** What `encodeMessage` gives: the messages to append, in order, and the hash that the next one carries. */
export interface EncodedMessage {
  readonly messages: readonly Uint8Array[]
  readonly hash: Uint8Array
}

const NOTHING = new Uint8Array(0)

/**
 * @param before hash of the message before
 * @param messageBytes bytes that a message may have; what is longer goes in parts
 * @throws XenonError `XENON_VALUE_TOO_LARGE` if it takes more than `mostParts` messages
 */
export const encodeMessage = (
  header: MessageHeader,
  body: { readonly changes?: Iterable<Change>; readonly note?: Uint8Array },
  before: Uint8Array,
  messageBytes: number,
  mostParts: number,
): EncodedMessage => {
  const bytes = encodeBody(body.changes ?? [], body.note ?? NOTHING)
  const room = messageBytes - HEADER_BYTES
  const of = Math.max(1, Math.ceil(bytes.length / room))
  if (of > Math.min(mostParts, MOST_PARTS))
    throw new XenonError(
      'XENON_VALUE_TOO_LARGE',
      `the changes take ${bytes.length} bytes; the log takes ${mostParts > 1 ? `${mostParts} messages` : 'one message'} of ${messageBytes}: make smaller transactions, or raise max_payload of the servers`,
    )
  const messages: Uint8Array[] = []
  let hash = before
  for (let part = 1; part <= of; part++) {
    const piece = bytes.subarray((part - 1) * room, part * room)
    const message = new Uint8Array(HEADER_BYTES + piece.length)
    writeHeader(message, header, part, of, hash)
    message.set(piece, HEADER_BYTES)
    messages.push(message)
    hash = hashOf(message)
  }
  return { messages, hash }
}

function writeHeader(to: Uint8Array, header: MessageHeader, part: number, of: number, before: Uint8Array): void {
  const view = new DataView(to.buffer)
  to[0] = MAGIC
  to[1] = VERSION
  to[2] = KINDS.indexOf(header.kind) + 1
  view.setUint32(4, header.node, true)
  view.setUint32(8, header.epoch, true)
  view.setUint16(12, part, true)
  view.setUint16(14, of, true)
  to.set(header.id, 16)
  view.setFloat64(32, header.time, true)
  to.set(before, 40)
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The same for the changes of one sub-database, which have the same path in a row. */
const samePath = (a: SpacePath, b: SpacePath): boolean =>
  a === b || (a.length === b.length && a.every((name, i) => name === b[i]))

/** Changes as a body without a note. */
export const encodeChanges = (changes: Iterable<Change>): Uint8Array => encodeBody(changes, NOTHING)

/** Codes and what belongs to them, in the order of the table. */
function encodeBody(changes: Iterable<Change>, note: Uint8Array): Uint8Array {
  const writer = new Writer()
  let space: SpacePath = []
  let count = 0
  writer.u32(0)
  for (const change of changes) {
    if (!samePath(change.space, space)) {
      space = change.space
      writer.u8(6)
      writer.u8(space.length)
      for (const name of space) writer.bytes(encoder.encode(name))
      count++
    }
    encodeChange(writer, change)
    count++
  }
  writer.raw(note)
  return writer.finish(count)
}

function encodeChange(writer: Writer, change: Change): void {
  if (change.type === 'put') {
    writer.u8(change.expiresAt === 0 ? 1 : 2)
    writer.u8(change.flags)
    if (change.expiresAt !== 0) writer.f64(change.expiresAt)
    writer.bytes(change.key)
    writer.bytes(change.value)
  } else if (change.type === 'delete') {
    writer.u8(3)
    writer.bytes(change.key)
  } else if (change.type === 'clearRange') {
    writer.u8(4)
    writer.u8((change.lower === undefined ? 0 : 1) + (change.upper === undefined ? 0 : 2))
    if (change.lower !== undefined) writer.bytes(change.lower)
    if (change.upper !== undefined) writer.bytes(change.upper)
  } else {
    writer.u8(5)
    writer.bytes(encoder.encode(change.keyEncoding))
    writer.bytes(encoder.encode(change.valueEncoding))
  }
}

class Writer {
  #bytes = new Uint8Array(1024)
  #view = new DataView(this.#bytes.buffer)
  #at = 0

  #room(length: number): number {
    const at = this.#at
    this.#at += length
    if (this.#at > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#at, 2 * this.#bytes.length))
      larger.set(this.#bytes)
      this.#bytes = larger
      this.#view = new DataView(larger.buffer)
    }
    return at
  }

  u8(value: number): void {
    const at = this.#room(1)
    this.#bytes[at] = value
  }

  u32(value: number): void {
    const at = this.#room(4)
    this.#view.setUint32(at, value, true)
  }

  f64(value: number): void {
    const at = this.#room(8)
    this.#view.setFloat64(at, value, true)
  }

  raw(value: Uint8Array): void {
    const at = this.#room(value.length)
    this.#bytes.set(value, at)
  }

  bytes(value: Uint8Array): void {
    this.u32(value.length)
    this.raw(value)
  }

  /** All that was written, with the count in front. */
  finish(count: number): Uint8Array {
    this.#view.setUint32(0, count, true)
    return this.#bytes.subarray(0, this.#at)
  }
}

/**
 * @param where names the message in errors: `XENON_shop_0_1, message 17`
 * @throws CorruptionError `XENON_CORRUPT` if the bytes are no message; XenonError `XENON_NOT_SUPPORTED` if they are one of
 * a later release
 */
export const decodeMessage = (bytes: Uint8Array, where: string): MessagePart => {
  const bad = (what: string): never => {
    throw new CorruptionError(where, what)
  }
  if (bytes.length < HEADER_BYTES) bad(`${bytes.length} bytes; a message has ${HEADER_BYTES} at least`)
  if (bytes[0] !== MAGIC) bad(`begins with byte ${bytes[0]}; a message begins with ${MAGIC}`)
  const kind = KINDS[bytes[2]! - 1]
  if (bytes[1] !== VERSION || bytes[3] !== 0 || kind === undefined)
    throw new XenonError(
      'XENON_NOT_SUPPORTED',
      `${where} has version ${bytes[1]}, kind ${bytes[2]}, flags ${bytes[3]}, which this release does not know: update this node`,
    )
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [part, of] = [view.getUint16(12, true), view.getUint16(14, true)]
  if (part < 1 || part > of || of > MOST_PARTS) bad(`is part ${part} of ${of}`)
  const time = view.getFloat64(32, true)
  if (!(time >= 0 && time < 2 ** 53)) bad(`has the time ${time}`)
  return {
    kind: kind!,
    node: view.getUint32(4, true),
    epoch: view.getUint32(8, true),
    part,
    of,
    id: bytes.subarray(16, 32),
    time,
    before: bytes.subarray(40, 40 + HASH_BYTES),
    body: bytes.subarray(HEADER_BYTES),
  }
}

/** The body of a group, of all its parts in order. */
export const joinedBody = (parts: readonly MessagePart[]): Uint8Array => {
  if (parts.length === 1) return parts[0]!.body
  const body = new Uint8Array(parts.reduce((sum, part) => sum + part.body.length, 0))
  let at = 0
  for (const part of parts) {
    body.set(part.body, at)
    at += part.body.length
  }
  return body
}

/** Whether bytes of the log are a message, or part, of the group with this id. */
export const isOf = (bytes: Uint8Array, id: Uint8Array): boolean =>
  bytes.length >= HEADER_BYTES && sameBytes(bytes.subarray(16, 16 + ID_BYTES), id)

/** @throws CorruptionError `XENON_CORRUPT` */
export const decodeBody = (kind: MessageKind, body: Uint8Array, where: string): MessageBody => {
  const reader = new Reader(body, where)
  const count = reader.u32()
  // The smallest change takes two bytes: nobody is made to reserve memory by a number alone.
  if (count > body.length / 2) reader.bad(`says that it has ${count} changes in ${body.length} bytes`)
  const changes: Change[] = []
  let space: SpacePath = []
  for (let i = 0; i < count; i++) {
    const code = reader.u8()
    if (code === 6) space = Array.from({ length: reader.u8() }, () => reader.text())
    else changes.push(decodeChange(reader, code, space))
  }
  const note = body.subarray(reader.at)
  if (note.length > 0 && (kind === 'group' || kind === 'heartbeat'))
    reader.bad(`${note.length} bytes behind its changes`)
  return { changes, note }
}

function decodeChange(reader: Reader, code: number, space: SpacePath): Change {
  if (code === 1 || code === 2) {
    const flags = reader.u8()
    const expiresAt = code === 2 ? reader.f64() : 0
    if (!(expiresAt >= 0 && expiresAt < 2 ** 53)) reader.bad(`a record expires at ${expiresAt}`)
    return { type: 'put', space, flags, expiresAt, key: reader.bytes(), value: reader.bytes() }
  }
  if (code === 3) return { type: 'delete', space, key: reader.bytes() }
  if (code === 4) {
    const bounds = reader.u8()
    if (bounds > 3) reader.bad(`a range has the bounds ${bounds}`)
    const lower = (bounds & 1) === 0 ? undefined : reader.bytes()
    return { type: 'clearRange', space, lower, upper: (bounds & 2) === 0 ? undefined : reader.bytes() }
  }
  if (code === 5) return { type: 'sub', space, keyEncoding: reader.text(), valueEncoding: reader.text() }
  return reader.bad(`a change has the code ${code}`)
}

class Reader {
  at = 0
  readonly #from: Uint8Array
  readonly #view: DataView
  readonly #where: string

  constructor(from: Uint8Array, where: string) {
    this.#from = from
    this.#view = new DataView(from.buffer, from.byteOffset, from.byteLength)
    this.#where = where
  }

  bad(what: string): never {
    throw new CorruptionError(this.#where, what)
  }

  #need(bytes: number): number {
    const at = this.at
    if (bytes > this.#from.length - at) this.bad(`ends ${bytes - (this.#from.length - at)} bytes too early`)
    this.at += bytes
    return at
  }

  u8(): number {
    return this.#from[this.#need(1)]!
  }

  u32(): number {
    return this.#view.getUint32(this.#need(4), true)
  }

  f64(): number {
    return this.#view.getFloat64(this.#need(8), true)
  }

  bytes(): Uint8Array {
    const length = this.u32()
    const at = this.#need(length)
    return this.#from.subarray(at, at + length)
  }

  text(): string {
    try {
      return decoder.decode(this.bytes())
    } catch {
      return this.bad('a name is no UTF-8')
    }
  }
}

/** The note of an EPOCH record: the address of the node that leads. */
export const addressNote = (address: string): Uint8Array => new TextEncoder().encode(address)
export const addressOf = (note: Uint8Array): string => new TextDecoder().decode(note)

/** The note of a TRANSFER record: the node that leads next. */
export const nodeNote = (node: number): Uint8Array => {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, node, true)
  return bytes
}
export const nodeOf = (note: Uint8Array): number =>
  note.length === 4 ? new DataView(note.buffer, note.byteOffset).getUint32(0, true) : 0

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i])
