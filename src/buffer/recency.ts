/**
 * Which frames leave the pool when there is no room: those that were not used for the longest time, by the list of
 * `lru-cache`. It knows frames by their numbers only, which begin at 1 and stay in the list whatever block they hold: a
 * frame that takes another block is moved, not taken out and put in, which would cost several times as much.
 *
 * A use moves a frame once per epoch, the time between two evictions. As long as everything fits there is no eviction,
 * and no list: for 262,144 frames it takes milliseconds to build.
 *
 * Guides, blocks that stand for more records than others, pass the cold end of the list twice before they leave. Where
 * a batch of random keys meets a pool that holds an eighth of the file, a tenth fewer blocks are read for it.
 */
import { LRUCache } from 'lru-cache'

const CHANCES = 2

export class Recency {
  private list: LRUCache<number, number> | undefined
  /** By frame: how often it passes the cold end. */
  private chances: Uint8Array
  private readonly isGuide: (frame: number) => boolean

  constructor(frames: number, isGuide: (frame: number) => boolean) {
    this.chances = new Uint8Array(frames + 1)
    this.isGuide = isGuide
  }

  /** There may be so many frames now. @throws RangeError, with nothing changed, if there is not so much memory. */
  grow(frames: number): void {
    this.chances = new Uint8Array(frames + 1)
    this.list = undefined
  }

  /** The frame was used, or takes a block. */
  use(frame: number): void {
    if (this.list === undefined) return
    this.list.get(frame)
    this.chances[frame] = CHANCES
  }

  /** The frames 1 to `last`, the one that was used last first; while nothing had to leave yet, by their numbers. */
  inOrder(last: number): Iterable<number> {
    return this.list === undefined ? Array.from({ length: last }, (_, i) => i + 1) : this.list.keys()
  }

  /** Up to `wanted` of the frames 1 to `last` for which `mayLeave`, the longest unused first. */
  coldest(wanted: number, last: number, mayLeave: (frame: number) => boolean): number[] {
    this.list ??= listOf(last)
    const found: number[] = []
    const spared: number[] = []
    for (const frame of this.list.rkeys()) {
      if (!mayLeave(frame)) continue
      if (this.chances[frame]! > 0 && this.isGuide(frame)) spared.push(frame)
      else if (found.push(frame) === wanted) break
    }
    for (const frame of spared) {
      this.list.get(frame)
      this.chances[frame] = this.chances[frame]! - 1
    }
    // Where all are guides, some of them leave all the same.
    return found.length > 0 ? found : spared.slice(0, wanted)
  }
}

const listOf = (frames: number): LRUCache<number, number> => {
  const list = new LRUCache<number, number>({ max: frames })
  for (let frame = 1; frame <= frames; frame++) list.set(frame, frame)
  return list
}
