/** The part of `verify` that reads the data file as it is on the disk: block 0, then the checksum of each block. */

import type { Engine } from '../../engine/engine.ts'
import { XenonError } from '../../errors.ts'
import { blockLsn } from '../../pager/bucket.ts'
import { blockProblem } from '../../pager/data-file.ts'
import { METADATA_BYTES } from '../../pager/metadata.ts'
import type { Block } from '../../pager/place.ts'
import { Arena } from '../../runtime/bytes.ts'

export class DiskCheck {
  readonly problems: { block: Block; sentence: string }[] = []
  /** Blocks with a problem, in file order. */
  readonly damaged: Set<number> = new Set()
  private readonly engine: Engine
  private readonly arena: Arena

  constructor(engine: Engine) {
    this.engine = engine
    this.arena = new Arena(engine.pool.blockSize)
  }

  /** The identity and both copies of the state. */
  checkMetadata(): void {
    const { metadata, file } = this.engine
    const bytes = new Uint8Array(METADATA_BYTES)
    const read = (): number => file.file.read(bytes, 0, bytes.length, 0)
    const found = attempt(() => metadata.problems(bytes.subarray(0, read()), file.storage))
    for (const problem of Array.isArray(found) ? found : [found]) this.problem(0, problem)
  }

  /** What was found so far does not count. */
  forget(): void {
    this.problems.length = 0
    this.damaged.clear()
  }

  /** Reads a block from the file, unless a newer state of it waits in the pool. */
  check(block: Block): void {
    const { pool, log } = this.engine
    if (pool.isDirty(block)) return
    const problem = attempt(() => this.read(block)) ?? blockProblem(this.arena, 0, pool.blockSize)
    if (problem !== undefined) this.problem(block, problem)
    else if (blockLsn(this.arena, 0) > log.endLsn)
      this.problem(block, `its LSN ${blockLsn(this.arena, 0)} lies behind the end of the log (${log.endLsn})`)
  }

  private read(block: Block): string | undefined {
    return this.engine.file.read(block, this.arena, 0)
  }

  private problem(block: Block, sentence: string): void {
    this.damaged.add(block)
    this.problems.push({ block, sentence: `${this.engine.file.file.path}, block ${block}: ${sentence}` })
  }
}

/** What the action returns, or the message of its failure: a sector that the disk refuses to give is a finding too. */
const attempt = <T>(action: () => T): T | string => {
  try {
    return action()
  } catch (error) {
    if (error instanceof XenonError) return error.message
    throw error
  }
}
