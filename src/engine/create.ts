/**
 * Creates the files of a database. `data` appears last, by a rename, so that a crash in between leaves no database
 * rather than half of one; what such a crash left behind is cleared away by the next creation.
 */
import { IMAGE_FILES } from '../buffer/image-format.ts'
import { CorruptionError } from '../errors.ts'
import { GROUP_HEADER_BYTES, GROUP_MAGIC, SEGMENT_HEADER_BYTES } from '../log/format.ts'
import { LogSegments, SEGMENT_NAME } from '../log/segments.ts'
import { allBlank } from '../pager/blank.ts'
import { DataFile } from '../pager/data-file.ts'
import { Metadata, SPACES_VERSION } from '../pager/metadata.ts'
import type { Home } from '../storage/home.ts'
import type { Storage } from '../storage/storage.ts'

/** LSN where the log of a new database begins; 0 stands for "none". */
export const FIRST_LSN = 4096

/** The names of the root's encodings, '' if they are not said yet. */
export interface EncodingNames {
  readonly keyEncoding: string
  readonly valueEncoding: string
}

export const createDatabase = (
  storage: Storage,
  directory: string,
  blockSize: number,
  logSegmentBytes: number,
  ordered: boolean,
  encodings: EncodingNames,
  home?: Home,
): void => {
  const logDirectory = storage.join(directory, 'log')
  home?.check()
  clearLog(storage, logDirectory)
  const random = storage.randomBytes(24).slice()
  const words = new Uint32Array(random.buffer, 16, 2)
  const metadata = new Metadata({
    version: SPACES_VERSION,
    blockSize,
    uuid: random.slice(0, 16),
    hashKey: [words[0]!, words[1]!],
    createdAt: (storage.now ?? Date.now)(),
  })
  metadata.ordered = ordered
  metadata.valueEncoding = encodings.valueEncoding
  metadata.keyEncoding = encodings.keyEncoding
  metadata.redoLsn = FIRST_LSN
  metadata.logLsn = FIRST_LSN
  metadata.fileBlocks = 1
  metadata.blank = allBlank()
  storage.makeDirectory(logDirectory)
  const segments = new LogSegments(storage, logDirectory, metadata.identity.uuid, logSegmentBytes, home)
  try {
    segments.startSegment(FIRST_LSN)
    segments.sync()
  } finally {
    segments.close()
  }
  // Their names become durable now, so that the first checkpoint need not see to it.
  for (const name of IMAGE_FILES) storage.open(storage.join(logDirectory, name), { create: true }).close()
  storage.syncDirectory(logDirectory)
  const temporary = storage.join(directory, 'data.new')
  storage.remove(temporary)
  writeData(storage, temporary, metadata)
  storage.syncDirectory(directory)
  home?.check()
  storage.rename(temporary, storage.join(directory, 'data'))
  storage.syncDirectory(directory)
}

const writeData = (storage: Storage, path: string, metadata: Metadata): void => {
  const file = storage.open(path, { create: true })
  try {
    const data = new DataFile(file, metadata, storage)
    data.writeFirst(metadata)
    data.sync()
  } finally {
    file.close()
  }
}

/** A link would part the log from the data when the database is moved or copied. */
export const notADirectory = (log: string): CorruptionError =>
  new CorruptionError(
    log,
    'is not a directory of its own; the log must lie beside the data file, not behind a symbolic link (link the whole database directory instead)',
  )

/** Removes what a creation that did not finish left of a log; a log that was used is not touched. */
const clearLog = (storage: Storage, directory: string): void => {
  const kind = storage.kind(directory)
  if (kind === 'none') return
  if (kind !== 'directory') throw notADirectory(directory)
  const names = storage.list(directory)
  const images: readonly string[] = IMAGE_FILES
  for (const name of names)
    if (!SEGMENT_NAME.test(name) && !images.includes(name))
      throw new CorruptionError(
        storage.join(directory, name),
        'stands where the log of a new database would go, but is none of its files; choose another directory',
      )
  for (const name of names) {
    const path = storage.join(directory, name)
    const file = storage.open(path, { readOnly: true })
    const head = new Uint8Array(GROUP_HEADER_BYTES)
    const got = file.read(head, 0, head.length, SEGMENT_HEADER_BYTES)
    file.close()
    if (got >= 4 && new Uint32Array(head.buffer)[0] === GROUP_MAGIC)
      throw new CorruptionError(
        path,
        'is a log that was used, but there is no data file beside it; restore both, or move the directory away',
      )
    storage.remove(path)
  }
}
