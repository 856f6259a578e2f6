/**
 * The part of `verify` that walks what was cleared or dropped and is not free yet: the lists that block 0 leads to, and
 * all that hangs on them. Nobody reads these records any more; but their blocks are in use, each once.
 */
import { childrenOf, type LargeChain, largeChainsOf } from '../../engine/block-children.ts'
import type { Engine } from '../../engine/engine.ts'
import { AT_KIND, AT_NEXT, BlockKind, kindName } from '../../pager/layout.ts'
import type { Block } from '../../pager/place.ts'
import { condemnedCount, condemnedRoot } from '../../pager/space-block.ts'
import type { Findings, Walk } from './findings.ts'

export class CondemnedCheck {
  private readonly engine: Engine
  private readonly findings: Findings

  constructor(engine: Engine, findings: Findings) {
    this.engine = engine
    this.findings = findings
  }

  *run(firstList: Block): Walk {
    const { findings } = this
    findings.within = 'what was cleared'
    let from = 0
    for (let list = firstList; list !== 0; ) {
      const base = this.visit(list, from)
      if (base < 0) break
      const { arena } = this.engine.pool
      const kind = arena.u8[base + AT_KIND]!
      if (kind !== BlockKind.condemned) {
        findings.missed++
        findings.problem(list, `the list of what was cleared leads to it, but it is a ${kindName(kind)}`)
        break
      }
      const roots = Array.from({ length: condemnedCount(arena, base) }, (_, i) => condemnedRoot(arena, base, i))
      from = list
      list = arena.u32[(base + AT_NEXT) >>> 2]!
      for (const root of roots) yield* this.walk(root, from)
      yield
    }
    findings.within = undefined
  }

  /** Position of a block that was not reached before, else -1. */
  private visit(block: Block, from: Block): number {
    const { findings } = this
    if (!findings.reach(block, from)) return -1
    findings.counts.condemned++
    return findings.read(block)
  }

  private *walk(root: Block, list: Block): Walk {
    const { arena, blockSize } = this.engine.pool
    const due: [block: Block, from: Block][] = [[root, list]]
    for (let next = due.pop(); next !== undefined; next = due.pop()) {
      const [block, from] = next
      const base = this.visit(block, from)
      if (base < 0) continue
      const children = childrenOf(arena, base, blockSize)
      if (children === undefined) {
        const kind = kindName(arena.u8[base + AT_KIND]!)
        this.findings.problem(block, `block ${from} leads to it as to an index or a tree, but it is a ${kind}`)
        continue
      }
      due.push(...children.map((child): [Block, Block] => [child, block]))
      for (const chain of largeChainsOf(arena, base)) yield* this.walkLarge(block, chain)
      yield
    }
  }

  private *walkLarge(bucket: Block, { head, tail, blocks }: LargeChain): Walk {
    const { arena } = this.engine.pool
    let from = bucket
    let block = head
    for (let i = 0; i < blocks; i++) {
      const base = this.visit(block, from)
      if (base < 0) return
      const kind = arena.u8[base + AT_KIND]!
      if (kind !== BlockKind.large) {
        this.findings.problem(block, `expected a part of a large value, found a ${kindName(kind)}`)
        return
      }
      from = block
      block = arena.u32[(base + AT_NEXT) >>> 2]!
      yield
    }
    if (from !== tail) this.findings.problem(bucket, `a large value should end in block ${tail}, not in ${from}`)
  }
}
