/** What a walk over everything has found so far: which blocks were reached, as what, and what is wrong. */
import type { Engine } from '../../engine/engine.ts'
import { XenonError } from '../../errors.ts'
import type { Block, Position } from '../../pager/place.ts'
import type { BlockCounts } from '../shapes.ts'

const KEPT_PROBLEMS = 100

/** A check that pauses now and then, so that others have their turn. */
export type Walk = Generator<undefined, void, void>

type Counts = { -readonly [kind in Exclude<keyof BlockCounts, 'total'>]: number }

export class Findings {
  readonly problems: string[] = []
  problemCount = 0
  readonly counts: Counts = {
    metadata: 1,
    index: 0,
    directory: 0,
    overflow: 0,
    large: 0,
    tree: 0,
    free: 0,
    space: 0,
    condemned: 0,
  }
  /** Blocks that could not be read or followed, so that what hangs on them was not reached either. */
  missed = 0
  /** What is being walked, if it is not the root: `sub-database 'a'`. */
  within: string | undefined
  /** By block that is known to be damaged: what it was reached in. */
  readonly damagedIn: Map<Block, string> = new Map()
  private readonly engine: Engine
  /** Blocks that are known to be damaged already. */
  private readonly damaged: ReadonlySet<number>
  private readonly reached: Uint8Array

  /** `blocks`: how many there are. */
  constructor(engine: Engine, damaged: ReadonlySet<number>, blocks: number) {
    this.engine = engine
    this.damaged = damaged
    this.reached = new Uint8Array(blocks)
    this.reached[0] = 1
  }

  /** Some block could not be read. */
  get isIncomplete(): boolean {
    return this.missed > 0
  }

  /** Blocks reached so far, but for block 0. */
  get done(): number {
    const { metadata, ...others } = this.counts
    return Object.values(others).reduce((sum, count) => sum + count, 0)
  }

  problem(block: Block, sentence: string): void {
    this.problemCount++
    if (this.problems.length >= KEPT_PROBLEMS) return
    const where = `${this.engine.file.file.path}, block ${block}: `
    const problem = sentence.startsWith(where) ? sentence : where + sentence
    this.problems.push(this.within === undefined ? problem : `${problem} (${this.within})`)
  }

  /** Marks a block as reached; false if it cannot be followed. */
  reach(block: Block, from: Block): boolean {
    if (block === 0 || block >= this.reached.length) {
      this.missed++
      this.problem(from, `points to block ${block}, but there are ${this.reached.length} blocks`)
      return false
    }
    if (this.reached[block] !== 0) {
      this.problem(block, `reached twice, the second time from block ${from}`)
      return false
    }
    this.reached[block] = 1
    return true
  }

  /** Position of a block in the arena, or -1 after reporting why it cannot be read. */
  read(block: Block): Position | -1 {
    try {
      return this.engine.pool.get(block)
    } catch (error) {
      if (!(error instanceof XenonError)) throw error
      this.missed++
      if (!this.damaged.has(block)) this.problem(block, error.message)
      else if (this.within !== undefined) this.damagedIn.set(block, this.within)
      return -1
    }
  }

  /** How many blocks nothing leads to, and the first of them. */
  unreached(): { count: number; first: Block } {
    let count = 0
    let first = 0
    for (let block = 1; block < this.reached.length; block++) {
      if (this.reached[block] !== 0) continue
      if (count++ === 0) first = block
    }
    return { count, first }
  }
}
