/**
 * What lies where in the arena of an open database: scratch for a key, for a value field, for a field to be put back,
 * for a block, for a list of blocks, for the earlier state of a block, for keys of the trees, for the keys of a scan,
 * for texts to be decoded, for the keys ahead; the log's buffer; the frames of the pool.
 */
import { KEY_SCRATCH_BYTES } from '../hash/key.ts'
import { KEYS_AHEAD_BYTES } from '../hash/keys-ahead.ts'
import { MAX_TREE_KEY_BYTES } from '../pager/node.ts'
import { alignUp } from '../runtime/bytes.ts'
import { TEXT_SCRATCH_BYTES } from '../runtime/text-batch.ts'

export const SCAN_SCRATCH_BYTES = 65536
export const TREE_KEY_SCRATCH: number = alignUp(MAX_TREE_KEY_BYTES, 64)
const LOG_BUFFER_BYTES = 1048576
const LIST_SCRATCH_BYTES = 1024
const PAGE = 4096
const LEAST_FRAMES = 16
/**
 * The pool begins with so many frames and takes more when they are used up: V8 answers the allocation of a large buffer,
 * of 24 MiB already, with a garbage collection that takes as long as all the rest of opening a database.
 */
const FIRST_FRAMES = 512

/** Positions in the arena, in bytes. */
export interface ArenaPlan {
  readonly keyAt: number
  readonly fieldAt: number
  readonly undoFieldAt: number
  readonly blockAt: number
  readonly listAt: number
  readonly visitorAt: number
  readonly treeKeysAt: number
  readonly scanAt: number
  readonly textAt: number
  readonly keysAheadAt: number
  readonly logAt: number
  readonly logBytes: number
  readonly framesAt: number
  /** Frames that the pool begins with, and that it may grow to. */
  readonly firstFrames: number
  readonly frames: number
  /** Of the whole arena, as it begins. */
  readonly bytes: number
}

export const planArena = (blockSize: number, segmentBytes: number, cacheBytes: number): ArenaPlan => {
  const keyAt = 0
  const fieldAt = keyAt + KEY_SCRATCH_BYTES
  const undoFieldAt = fieldAt + blockSize
  const blockAt = undoFieldAt + blockSize
  const listAt = blockAt + blockSize
  const visitorAt = listAt + LIST_SCRATCH_BYTES
  const treeKeysAt = visitorAt + blockSize
  const scanAt = treeKeysAt + 4 * TREE_KEY_SCRATCH
  const textAt = scanAt + SCAN_SCRATCH_BYTES
  const keysAheadAt = textAt + TEXT_SCRATCH_BYTES
  const logAt = keysAheadAt + KEYS_AHEAD_BYTES
  const logBytes = Math.min(LOG_BUFFER_BYTES, segmentBytes - 512)
  const framesAt = alignUp(logAt + logBytes, PAGE)
  const frames = Math.max(LEAST_FRAMES, Math.floor(cacheBytes / blockSize))
  const firstFrames = Math.min(frames, FIRST_FRAMES)
  return {
    keyAt,
    fieldAt,
    undoFieldAt,
    blockAt,
    listAt,
    visitorAt,
    treeKeysAt,
    scanAt,
    textAt,
    keysAheadAt,
    logAt,
    logBytes,
    framesAt,
    firstFrames,
    frames,
    // Whoever asks for the lines of a record ahead may look behind the last frame.
    bytes: framesAt + firstFrames * blockSize + PAGE,
  }
}
