/**
 * Checks a database as it stands: the files as they lie on the disk (block 0, the log, every block's checksum), then the
 * shape of the index. Works beside readers and writers of the same handle.
 */
import type { Engine } from './engine.ts'
import { INDEX_BLOCKS } from './pager/layout.ts'
import type { VerifyOptions, VerifyReport } from './types.ts'
import { DiskCheck } from './verify-disk.ts'
import { LogCheck } from './verify-log.ts'
import { ShapeCheck } from './verify-shape.ts'

const KEPT_PROBLEMS = 100
/** Blocks checked between two turns of the event loop, and milliseconds. */
const SLICE = 1024
const SLICE_MS = 8

export const verifyDatabase = async (engine: Engine, options: VerifyOptions): Promise<VerifyReport> => {
  const total = engine.metadata.blocks + INDEX_BLOCKS
  const progress = (done: number): void => options.onProgress?.({ done: Math.min(done, total), total })
  const disk = new DiskCheck(engine)
  disk.checkMetadata()
  const log = new LogCheck(engine)
  while (log.advance()) await engine.turn()
  for (let block = 1; block < engine.metadata.blocks; block++) {
    disk.check(block)
    if (block % SLICE === 0) {
      progress(block)
      await engine.turn()
    }
  }
  const shape = await checkShape(engine, disk.damaged, progress)
  progress(total)
  const problems = [...(log.problem === undefined ? [] : [log.problem]), ...disk.problems, ...shape.problems]
  return {
    ok: problems.length === 0,
    problems: problems.slice(0, KEPT_PROBLEMS),
    problemCount: problems.length - shape.problems.length + shape.problemCount,
    damagedBlocks: [...disk.damaged].slice(0, KEPT_PROBLEMS),
    records: shape.records,
    blocks: shape.blocks,
    fill: shape.fill,
    fillHistogram: shape.histogram,
    freeSlots: shape.freeSlots,
    maxDepth: shape.maxDepth,
  }
}

/** The shape is walked in slices as long as nobody changes it; with writers about, in one go. */
const checkShape = async (
  engine: Engine,
  damaged: ReadonlySet<number>,
  progress: (done: number) => void,
): Promise<ShapeCheck> => {
  let shape = new ShapeCheck(engine, damaged)
  const before = engine.log.endLsn
  let since = performance.now()
  for (let root = 1; root <= INDEX_BLOCKS; root++) {
    shape.checkRoot(root)
    progress(engine.metadata.blocks + root)
    if (performance.now() - since < SLICE_MS) continue
    await engine.turn()
    since = performance.now()
    if (engine.log.endLsn !== before) {
      shape = new ShapeCheck(engine, damaged)
      for (let again = 1; again <= INDEX_BLOCKS; again++) shape.checkRoot(again)
      break
    }
  }
  shape.checkTrees()
  shape.finish()
  return shape
}
