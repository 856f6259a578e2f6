/**
 * Checks a database as it stands: the files as they lie on the disk (block 0, the log, every block's checksum), then
 * the shape of the index as of a snapshot. Works in slices beside readers and writers of the same handle.
 */

import type { Engine } from '../../engine/engine.ts'
import { XenonError } from '../../errors.ts'
import type { Lsn } from '../../pager/place.ts'
import { performance } from '../../runtime/timers.ts'
import type { VerifyOptions, VerifyReport } from '../shapes.ts'
import { DiskCheck } from './disk.ts'
import { LogCheck } from './log.ts'
import { ShapeCheck } from './shape.ts'

const KEPT_PROBLEMS = 100
/** Milliseconds between two turns of the event loop, and blocks of the file between two looks at the clock. */
const SLICE_MS = 3
const LOOK = 16
/** How often the shape is begun again when its snapshot is given up. */
const TRIES = 5

export const verifyDatabase = async (engine: Engine, options: VerifyOptions): Promise<VerifyReport> => {
  // The blocks in the file, then those of the shape.
  const blocks = engine.metadata.blocks
  let done = 0
  const progress = (now: number): void => {
    done = Math.max(done, Math.min(now, 2 * blocks))
    options.onProgress?.({ done, total: 2 * blocks })
  }
  const disk = new DiskCheck(engine)
  disk.checkMetadata()
  const log = new LogCheck(engine)
  while (log.advance()) await engine.turn()
  // What somebody else was writing meanwhile is no damage.
  if (engine.follower?.isPast() === true) {
    disk.forget()
    log.problem = undefined
  }
  let until = performance.now() + SLICE_MS
  for (let block = 1; block < engine.metadata.blocks; block++) {
    disk.check(block)
    if (block % LOOK !== 0 || performance.now() < until) continue
    progress(Math.min(block, blocks))
    await engine.turn()
    until = performance.now() + SLICE_MS
  }
  const shape = await checkShape(engine, disk.damaged, walked => progress(blocks + walked))
  progress(2 * blocks)
  const { findings, figures } = shape
  const onDisk = disk.problems.map(({ block, sentence }) => {
    const within = findings.damagedIn.get(block)
    return within === undefined ? sentence : `${sentence} (${within})`
  })
  const problems = [...(log.problem === undefined ? [] : [log.problem]), ...onDisk, ...findings.problems]
  return {
    ok: problems.length === 0,
    problems: problems.slice(0, KEPT_PROBLEMS),
    problemCount: problems.length - findings.problems.length + findings.problemCount,
    damagedBlocks: [...disk.damaged].slice(0, KEPT_PROBLEMS),
    // What open transactions have put or deleted lies in the buckets, and is not committed.
    records: Math.max(0, shape.records - shape.uncommitted),
    spaces: shape.spaces,
    blocks: shape.blocks,
    fill: figures.fill,
    fillHistogram: figures.histogram,
    freeSlots: figures.freeSlots,
    maxDepth: figures.maxDepth,
  }
}

/** Begins again if so much is changed meanwhile that the snapshot which is walked has to be given up. */
const checkShape = async (
  engine: Engine,
  damaged: ReadonlySet<number>,
  progress: (done: number) => void,
): Promise<ShapeCheck> => {
  for (let tries = 0; tries < TRIES; tries++) {
    const shape = new ShapeCheck(engine, damaged)
    if (await walkShape(engine, shape, progress)) return shape
  }
  throw new XenonError(
    'XENON_SNAPSHOT_LOST',
    `so much is written that the index could not be checked as of one moment: ${TRIES} times the blocks that were changed meanwhile took more memory than snapshotBytes; verify when less is written, or raise snapshotBytes`,
  )
}

/** Walks the shape as it is now while others go on; false if the snapshot was given up. */
const walkShape = async (engine: Engine, shape: ShapeCheck, progress: (done: number) => void): Promise<boolean> => {
  const { pool, log, metadata } = engine
  const handle = pool.versions.begin(log.endLsn, metadata.blocks)
  const walk = shape.run()
  try {
    for (;;) {
      if (walkFor(SLICE_MS, engine, walk, handle.lsn)) return true
      progress(shape.findings.done)
      await engine.turn()
      if (handle.lost) return false
    }
  } finally {
    pool.versions.end(handle)
  }
}

/** Goes on with the walk for so long; true if that was all of it. */
const walkFor = (milliseconds: number, { pool }: Engine, walk: Iterator<unknown>, lsn: Lsn): boolean => {
  const until = performance.now() + milliseconds
  pool.asOf = lsn
  try {
    do if (walk.next().done === true) return true
    while (performance.now() < until)
    return false
  } finally {
    pool.asOf = 0
  }
}
