/**
 * Adds the ordered index to a database, or takes it away. The index is built, or freed, while block 0 says that there
 * is none, so that a crash in between leaves a sound database without one; the next conversion clears what is left.
 */

import type { Engine } from '../engine/engine.ts'
import type { Space } from '../engine/space.ts'
import { LogOp } from '../log/format.ts'
import { RECORD_HEADER_BYTES, recordKeyLength } from '../pager/bucket.ts'
import { compareBytes, copyBytes } from '../runtime/bytes.ts'
import { performance } from '../runtime/timers.ts'
import { Step } from '../txn/step.ts'
import type { ProgressOptions } from '../types.ts'

/** Bytes of keys that are inserted in one run, and that are sorted without a turn of the event loop. */
const RUN_BYTES = 67108864
const SORT_BYTES = 131072
/** Milliseconds of work between two turns of the event loop, and steps between two looks at the clock. */
const SLICE_MS = 4
const LOOK = 32

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
    let before = 0
    for (const space of [engine.root, ...engine.spaces.open()])
      before += await build(engine, space, own => {
        const done = before + own
        // Nobody knows how many records there are beside those of the root.
        onProgress?.({ done, total: Math.max(metadata.records, done) })
      })
    setOrdered(engine, true)
  }
  await engine.checkpointer.runInSlices(() => engine.turn())
}

const setOrdered = (engine: Engine, ordered: boolean): void => {
  const { log, metadata } = engine
  const step = new Step(engine)
  step.run(() => {
    step.begin(64)
    log.part(0)
    log.operation(LogOp.ordered, ordered ? 1 : 0)
    log.endPart()
    metadata.lsn = step.end()
  })
  metadata.ordered = ordered
  log.sync()
}

/** Frees the nodes of the index, the last leaf first. */
const free = async (engine: Engine): Promise<void> => {
  const slices = new Slices(engine)
  for (const { ordered } of [engine.root, ...engine.spaces.open()])
    for (let step = 1; ordered.removeLast(); step++) if (step % LOOK === 0) await slices.turn()
}

/** Sorts the keys in runs and inserts each in order: leaves are filled from left to right. Returns how many there are. */
const build = async (engine: Engine, space: Space, onProgress: (done: number) => void): Promise<number> => {
  const scan = space.bucketScan()
  const slices = new Slices(engine)
  let pieces: Uint8Array[][] = [[]]
  let bytes = 0
  let pieceBytes = 0
  let done = 0
  const flush = async (): Promise<void> => {
    pieces.at(-1)!.sort(compareBytes)
    for (const key of merged(pieces)) {
      space.ordered.add(key, engine.scanRoom.boundAt)
      if (++done % LOOK === 0 && (await slices.turn())) onProgress(done)
    }
    pieces = [[]]
    bytes = 0
    pieceBytes = 0
  }
  while (scan.advance()) {
    for (const record of scan.records) {
      const at = record + RECORD_HEADER_BYTES
      const key = copyBytes(scan.copy.u8, at, at + recordKeyLength(scan.copy, record))
      pieces.at(-1)!.push(key)
      pieceBytes += key.length + 64
    }
    if (pieceBytes >= SORT_BYTES) {
      pieces.at(-1)!.sort(compareBytes)
      pieces.push([])
      bytes += pieceBytes
      pieceBytes = 0
    }
    if (bytes >= RUN_BYTES) await flush()
    await slices.turn()
  }
  await flush()
  onProgress(done)
  return done
}

/** The keys of sorted pieces, in order: each step takes the first of the piece at the top of a heap. */
function* merged(pieces: readonly (readonly Uint8Array[])[]): Generator<Uint8Array> {
  const heap = pieces.filter(piece => piece.length > 0).map(piece => ({ piece, at: 0 }))
  const isBefore = (a: number, b: number): boolean =>
    compareBytes(heap[a]!.piece[heap[a]!.at]!, heap[b]!.piece[heap[b]!.at]!) < 0
  const sink = (from: number): void => {
    for (let parent = from; ; ) {
      let first = parent
      for (const child of [2 * parent + 1, 2 * parent + 2])
        if (child < heap.length && isBefore(child, first)) first = child
      if (first === parent) return
      const other = heap[parent]!
      heap[parent] = heap[first]!
      heap[first] = other
      parent = first
    }
  }
  for (let parent = heap.length >>> 1; parent >= 0; parent--) sink(parent)
  while (heap.length > 0) {
    const top = heap[0]!
    yield top.piece[top.at++]!
    if (top.at === top.piece.length) {
      const last = heap.pop()!
      if (heap.length === 0) return
      heap[0] = last
    }
    sink(0)
  }
}

/** Turns of the event loop between slices of work. */
class Slices {
  private readonly engine: Engine
  private until: number = performance.now() + SLICE_MS

  constructor(engine: Engine) {
    this.engine = engine
  }

  /** True if it was time for one. */
  async turn(): Promise<boolean> {
    if (performance.now() < this.until) return false
    const { engine } = this
    engine.log.write()
    engine.checkpointer.afterCommit()
    await engine.turn()
    this.until = performance.now() + SLICE_MS
    return true
  }
}
