/** The part of `verify` that walks a tree: nodes in order, every key that of a record, as many keys as records. */

import type { Engine } from '../../engine/engine.ts'
import { XenonError } from '../../errors.ts'
import type { HashSearch } from '../../hash/search.ts'
import { EXPIRY_BYTES, RecordFlag, readTime, recordFlags } from '../../pager/bucket.ts'
import { AT_KIND, BlockKind, kindName } from '../../pager/layout.ts'
import { nodeChild, nodeCount, nodeKey, nodeLevel } from '../../pager/node.ts'
import { nodeProblem } from '../../pager/node-check.ts'
import type { Block } from '../../pager/place.ts'
import { compareBytes } from '../../runtime/bytes.ts'
import type { Findings, Walk } from './findings.ts'

export class TreeCheck {
  keys = 0
  private readonly engine: Engine
  private readonly findings: Findings
  private readonly name: string
  private readonly isExpiry: boolean
  /** Finds the record of a key, of which each must have one; undefined if that is not asked. */
  private readonly search: HashSearch | undefined
  /** Room for a key. */
  private readonly key: Uint8Array = new Uint8Array(2048)

  constructor(engine: Engine, findings: Findings, isExpiry: boolean, search: HashSearch | undefined) {
    this.engine = engine
    this.findings = findings
    this.isExpiry = isExpiry
    this.search = search
    this.name = isExpiry ? 'tree over times of expiry' : 'ordered index'
  }

  check(root: number): Walk {
    return this.node(root, root, -1, undefined, undefined)
  }

  private *node(
    block: Block,
    from: number,
    level: number,
    low: Uint8Array | undefined,
    high: Uint8Array | undefined,
  ): Walk {
    const { pool } = this.engine
    const { arena, blockSize } = pool
    if (!this.findings.reach(block, from)) return
    this.findings.counts.tree++
    const base = this.findings.read(block)
    if (base < 0) return
    const kind = arena.u8[base + AT_KIND]!
    if (kind !== BlockKind.leaf && kind !== BlockKind.inner) {
      this.findings.problem(block, `expected a node of the ${this.name}, found a ${kindName(kind)}`)
      return
    }
    const problem = nodeProblem(arena, base, blockSize)
    if (problem !== undefined) {
      this.findings.problem(block, problem)
      return
    }
    if (level >= 0 && nodeLevel(arena, base) !== level)
      this.findings.problem(block, `a tree node of level ${nodeLevel(arena, base)}, expected level ${level}`)
    const isInner = kind === BlockKind.inner
    // Copied, since reading the children or the records may evict this block.
    const { key } = this
    const entries = Array.from({ length: nodeCount(arena, base) }, (_, index) => {
      const length = nodeKey(arena, base, blockSize, index, key, 0)
      return { key: key.slice(0, length), child: isInner ? nodeChild(arena, base, index) : 0 }
    })
    const nodeOwnLevel = nodeLevel(arena, base)
    const first = isInner ? entries[1] : entries[0]
    const last = entries[entries.length - 1]
    if (low !== undefined && first !== undefined && compareBytes(first.key, low) < 0)
      this.findings.problem(block, `the ${this.name} holds the key ${shown(first.key)} left of its place`)
    if (
      high !== undefined &&
      last !== undefined &&
      (!isInner || entries.length > 1) &&
      compareBytes(last.key, high) >= 0
    )
      this.findings.problem(block, `the ${this.name} holds the key ${shown(last.key)} right of its place`)
    if (!isInner) {
      this.keys += entries.length
      const { search } = this
      if (search !== undefined) for (const { key } of entries) this.checkKey(search, block, key)
      yield
      return
    }
    for (const [i, { key, child }] of entries.entries())
      yield* this.node(child, block, nodeOwnLevel - 1, i === 0 ? low : key, entries[i + 1]?.key ?? high)
  }

  private checkKey(search: HashSearch, block: Block, key: Uint8Array): void {
    const { arena } = this.engine
    const own = this.isExpiry ? key.subarray(EXPIRY_BYTES) : key
    try {
      search.key.set(own)
      const record = search.find()
      if (record === 0)
        this.findings.problem(block, `the ${this.name} holds the key ${shown(own)}, which has no record`)
      else if (
        this.isExpiry &&
        ((recordFlags(arena, record) & RecordFlag.expires) === 0 ||
          readTime(arena.u8, search.fieldOf(record)) !== readTime(key, 0))
      )
        this.findings.problem(block, `the ${this.name} holds another time for the key ${shown(own)} than its record`)
    } catch (error) {
      // The bucket is damaged, which is reported where it is met.
      if (!(error instanceof XenonError)) throw error
    }
  }
}

const shown = (key: Uint8Array): string => JSON.stringify(new TextDecoder().decode(key.subarray(0, 40)))
