/**
 * A consistent copy of a database that another process has open and writes, taken without its help, its lock, or a byte
 * written into its directory. The same idea as a hot backup:
 *
 *   1. Block 0 as it is now: recovery of the copy will begin at its redo LSN.
 *   2. The log from there on.
 *   3. The data file piece by piece, and after each piece what the log has grown by. Segments are recycled only after a
 *      checkpoint, which needs `checkpointBytes` of further log, so that the copy keeps up.
 *   4. The log once more. By the write-ahead rule (P1) it now covers every block that was copied.
 *
 * The blocks of the copy are of different times. Each is at least as new as the redo LSN and none is newer than the
 * log: what recovery needs after a crash, too. A block that was caught in the middle of its write is read again until
 * it is whole, since the images that guard such blocks (buffer/images.ts) belong to other moments.
 */

import type { File, Storage } from '../index.ts'
import { DataFile } from '../pager/data-file.ts'
import { METADATA_BYTES, Metadata } from '../pager/metadata.ts'
import { Arena } from '../runtime/bytes.ts'
import { LogFollower } from './live-copy-log.ts'

export { Overtaken } from './live-copy-log.ts'

const PIECE_BYTES = 4194304
/** Times that a block with a wrong checksum is read again: the owner may be writing it. */
const REREADS = 20
const REREAD_PAUSE_MS = 2

export interface CopyOptions {
  /** Bytes of the data file copied between two looks at the log. */
  pieceBytes?: number
  /** Called after each piece, before the log is looked at; a throw ends the copy. */
  onPiece?: (copied: number, total: number) => void | Promise<void>
}

/** Copies the database in `from` into the empty directory `to`. Returns the LSN that the copy is of. */
export async function copyLive(
  storage: Storage,
  from: string,
  to: string,
  options: CopyOptions = {},
): Promise<{ lsn: number }> {
  const data = storage.open(storage.join(from, 'data'), { readOnly: true })
  let follower: LogFollower | undefined
  try {
    const head = readHead(data)
    const metadata = Metadata.decode(head, data.path, storage)
    const { identity, redoLsn } = metadata
    const log = storage.join(to, 'log')
    storage.makeDirectory(log)
    follower = new LogFollower(storage, storage.join(from, 'log'), log, identity.uuid, redoLsn)
    follower.follow()
    const source = new DataFile(data, metadata, storage)
    await copyData(source, storage.join(to, 'data'), head, follower, options)
    follower.finish()
    return { lsn: follower.lsn }
  } finally {
    follower?.close()
    data.close()
  }
}

/** The sectors of block 0, of which one may be under way: then its checksum is wrong, and the other copy counts. */
function readHead(data: File): Uint8Array {
  const head = new Uint8Array(METADATA_BYTES)
  return head.subarray(0, data.read(head, 0, head.length, 0))
}

async function copyData(
  source: DataFile,
  path: string,
  head: Uint8Array,
  follower: LogFollower,
  { pieceBytes = PIECE_BYTES, onPiece }: CopyOptions,
): Promise<void> {
  const { file, blockSize, storage } = source
  const target = storage.open(path, { create: true })
  try {
    const arena = new Arena(Math.max(1, Math.floor(pieceBytes / blockSize)) * blockSize)
    for (let at = 0; ; ) {
      const got = file.read(arena.u8, 0, arena.buffer.byteLength, at)
      if (got === 0) break
      for (let offset = 0; offset + blockSize <= got; offset += blockSize)
        if (at + offset > 0) await untilWhole(source, (at + offset) / blockSize, arena, offset, follower)
      target.write(arena.u8, 0, got, at)
      at += got
      await onPiece?.(at, Math.max(at, file.size()))
      follower.follow()
    }
    target.write(head, 0, head.length, 0)
  } finally {
    target.close()
  }
}

/** Reads the block at `offset` of the arena again while its checksum is wrong. One that stays so is damaged. */
async function untilWhole(
  source: DataFile,
  block: number,
  arena: Arena,
  offset: number,
  follower: LogFollower,
): Promise<void> {
  // What the log says of a blank block is all there is of it, whatever its owner is writing.
  if (source.isBlank(block)) return
  for (let i = 0; i < REREADS && source.problemOf(block, arena, offset) !== undefined; i++) {
    await new Promise(resolve => setTimeout(resolve, REREAD_PAUSE_MS))
    // The log goes on meanwhile, and its segments with it.
    follower.follow()
    source.file.read(arena.u8, offset, source.blockSize, block * source.blockSize)
  }
}
