/**
 * Adds the ordered index to a database, or takes it away. The index is built, or freed, while block 0 says that there is
 * none, so that a crash in between leaves a sound database without one; the next conversion clears what is left.
 */

import { compareBytes } from './bytes.ts'
import { copyBytes } from './encoding.ts'
import type { Engine } from './engine.ts'
import { BucketScan } from './index/scan.ts'
import { LogOp, RecordType } from './log/format.ts'
import { RECORD_HEADER_BYTES, recordKeyLength } from './pager/bucket.ts'
import type { ProgressOptions } from './types.ts'

/** Bytes of keys that are sorted at a time. */
const RUN_BYTES = 67108864
/** Steps between two turns of the event loop. */
const SLICE = 4096

export const convertIndex = async (
  engine: Engine,
  ordered: boolean,
  { onProgress }: ProgressOptions,
): Promise<void> => {
  const { metadata } = engine
  if (metadata.ordered === ordered) return
  if (metadata.ordered) setOrdered(engine, false)
  await free(engine)
  if (ordered) {
    await build(engine, done => onProgress?.({ done, total: metadata.records }))
    setOrdered(engine, true)
  }
  engine.checkpointer.run()
}

const setOrdered = (engine: Engine, ordered: boolean): void => {
  const { log, metadata } = engine
  log.reserve(64)
  log.begin(RecordType.system, 0, 0, 0)
  log.part(0)
  log.operation(LogOp.ordered, ordered ? 1 : 0)
  log.endPart()
  metadata.lsn = log.end()
  metadata.ordered = ordered
  log.sync()
}

/** Frees the nodes of the index, the last leaf first. */
const free = async (engine: Engine): Promise<void> => {
  for (let step = 1; engine.ordered.removeLast(); step++) if (step % SLICE === 0) await turn(engine)
}

/** Sorts the keys in runs and inserts each in order: leaves are filled from left to right. */
const build = async (engine: Engine, onProgress: (done: number) => void): Promise<void> => {
  const { pool, metadata, file } = engine
  const scan = new BucketScan(pool, metadata.identity.hashKey, file.file.path)
  let run: Uint8Array[] = []
  let bytes = 0
  let done = 0
  const flush = async (): Promise<void> => {
    run.sort(compareBytes)
    for (const key of run) {
      engine.ordered.add(key, engine.scanRoom.boundAt)
      if (++done % SLICE !== 0) continue
      onProgress(done)
      await turn(engine)
    }
    run = []
    bytes = 0
  }
  while (scan.advance()) {
    for (const record of scan.records) {
      const at = record + RECORD_HEADER_BYTES
      const key = copyBytes(scan.copy.u8, at, at + recordKeyLength(scan.copy, record))
      run.push(key)
      bytes += key.length + 64
    }
    if (bytes >= RUN_BYTES) await flush()
  }
  await flush()
  onProgress(done)
}

const turn = async (engine: Engine): Promise<void> => {
  engine.log.write()
  engine.checkpointer.afterCommit()
  await engine.turn()
}
