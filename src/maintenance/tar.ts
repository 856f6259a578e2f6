/**
 * A copy of a database as one file: a tar archive (POSIX ustar) of its files, which any `tar` unpacks. Each file lies in
 * it as it is, behind a header, filled up to whole blocks; two empty blocks are the end.
 *
 *     header, 512 bytes, in octal text:  name 0-99 | mode 100 | uid 108 | gid 116 | size 124-135 | time 136 | sum 148 |
 *                                        kind 156 | "ustar" 257 | version 263 | prefix 345-499
 *
 * A size of 8 GiB or more is binary, its first byte 0x80 (as GNU's tar writes and all read).
 */
import { CorruptionError, StorageError } from '../errors.ts'
import type { DirectoryLock, EntryKind, File, Storage } from '../storage/storage.ts'

const BLOCK = 512
const SIZE_AT = 124
const SIZE_BYTES = 12
const SUM_AT = 148
const SUM_BYTES = 8
const KIND_AT = 156
const PREFIX_AT = 345
const FILE_KINDS: ReadonlySet<string> = new Set(['0', '\0'])
/** What belongs to a backup: names with `..` or with more directories would stand for files outside of the archive. */
const BACKUP_FILE = /^(data|log\/(?!\.{1,2}$)[^/]+)$/
/** The first size that eleven octal digits do not hold. */
const BINARY_FROM = 8 ** 11
const SLICE_BYTES = 1048576

/** What is read of an archive. */
export type Archive = Pick<File, 'size' | 'read'>

interface Part {
  readonly at: number
  readonly size: number
}

/** What lies before the bytes of a file in an archive. */
const headerOf = (name: string, size: number): Uint8Array => {
  const header = new Uint8Array(BLOCK)
  const put = (at: number, text: string): void => header.set(new TextEncoder().encode(text), at)
  put(0, name)
  put(100, '0000600\0')
  put(108, '0000000\0')
  put(116, '0000000\0')
  if (size < BINARY_FROM) put(SIZE_AT, `${size.toString(8).padStart(11, '0')}\0`)
  else {
    header[SIZE_AT] = 0x80
    new DataView(header.buffer).setBigUint64(SIZE_AT + SIZE_BYTES - 8, BigInt(size))
  }
  put(136, '00000000000\0')
  put(KIND_AT, '0')
  put(257, 'ustar\x0000')
  put(SUM_AT, `${sumOf(header).toString(8).padStart(6, '0')}\0 `)
  return header
}

/** Of all bytes, those of the sum itself taken as blanks. */
const sumOf = (header: Uint8Array): number =>
  header.reduce((sum, byte, i) => sum + (i >= SUM_AT && i < SUM_AT + SUM_BYTES ? 32 : byte), 0)

/** The archive of the copy of a database in a directory, piece by piece; each is good until the next one is asked for. */
export function* packed(storage: Storage, directory: string): Generator<Uint8Array> {
  const log = storage.join(directory, 'log')
  const names = ['data', ...storage.list(log).map(name => `log/${name}`)]
  const slice = new Uint8Array(SLICE_BYTES)
  for (const name of names) {
    const file = storage.open(storage.join(directory, ...name.split('/')), { readOnly: true })
    try {
      const size = file.size()
      yield headerOf(name, size)
      for (let at = 0; at < size; ) {
        const got = file.read(slice, 0, Math.min(slice.length, size - at), at)
        if (got === 0) throw new StorageError(`cannot read ${file.path}: it has got shorter`, undefined)
        yield slice.subarray(0, got)
        at += got
      }
      yield new Uint8Array(fillOf(size))
    } finally {
      file.close()
    }
  }
  yield new Uint8Array(2 * BLOCK)
}

const fillOf = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK

const text = (header: Uint8Array, at: number, most: number): string => {
  const bytes = header.subarray(at, at + most)
  const end = bytes.indexOf(0)
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end))
}

/** NaN if there is none: a negative one would send the reader back in the archive. */
const sizeIn = (header: Uint8Array): number => {
  if (header[SIZE_AT]! & 0x80)
    return Number(new DataView(header.buffer, header.byteOffset).getBigUint64(SIZE_AT + SIZE_BYTES - 8))
  const digits = text(header, SIZE_AT, SIZE_BYTES).trim()
  return /^[0-7]*$/.test(digits) ? Number.parseInt(digits || '0', 8) : Number.NaN
}

/** What else people pack a backup with: the first bytes of it, and how they unpack it. */
const PACKERS = [
  { name: 'gzip', bytes: [0x1f, 0x8b], command: 'gzip -d' },
  { name: 'zstd', bytes: [0x28, 0xb5, 0x2f, 0xfd], command: 'zstd -d' },
  { name: 'xz', bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], command: 'xz -d' },
  { name: 'bzip2', bytes: [0x42, 0x5a, 0x68], command: 'bzip2 -d' },
  { name: 'zip', bytes: [0x50, 0x4b, 0x03, 0x04], command: 'unzip' },
] as const

const packerOf = (archive: Archive): (typeof PACKERS)[number] | undefined => {
  const head = new Uint8Array(8)
  archive.read(head, 0, head.length, 0)
  return PACKERS.find(({ bytes }) => bytes.every((byte, i) => head[i] === byte))
}

/** The files of an archive by their names. */
const partsOf = (archive: Archive, path: string): Map<string, Part> => {
  const parts = new Map<string, Part>()
  const header = new Uint8Array(BLOCK)
  const end = archive.size()
  for (let at = 0; at + BLOCK <= end; ) {
    archive.read(header, 0, BLOCK, at)
    if (header.every(byte => byte === 0)) return parts
    const size = sizeIn(header)
    if (Number.parseInt(text(header, SUM_AT, SUM_BYTES).trim(), 8) !== sumOf(header) || !(at + BLOCK + size <= end))
      break
    const name = [text(header, PREFIX_AT, 155), text(header, 0, 100)].filter(each => each !== '').join('/')
    if (FILE_KINDS.has(String.fromCharCode(header[KIND_AT]!)))
      parts.set(name.replace(/^(\.\/)+/, ''), { at: at + BLOCK, size })
    at += BLOCK + size + fillOf(size)
  }
  const packer = packerOf(archive)
  throw new CorruptionError(
    path,
    packer === undefined
      ? 'is no tar archive of a database, or only a part of one'
      : `is packed by ${packer.name}; unpack it first (${packer.command}), and restore what comes out`,
  )
}

/**
 * A storage in which an archive is a directory with the files of a database, to read; all else is as in `base`.
 * @throws CorruptionError if it is none
 */
export const withArchive = (base: Storage, path: string, archive: Archive): Storage => {
  const all = partsOf(archive, path)
  // Whoever packs a directory has its name before those of the files.
  const data = all.has('data') ? 'data' : [...all.keys()].find(name => name.endsWith('/data'))
  if (data === undefined) throw new CorruptionError(path, "holds no database: there is no 'data' in it")
  const top = data.slice(0, -'data'.length)
  const files = new Map<string, Part>()
  const log = base.join(path, 'log')
  for (const [name, part] of all)
    if (name.startsWith(top) && BACKUP_FILE.test(name.slice(top.length)))
      files.set(base.join(path, ...name.slice(top.length).split('/')), part)
  const isInside = (at: string): boolean => files.has(at) || at === path || at === log
  const below = (directory: string): string[] => [...files.keys()].filter(each => base.join(each, '..') === directory)
  const nameIn = (directory: string, at: string): string => at.slice(directory.length + 1)
  return Object.assign(Object.create(base) as Storage, {
    kind: (at: string): EntryKind => (files.has(at) ? 'file' : at === path || at === log ? 'directory' : base.kind(at)),
    list: (at: string): string[] => {
      if (!isInside(at)) return base.list(at)
      const names = below(at).map(each => nameIn(at, each))
      return at === path ? [...names, 'log'] : names
    },
    open: (at: string, options: Parameters<Storage['open']>[1]): File => {
      const part = files.get(at)
      return part === undefined ? base.open(at, options) : partFile(archive, at, part)
    },
    lock: (at: string, options: Parameters<Storage['lock']>[1]): DirectoryLock =>
      at === path ? { release: () => {} } : base.lock(at, options),
  })
}

const partFile = (archive: Archive, path: string, { at, size }: Part): File => {
  const refused = (): never => {
    throw new StorageError(`cannot write ${path}: it lies in an archive`, undefined)
  }
  return {
    path,
    size: () => size,
    read: (target, offset, length, position) =>
      archive.read(target, offset, Math.max(0, Math.min(length, size - position)), at + position),
    write: refused,
    writeMany: refused,
    truncate: refused,
    sync: () => {},
    syncAsync: async () => {},
    close: () => {},
  }
}
