/**
 * The part of `verify` that walks everything through the pool: the key spaces and the list of them, what was cleared and
 * is not free yet, the free-block list, the record count, every block reached exactly once.
 *
 * The walk can pause after every block, and others may change the database meanwhile: it reads as of the snapshot that
 * its caller sets, works on a copy of the block at hand, and compares with what block 0 said when the snapshot began.
 */

import type { Engine } from '../../engine/engine.ts'
import { nameOf, spaceTextOf } from '../../engine/space-names.ts'
import { AT_KIND, AT_NEXT, BlockKind, EXPIRY_ROOT, kindName, ORDERED_ROOT } from '../../pager/layout.ts'
import type { Block } from '../../pager/place.ts'
import { readSpace, type SpaceFacts } from '../../pager/space-block.ts'
import type { BlockCounts, SpaceCount } from '../shapes.ts'
import { CondemnedCheck } from './condemned.ts'
import { Findings, type Walk } from './findings.ts'
import { BucketFigures, SpaceCheck } from './space.ts'

export class ShapeCheck {
  readonly findings: Findings
  readonly figures: BucketFigures = new BucketFigures()
  /** Records of the root in the buckets, and by how many open transactions have changed their number. */
  records = 0
  uncommitted = 0
  /** The other key spaces, in the order of the list. */
  readonly spaces: SpaceCount[] = []
  private readonly engine: Engine
  /** What block 0 says, with what open transactions have changed. */
  private readonly said: {
    readonly ordered: boolean
    readonly blocks: number
    readonly records: number
    readonly freeHead: number
    readonly freeBlocks: number
    readonly firstSpace: Block
    readonly firstCondemned: Block
    readonly spaces: number
    readonly openTransactions: number
  }

  constructor(engine: Engine, damaged: ReadonlySet<number>) {
    this.engine = engine
    const { metadata, transactions } = engine
    const { ordered, blocks, freeHead, freeBlocks, firstSpace, firstCondemned, spaces } = metadata
    let { records } = metadata
    engine.follower?.countChanges()
    for (const state of transactions.open.values()) this.uncommitted += state.records
    records += this.uncommitted
    const openTransactions = transactions.open.size
    const lists = { freeHead, freeBlocks, firstSpace, firstCondemned, spaces }
    this.said = { ordered, blocks, records, openTransactions, ...lists }
    this.findings = new Findings(engine, damaged, blocks)
  }

  get blocks(): BlockCounts {
    return { total: this.said.blocks, ...this.findings.counts }
  }

  /** The whole check, in steps of about a block. */
  *run(): Walk {
    const { engine, findings, figures, said } = this
    const { hashKey } = engine.metadata.identity
    const rootCheck = new SpaceCheck(engine, findings, figures, {
      index: 0,
      ordered: ORDERED_ROOT,
      expiry: EXPIRY_ROOT,
      hashKey,
    })
    yield* rootCheck.run(said.ordered)
    this.records = rootCheck.records
    yield* this.checkSpaces()
    yield* new CondemnedCheck(engine, findings).run(said.firstCondemned)
    yield* this.checkFreeList()
    this.finish()
  }

  private *checkSpaces(): Walk {
    const { engine, findings, figures, said } = this
    const listed: SpaceFacts[] = []
    yield* this.readList(listed)
    const byNumber = new Map(listed.map(facts => [facts.number, facts]))
    for (const facts of listed) {
      findings.within = spaceTextOf(facts, byNumber)
      const check = new SpaceCheck(engine, findings, figures, facts)
      yield* check.run(said.ordered)
      findings.within = undefined
      const name = nameOf(facts, byNumber)
      if (name !== undefined) this.spaces.push({ ...name, records: check.records })
    }
  }

  /** The chain of the blocks that say what each key space is. */
  private *readList(listed: SpaceFacts[]): Walk {
    const { findings, said } = this
    const { pool } = this.engine
    const numbers = new Set<number>()
    const names = new Set<string>()
    let from = 0
    for (let block = said.firstSpace; block !== 0; ) {
      if (!findings.reach(block, from)) return
      findings.counts.space++
      const base = findings.read(block)
      if (base < 0) return
      const kind = pool.arena.u8[base + AT_KIND]!
      if (kind !== BlockKind.space) {
        findings.missed++
        findings.problem(block, `the list of key spaces leads to it, but it is a ${kindName(kind)}`)
        return
      }
      const facts = readSpace(pool.arena, base)
      const { number, parent, name } = facts
      if (number > said.spaces)
        findings.problem(block, `holds the key space number ${number}, but ${said.spaces} were given`)
      if (numbers.has(number)) findings.problem(block, `holds the key space number ${number} a second time`)
      if (parent >= number)
        findings.problem(block, `the key space number ${number} lies in number ${parent}, a later one`)
      if (names.has(`${parent} ${name}`)) findings.problem(block, `holds a key space with the name of another one`)
      numbers.add(number)
      names.add(`${parent} ${name}`)
      listed.push(facts)
      from = block
      block = pool.arena.u32[(base + AT_NEXT) >>> 2]!
      yield
    }
  }

  /** Count of records, blocks that nothing leads to. */
  private finish(): void {
    const { said, findings } = this
    const { isIncomplete } = findings
    if (this.records !== said.records)
      findings.problem(
        0,
        `counts ${said.records} records, the buckets ${isIncomplete ? 'that can be read ' : ''}hold ${this.records}`,
      )
    if (said.openTransactions > 0) return
    const { count, first } = findings.unreached()
    if (count === 0) return
    const why = isIncomplete
      ? 'only a damaged block may lead there, or nothing does'
      : 'neither used nor on the free list'
    findings.problem(first, `${count} blocks from here on are not reached: ${why}`)
  }

  private *checkFreeList(): Walk {
    const { said, findings } = this
    const { pool } = this.engine
    let from = 0
    for (let block = said.freeHead; block !== 0; findings.counts.free++) {
      if (!findings.reach(block, from)) break
      const base = findings.read(block)
      if (base < 0) break
      const kind = pool.arena.u8[base + AT_KIND]!
      if (kind !== BlockKind.free && kind !== BlockKind.large)
        findings.problem(block, `on the free-block list, but it is a ${kindName(kind)}`)
      from = block
      block = pool.arena.u32[(base + AT_NEXT) >>> 2]!
      yield
    }
    if (findings.counts.free !== said.freeBlocks)
      findings.problem(0, `counts ${said.freeBlocks} free blocks, the list holds ${findings.counts.free}`)
  }
}
