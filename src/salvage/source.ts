/**
 * Opens the files of a damaged database for reading: who it is, from block 0 or from what else says so, and what the
 * last checkpoint knew. Blocks that the log brings up to date are written to an overlay in memory.
 */
import { StoredImages } from '../buffer/image-format.ts'
import { FIRST_LSN } from '../engine/create.ts'
import { CorruptionError, FormatVersionError, XenonError } from '../errors.ts'
import { allBlank } from '../pager/blank.ts'
import { blockProblem, DataFile } from '../pager/data-file.ts'
import { FIRST_OVERFLOW_BLOCK, MAX_BLOCK_SIZE, MIN_BLOCK_SIZE } from '../pager/layout.ts'
import { decodeIdentity, type Identity, METADATA_BYTES, Metadata, OLDEST_FORMAT_VERSION } from '../pager/metadata.ts'
import { Arena } from '../runtime/bytes.ts'
import { closeAll } from '../storage/close-all.ts'
import { overlayStorage } from '../storage/overlay.ts'
import type { File, Storage } from '../storage/storage.ts'
import { SalvageLog } from './log.ts'
import { logUuids, readSegments } from './segments.ts'

/** Blocks looked at to find the block size that their checksums are right for. */
const SAMPLE_BLOCKS = 2048

export interface Source {
  readonly data: DataFile
  readonly log: SalvageLog
  /** Images that the readable log goes on from. */
  readonly images: StoredImages
  readonly metadata: Metadata
  /** False if the identity was lost, and with it the key of the hash. */
  readonly knowsHashKey: boolean
  /** Copies of the state in block 0 that are sound: 0, 1 or 2. */
  readonly soundStates: number
  /** What is wrong with the identity. */
  readonly identityProblem: string | undefined
  close(): void
}

/**
 * @throws XenonError `XENON_NOT_FOUND`, `XENON_FORMAT_VERSION`, or `XENON_CORRUPT` if nothing tells whose blocks these
 * are.
 */
export const openSource = (storage: Storage, directory: string, warn: (sentence: string) => void): Source => {
  const overlay = overlayStorage(storage)
  const path = storage.join(directory, 'data')
  const logPath = storage.join(directory, 'log')
  if (storage.kind(path) === 'none') {
    if (logUuids(storage, logPath).length === 0)
      throw new XenonError('XENON_NOT_FOUND', `there is no database in ${directory}; check the path`)
    throw new CorruptionError(path, 'is missing; its log alone does not hold the records')
  }
  const file = overlay.open(path)
  try {
    const head = new Uint8Array(MIN_BLOCK_SIZE)
    const bytes = head.subarray(0, file.read(head, 0, head.length, 0))
    const { identity, problem } = identify(bytes, file, storage, logPath)
    const metadata = new Metadata(identity)
    const soundStates = bytes.length < METADATA_BYTES ? 0 : metadata.readStates(bytes, storage)
    const segments = readSegments(storage, logPath, identity.uuid, warn)
    const redoLsn = soundStates === 0 ? undefined : metadata.redoLsn
    const log = new SalvageLog(storage, segments, redoLsn, soundStates === 1)
    // The log leads from the creation on: what is not in the file follows from it.
    if (soundStates === 0 && log.from === FIRST_LSN) metadata.blank = allBlank()
    const data = new DataFile(file, metadata, overlay)
    const from = Math.max(log.from, redoLsn ?? 0)
    const images = new StoredImages(logPath, new DataFile(file, metadata, storage), identity.uuid, from, log.end)
    return {
      data,
      log,
      images,
      metadata,
      knowsHashKey: problem === undefined,
      soundStates,
      identityProblem: problem,
      close: () => {
        closeAll([images, log, file])
      },
    }
  } catch (error) {
    file.close()
    throw error
  }
}

const identify = (
  bytes: Uint8Array,
  file: File,
  storage: Storage,
  logPath: string,
): { identity: Identity; problem: string | undefined } => {
  try {
    return { identity: decodeIdentity(bytes, file.path, storage), problem: undefined }
  } catch (error) {
    // A file of a newer format has a right checksum: nothing of it may be read by the rules of this one.
    if (error instanceof FormatVersionError) throw error
    const problem = (error as Error).message
    for (const uuid of logUuids(storage, logPath)) {
      const blockSize = blockSizeOf(file, storage, uuid)
      if (blockSize !== undefined)
        return { identity: { version: OLDEST_FORMAT_VERSION, blockSize, uuid, hashKey: [0, 0], createdAt: 0 }, problem }
    }
    throw new CorruptionError(
      file.path,
      `${problem.slice(problem.indexOf(': ') + 2)}; and no header of the log tells whose blocks these are`,
      0,
    )
  }
}

/** The block size that some block's checksum is right for. */
const blockSizeOf = (file: File, storage: Storage, uuid: Uint8Array): number | undefined => {
  for (let blockSize = MIN_BLOCK_SIZE; blockSize <= MAX_BLOCK_SIZE; blockSize *= 2) {
    const metadata = new Metadata({ version: OLDEST_FORMAT_VERSION, blockSize, uuid, hashKey: [0, 0], createdAt: 0 })
    const data = new DataFile(file, metadata, storage)
    const arena = new Arena(blockSize)
    const blocks = Math.floor(file.size() / blockSize)
    const stride = Math.max(1, Math.floor((blocks - FIRST_OVERFLOW_BLOCK) / SAMPLE_BLOCKS))
    for (let block = 1; block < blocks; block += block < FIRST_OVERFLOW_BLOCK ? 1 : stride)
      if (data.read(block, arena, 0) === undefined && blockProblem(arena, 0, blockSize) === undefined) return blockSize
  }
  // A new database: all blocks but the first one are blank.
  const size = file.size()
  return size >= MIN_BLOCK_SIZE && size <= MAX_BLOCK_SIZE && (size & (size - 1)) === 0 ? size : undefined
}
