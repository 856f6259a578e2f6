/**
 * Inventory of a log that may be damaged: every whole group (right checksum, right salt, at the place that its LSN
 * says) of every segment, whatever lies between them. Reads only.
 */

import { GROUP_HEADER_BYTES, GROUP_MAGIC, SEGMENT_HEADER_BYTES, SEGMENT_MAGIC } from '../log/format.ts'
import { SEGMENT_NAME } from '../log/segments.ts'
import { Arena, readU64, toHex } from '../runtime/bytes.ts'
import type { File, Storage } from '../storage/storage.ts'

const HEADER_COPIES = [0, 256] as const
const HEADER_COPY_BYTES = 64
const CHUNK = 65536
/** So many times the bytes of a segment are read in groups that turn out not to be whole. */
const WASTED = 16
const LARGEST_LSN = 2 ** 52

export interface Group {
  segment: SalvageSegment
  /** LSN of the group and behind it. */
  lsn: number
  end: number
  /** LSN up to which the log had been synced when the group was written. */
  synced: number
}

export interface SalvageSegment {
  file: File
  name: string
  startLsn: number
  salt: number
  /** Bytes that the file has, and that it may grow to. */
  size: number
  capacity: number
  groups: Group[]
}

interface Header {
  startLsn: number
  salt: number
  capacity: number
  uuid: Uint8Array | undefined
}

/** The UUIDs that the headers of the segments name, most frequent first. */
export const logUuids = (storage: Storage, directory: string): Uint8Array[] => {
  const found = new Map<string, { uuid: Uint8Array; times: number }>()
  for (const name of segmentNames(storage, directory)) {
    const file = openSegment(storage, directory, name)
    if (typeof file === 'string') continue
    const uuid = readHeader(storage, file)?.uuid
    file.close()
    if (uuid === undefined) continue
    const entry = found.get(toHex(uuid)) ?? { uuid, times: 0 }
    entry.times++
    found.set(toHex(uuid), entry)
  }
  return [...found.values()].sort((a, b) => b.times - a.times).map(entry => entry.uuid)
}

/** The segments of the database with this UUID and their groups, in order of their LSNs. `warn` hears of the others. */
export const readSegments = (
  storage: Storage,
  directory: string,
  uuid: Uint8Array,
  warn: (sentence: string) => void,
): SalvageSegment[] => {
  const segments = openSegments(storage, directory, uuid, warn)
  for (const segment of segments) findGroups(storage, segment, warn)
  return inOrder(segments)
}

/** Of two that begin at one place, the one that was used comes last. */
export const inOrder = (segments: SalvageSegment[]): SalvageSegment[] =>
  segments.sort((a, b) => a.startLsn - b.startLsn || a.groups.length - b.groups.length)

/** Opens the segments, and does not look for their groups. */
export const openSegments = (
  storage: Storage,
  directory: string,
  uuid: Uint8Array,
  warn: (sentence: string) => void,
): SalvageSegment[] => {
  const segments: SalvageSegment[] = []
  for (const name of segmentNames(storage, directory)) {
    const file = openSegment(storage, directory, name)
    if (typeof file === 'string') {
      warn(`${file}; it was left out`)
      continue
    }
    const found = readHeader(storage, file) ?? headerFromGroup(storage, file)
    // No log gets as far, and places that far away cannot be told from each other.
    const header = found !== undefined && found.startLsn > LARGEST_LSN ? undefined : found
    if (header?.uuid !== undefined && toHex(header.uuid) !== toHex(uuid)) {
      warn(`${file.path} belongs to another database (${toHex(header.uuid)}); it was left out`)
      file.close()
    } else if (header === undefined) {
      if (!isBlank(file)) warn(`${file.path} has no readable header; it was left out`)
      file.close()
    } else {
      if (header.uuid === undefined)
        warn(`the header of ${file.path} is damaged; its groups were read by their own checksums`)
      segments.push(segmentOf(file, name, header))
    }
  }
  return segments
}

const segmentNames = (storage: Storage, directory: string): string[] =>
  storage.kind(directory) === 'directory'
    ? storage
        .list(directory)
        .filter(name => SEGMENT_NAME.test(name))
        .sort()
    : []

/** The file, or why it cannot be opened. */
const openSegment = (storage: Storage, directory: string, name: string): File | string => {
  try {
    return storage.open(storage.join(directory, name), { readOnly: true })
  } catch (error) {
    return (error as Error).message
  }
}

const readHeader = (storage: Storage, file: File): Header | undefined => {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES)
  if (file.read(bytes, 0, bytes.length, 0) < bytes.length) return undefined
  for (const offset of HEADER_COPIES) {
    const copy = bytes.slice(offset, offset + HEADER_COPY_BYTES)
    const u32 = new Uint32Array(copy.buffer)
    if (SEGMENT_MAGIC.some((byte, i) => copy[i] !== byte)) continue
    if (u32[2] === storage.crc32(copy.subarray(12), 0))
      return { startLsn: readU64(u32, 8), salt: u32[3]!, capacity: u32[10]!, uuid: copy.slice(16, 32) }
  }
  return undefined
}

/** Salt and place as the first group names them, if that is whole: it begins right behind the header. */
const headerFromGroup = (storage: Storage, file: File): Header | undefined => {
  const arena = new Arena(GROUP_HEADER_BYTES)
  const at = SEGMENT_HEADER_BYTES
  if (file.read(arena.u8, 0, GROUP_HEADER_BYTES, at) < GROUP_HEADER_BYTES) return undefined
  const header = {
    startLsn: readU64(arena.u32, 4),
    salt: arena.u32[3]!,
    capacity: file.size(),
    uuid: undefined,
  }
  return readGroup(storage, segmentOf(file, '', header), at, arena) ? header : undefined
}

const segmentOf = (file: File, name: string, { startLsn, salt, capacity }: Header): SalvageSegment => {
  return { file, name, startLsn, salt, capacity, size: file.size(), groups: [] }
}

const isBlank = (file: File): boolean => {
  const bytes = new Uint8Array(Math.min(file.size(), CHUNK))
  file.read(bytes, 0, bytes.length, 0)
  return bytes.every(byte => byte === 0)
}

/** Whoever writes headers of long groups everywhere must not make it read the file for each: it gives up, and warns. */
const findGroups = (storage: Storage, segment: SalvageSegment, warn: (sentence: string) => void): void => {
  const arena = new Arena(CHUNK)
  let wasted = 0
  for (let at = SEGMENT_HEADER_BYTES; at + GROUP_HEADER_BYTES <= segment.size; ) {
    const group = readGroup(storage, segment, at, arena)
    if (group !== undefined) {
      segment.groups.push(group)
      at += group.end - group.lsn
      continue
    }
    wasted += arena.u32[0] === GROUP_MAGIC ? Math.min(arena.u32[2]!, segment.size) : 0
    if (wasted > WASTED * segment.size) {
      warn(
        `${segment.file.path} holds more beginnings of groups that are not whole than a log can have left; what lies behind LSN ${segment.groups.at(-1)?.end ?? segment.startLsn} was left out`,
      )
      return
    }
    at = nextMagic(segment, at + 4, arena)
  }
}

/** Reads the group at a position of the file into the arena; undefined if there is none that is whole. */
export const readGroup = (storage: Storage, segment: SalvageSegment, at: number, arena: Arena): Group | undefined => {
  const { file, size } = segment
  if (file.read(arena.u8, 0, GROUP_HEADER_BYTES, at) < GROUP_HEADER_BYTES) return undefined
  const bytes = arena.u32[2]!
  const lsn = readU64(arena.u32, 4)
  if (arena.u32[0] !== GROUP_MAGIC || arena.u32[3] !== segment.salt) return undefined
  if (lsn !== segment.startLsn + at - SEGMENT_HEADER_BYTES) return undefined
  if (bytes < GROUP_HEADER_BYTES || bytes % 4 !== 0 || bytes > size - at) return undefined
  if (!Number.isSafeInteger(lsn + bytes)) return undefined
  if (bytes > arena.buffer.byteLength) arena.grow(bytes)
  const rest = bytes - GROUP_HEADER_BYTES
  if (file.read(arena.u8, GROUP_HEADER_BYTES, rest, at + GROUP_HEADER_BYTES) < rest) return undefined
  if (arena.u32[1] !== storage.crc32(arena.window(8, bytes - 8), 0)) return undefined
  return { segment, lsn, end: lsn + bytes, synced: readU64(arena.u32, 6) }
}

/** The next position, from `at` on, where the magic of a group stands; the end of the file if nowhere. */
const nextMagic = (segment: SalvageSegment, at: number, arena: Arena): number => {
  for (let from = at; from < segment.size; from += CHUNK) {
    const got = segment.file.read(arena.u8, 0, Math.min(CHUNK, segment.size - from), from)
    const words = Math.floor(got / 4)
    for (let word = 0; word < words; word++) if (arena.u32[word] === GROUP_MAGIC) return from + word * 4
  }
  return segment.size
}
