/**
 * The key spaces of a database beside its root. A block of its own says what each of them is (`pager/space-block.ts`);
 * the blocks are a list whose first one block 0 names. Making one, dropping one, and writing down something about one is
 * a step (`txn/step.ts`): atomic, durable with the next commit, never undone.
 *
 * Invariants
 *  J1  A space lies in the root, or in another space. One whose outer space is gone has been dropped with that: nobody
 *      finds it, and it is taken off the list by the way.
 *  J2  Numbers are given once, so that a record of the log that names a space never means another one.
 */
import { CorruptionError } from '../errors.ts'
import { AT_KIND, AT_NEXT, BlockKind, HEADER_BYTES } from '../pager/layout.ts'
import { SPACES_VERSION } from '../pager/metadata.ts'
import type { Block, Lsn } from '../pager/place.ts'
import { AT_INDEX_ROOT, ROOTS_BYTES, readSpace, type SpaceFacts, writeSpace } from '../pager/space-block.ts'
import { broken } from '../runtime/invariant.ts'
import { SpaceLocks } from '../txn/space-locks.ts'
import { type Pinned, Step } from '../txn/step.ts'
import type { ArenaPlan } from './arena-plan.ts'
import { logEmpty, logList } from './condemned.ts'
import { type Layers, Space } from './space.ts'

/** A space that is on the list. */
interface Listed {
  block: Block
  facts: SpaceFacts
  space: Space | undefined
  /** The log's end when it was found to have been made. */
  bornAt?: Lsn | undefined
}

const NONE: ReadonlyMap<string, Listed> = new Map()

export class Spaces {
  private readonly layers: Layers
  private readonly plan: ArenaPlan
  private readonly step: Step
  /** In the order of the list; undefined until somebody asks. */
  private listed: Listed[] | undefined
  /** The same by number, and by the number of the outer space and the name. */
  private readonly numbered: Map<number, Listed> = new Map()
  private readonly named: Map<number, Map<string, Listed>> = new Map()
  /** Until somebody has looked: a crash may have left some, and a space that was dropped. */
  private mayHaveOrphans = true

  constructor(layers: Layers, plan: ArenaPlan) {
    this.layers = layers
    this.plan = plan
    this.step = new Step(layers)
  }

  /** There is no space but the root; asking costs nothing. */
  get isEmpty(): boolean {
    return this.layers.metadata.firstSpace === 0
  }

  /** Spaces on the list; undefined if damage is in the way, which whoever opens one of them hears of. */
  get count(): number | undefined {
    try {
      return this.all().length
    } catch (error) {
      if (error instanceof CorruptionError) return undefined
      throw error
    }
  }

  /** The names of the spaces that lie in one, in the order of their code units. */
  names(parent: number): string[] {
    return [...this.within(parent).keys()].sort()
  }

  find(parent: number, name: string): Space | undefined {
    const found = this.within(parent).get(name)
    return found === undefined ? undefined : this.spaceOf(found)
  }

  /** @throws CorruptionError if there is none with this number. */
  byNumber(number: number): Space {
    return this.spaceOf(this.entryOf(number))
  }

  /** All spaces that can be found. */
  open(): Space[] {
    const orphans = this.orphans()
    return this.all()
      .filter(listed => !orphans.has(listed))
      .map(listed => this.spaceOf(listed))
  }

  /** What is written down of a space. */
  factsOf(space: Space): SpaceFacts {
    return this.entryOf(space.number).facts
  }

  private entryOf(number: number): Listed {
    this.all()
    const found = this.numbered.get(number)
    if (found !== undefined) return found
    throw new CorruptionError(this.layers.file.file.path, `there is no key space of number ${number}`)
  }

  private within(parent: number): ReadonlyMap<string, Listed> {
    this.all()
    return this.named.get(parent) ?? NONE
  }

  private all(): Listed[] {
    if (this.listed === undefined) {
      this.listed = this.isEmpty ? [] : this.read()
      for (const listed of this.listed) this.enter(listed)
    }
    return this.listed
  }

  private enter(listed: Listed): void {
    const { number, parent, name } = listed.facts
    this.numbered.set(number, listed)
    const named = this.named.get(parent) ?? new Map<string, Listed>()
    // Should a damaged list hold two, the one that comes first is found.
    if (!named.has(name)) named.set(name, listed)
    this.named.set(parent, named)
  }

  private leave({ facts }: Listed): void {
    this.numbered.delete(facts.number)
    const named = this.named.get(facts.parent)
    named?.delete(facts.name)
    if (named?.size === 0) this.named.delete(facts.parent)
  }

  private read(): Listed[] {
    const { pool, metadata, file } = this.layers
    const { path } = file.file
    const listed: Listed[] = []
    for (let block = metadata.firstSpace; block !== 0; ) {
      const base = pool.get(block)
      if (pool.arena.u8[base + AT_KIND] !== BlockKind.space)
        throw new CorruptionError(path, 'the list of key spaces leads to it, but it holds none', block)
      if (listed.length >= metadata.spaces) throw new CorruptionError(path, 'the list of key spaces is cyclic', block)
      listed.push({ block, facts: readSpace(pool.arena, base), space: undefined })
      block = pool.arena.u32[(base + AT_NEXT) >>> 2]!
    }
    return listed
  }

  /** What is written down of those that nobody has opened. */
  unopened(): SpaceFacts[] {
    return this.all().flatMap(({ facts, space }) => (space === undefined ? [facts] : []))
  }

  isOpened(number: number): boolean {
    return this.numbered.get(number)?.space !== undefined
  }

  /** What is written down of one, by its number. */
  get(number: number): SpaceFacts | undefined {
    return this.numbered.get(number)?.facts
  }

  /** Those that somebody has opened. */
  get opened(): Space[] {
    return (this.listed ?? []).map(({ space }) => space).filter(space => space !== undefined)
  }

  private spaceOf(listed: Listed): Space {
    const { layers, plan } = this
    const { facts } = listed
    if (listed.space === undefined) {
      listed.space = new Space(layers, new SpaceLocks(facts.number, layers.log), facts, plan)
      listed.space.bornAt = listed.bornAt ?? 0
    }
    return listed.space
  }

  /** Somebody else may have changed the list: those that were opened learn where they begin now, or that they are gone. */
  follow(): void {
    if (this.listed === undefined) return
    // Should it not be readable, what is known stays for another attempt.
    const now = this.isEmpty ? [] : this.read()
    const before = new Map(this.numbered)
    this.listed = now
    this.numbered.clear()
    this.named.clear()
    for (const listed of now) {
      this.enter(listed)
      const { facts } = listed
      const known = before.get(facts.number)
      before.delete(facts.number)
      listed.bornAt = known === undefined ? this.layers.log.endLsn : known.bornAt
      listed.space = known?.space
      const place = listed.space?.place
      if (place === undefined) continue
      const { index, ordered, expiry } = facts
      if (place.index !== index || place.ordered !== ordered || place.expiry !== expiry)
        listed.space!.beginAt(index, ordered, expiry)
    }
    for (const { space } of before.values()) if (space !== undefined) space.isDropped = true
  }

  /** Those that lie in none that is on the list (J1). */
  private orphans(): ReadonlySet<Listed> {
    const all = this.all()
    const isOrphan = ({ parent, number }: SpaceFacts): boolean => {
      if (parent === 0) return false
      const outer = this.numbered.get(parent)?.facts
      // An outer space is the older one, so that the way comes to an end.
      return outer === undefined || parent >= number || isOrphan(outer)
    }
    return new Set(all.filter(listed => isOrphan(listed.facts)))
  }

  /** Makes a space in the one with the number `parent`; there is none with that name. */
  make(parent: number, name: string, note: Uint8Array): Space {
    const { layers } = this
    const { file, metadata } = layers
    const all = this.all()
    if (this.numbered.has(metadata.spaces + 1))
      broken('J2', 'a key space has a number that was not given', layers.health)
    file.raiseVersion(metadata, SPACES_VERSION)
    const words = new Uint32Array(file.storage.randomBytes(8).slice().buffer)
    const listed = this.step.run(() =>
      this.logNew({
        number: metadata.spaces + 1,
        parent,
        hashKey: [words[0]!, words[1]!],
        createdAt: Math.floor(layers.now()),
        name,
        note,
      }),
    )
    all.unshift(listed)
    this.enter(listed)
    const space = this.spaceOf(listed)
    space.bornAt = layers.log.endLsn
    return space
  }

  private logNew(given: Omit<SpaceFacts, 'index' | 'ordered' | 'expiry'>): Listed {
    const { step } = this
    const { pool, metadata, log } = this.layers
    const { arena, blockSize } = pool
    const [block, index, ordered, expiry] = step.take(4) as [Block, Block, Block, Block]
    const facts: SpaceFacts = { ...given, index, ordered, expiry }
    const head = step.fresh(block)
    const root = step.fresh(index)
    const trees = [step.fresh(ordered), step.fresh(expiry)]
    step.begin(512 + 4 * facts.name.length + facts.note.length)
    this.logStart(root, trees)
    arena.clear(head.base, head.base + blockSize)
    arena.u8[head.base + AT_KIND] = BlockKind.space
    arena.u32[(head.base + AT_NEXT) >>> 2] = metadata.firstSpace
    const bytes = writeSpace(arena, head.base, facts)
    step.format(head, BlockKind.space, 0)
    log.setWord(AT_NEXT, metadata.firstSpace)
    log.set(HEADER_BYTES, bytes, head.base + HEADER_BYTES)
    step.endPart()
    step.setState('firstSpace', block)
    step.setState('spaces', facts.number)
    step.end()
    return { block, facts, space: undefined }
  }

  /** Writes down something else about a space. */
  setNote(space: Space, note: Uint8Array): void {
    const listed = this.entryOf(space.number)
    const { pool, log } = this.layers
    const { step } = this
    const facts = { ...listed.facts, note }
    step.run(() => {
      const head = step.pin(listed.block)
      step.begin(256 + 4 * facts.name.length + note.length, [head])
      const bytes = writeSpace(pool.arena, head.base, facts)
      step.part(head)
      log.set(HEADER_BYTES, bytes, head.base + HEADER_BYTES)
      step.endPart()
      step.end()
    })
    listed.facts = facts
  }

  /** Empties some spaces at once, whatever they hold. No open transaction has touched any of them. */
  clear(spaces: readonly Space[]): void {
    const listed = spaces.map(space => this.entryOf(space.number))
    const { metadata, file } = this.layers
    file.raiseVersion(metadata, SPACES_VERSION)
    const cleared = this.step.run(() => this.logClear(listed))
    for (const [i, facts] of cleared.entries()) {
      listed[i]!.facts = facts
      spaces[i]!.beginAt(facts.index, facts.ordered, facts.expiry)
    }
  }

  private logClear(listed: readonly Listed[]): SpaceFacts[] {
    const { step } = this
    const { pool, log } = this.layers
    const { arena } = pool
    const [listBlock, ...blocks] = step.take(1 + 3 * listed.length) as [Block, ...Block[]]
    const heads = listed.map(({ block }) => step.pin(block))
    const list = step.fresh(listBlock)
    const fresh = blocks.map(block => step.fresh(block))
    step.begin(256 + 256 * listed.length, heads)
    const roots: Block[] = []
    const cleared = listed.map(({ facts }, i) => {
      const [index, ordered, expiry] = fresh.slice(3 * i, 3 * i + 3) as [Pinned, Pinned, Pinned]
      this.logStart(index, [ordered, expiry])
      roots.push(facts.index, facts.ordered, facts.expiry)
      const now = { ...facts, index: index.block, ordered: ordered.block, expiry: expiry.block }
      const { base } = heads[i]!
      writeSpace(arena, base, now)
      step.part(heads[i]!)
      log.set(AT_INDEX_ROOT, ROOTS_BYTES, base + AT_INDEX_ROOT)
      step.endPart()
      return now
    })
    logList(this.layers, step, list, roots)
    step.end()
    return cleared
  }

  /** Inside a record: an empty index and empty trees. */
  private logStart(index: Pinned, trees: readonly Pinned[]): void {
    const { layers, step } = this
    logEmpty(layers, step, index, false)
    for (const tree of trees) logEmpty(layers, step, tree, true)
  }

  /**
   * Compaction has moved a block that one of the list, or block 0, leads to: one of the list itself, or what a space
   * begins with.
   */
  moved(from: Block, to: Block): void {
    for (const listed of this.all()) {
      if (listed.block === from) listed.block = to
      const { index, ordered, expiry } = listed.facts
      if (index !== from && ordered !== from && expiry !== from) continue
      const now = (block: Block): Block => (block === from ? to : block)
      listed.facts = { ...listed.facts, index: now(index), ordered: now(ordered), expiry: now(expiry) }
      // Opened, so that it knows where it was for the snapshots that are open.
      this.spaceOf(listed).beginAt(now(index), now(ordered), now(expiry))
    }
  }

  /** Drops a space, with those that lie in it. No open transaction has touched any of them. */
  drop(space: Space): void {
    this.mayHaveOrphans = true
    this.takeOff(this.entryOf(space.number))
    this.dropOrphans()
  }

  /** Takes off the list what lay in spaces that are gone (J1); true if there was any. */
  dropOrphans(): boolean {
    if (!this.mayHaveOrphans) return false
    // Whatever lies in one of them is one of them.
    const orphans = this.orphans()
    for (const orphan of orphans) this.takeOff(orphan)
    this.mayHaveOrphans = false
    return orphans.size > 0
  }

  private takeOff(listed: Listed): void {
    const all = this.all()
    const at = all.indexOf(listed)
    const { step } = this
    const { metadata } = this.layers
    const { block, facts, space } = listed
    const before = all[at - 1]
    const next = all[at + 1]?.block ?? 0
    this.layers.file.raiseVersion(metadata, SPACES_VERSION)
    step.run(() => {
      const [listBlock] = step.take(1)
      const head = step.pin(block)
      const previous = before === undefined ? undefined : step.pin(before.block)
      const list = step.fresh(listBlock!)
      const changing: Pinned[] = previous === undefined ? [head] : [head, previous]
      step.begin(512, changing)
      if (previous === undefined) step.setState('firstSpace', next)
      else {
        this.layers.pool.arena.u32[(previous.base + AT_NEXT) >>> 2] = next
        step.part(previous)
        this.layers.log.setWord(AT_NEXT, next)
        step.endPart()
      }
      logList(this.layers, step, list, [facts.index, facts.ordered, facts.expiry])
      step.free(head)
      step.end()
    })
    all.splice(at, 1)
    this.leave(listed)
    if (space !== undefined) space.isDropped = true
  }
}
