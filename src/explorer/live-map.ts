/**
 * The map of a file that changes while somebody looks at it. The first time every block is read; later only those that
 * the pool has and that were changed or written, or that have left it since, and what was added. Whoever asks gets what
 * has changed since the version that they know, and which blocks were used and changed.
 *
 * Of files that another process writes nobody tells what has changed: they are read anew, at most a tenth of the time.
 */
import { performance } from '../runtime/timers.ts'
import { FileMap } from './map.ts'
import type { BlockSource } from './source.ts'

/** Time that is worked between two turns of the event loop. */
const SLICE_MS = 4
/** So many times as long as the reading took, files are left alone. */
const REST = 10
/** Used blocks that are told at a time: nobody may ask for long. */
const MOST_USED = 131072
/** Versions that one map may have. */
const VERSIONS = 2 ** 32
let maps = 0

/** The map, or what has changed of it. */
export interface MapAnswer {
  readonly version: number
  readonly blocks: number
  /** Of which blocks the arrays tell, in this order; undefined: of all, from block 0 on. */
  readonly changed: Uint32Array | undefined
  readonly uses: Uint8Array
  readonly fills: Uint8Array
  readonly flags: Uint8Array
  /** Blocks that a look-up or a change has touched since that version, and those whose contents were changed. */
  readonly used: Uint32Array
  readonly written: Uint32Array
}

/** In which version of the map something happened to each block last, counted from `base`; 0: never. */
class Times {
  private at: Uint32Array = new Uint32Array(0)

  resize(blocks: number): void {
    if (this.at.length === blocks) return
    const at = new Uint32Array(blocks)
    at.set(this.at.subarray(0, Math.min(this.at.length, blocks)))
    this.at = at
  }

  set(block: number, version: number): void {
    this.at[block] = version
  }

  /** The blocks to which it happened later than in a version. */
  after(version: number): Uint32Array {
    const { at } = this
    let count = 0
    for (let block = 0; block < at.length; block++) if (at[block]! > version) count++
    const blocks = new Uint32Array(count)
    for (let block = 0, i = 0; i < count; block++) if (at[block]! > version) blocks[i++] = block
    return blocks
  }
}

export class LiveMap {
  private readonly source: BlockSource
  private readonly turn: () => Promise<void>
  private readonly map: FileMap
  /** When each block became what it is, was used, and was changed. */
  private readonly changes: Times = new Times()
  private readonly uses: Times = new Times()
  private readonly writes: Times = new Times()
  /** Of no other map: who knows versions of an earlier one gets all of this one. */
  private readonly base: number = ++maps * VERSIONS
  private version: number = this.base
  /** What was told last. */
  private told: { uses: Uint8Array; fills: Uint8Array; flags: Uint8Array } | undefined
  /** Blocks that have left the pool since they were looked at. */
  private readonly left: Set<number> = new Set()
  /** Blocks that were used, and blocks found with another LSN, since the last version. */
  private readonly used: Set<number> = new Set()
  private readonly written: Set<number> = new Set()
  private updating: Promise<void> | undefined
  private restUntil = 0

  /** `turn`: lets others have their turn. */
  constructor(source: BlockSource, turn: () => Promise<void>) {
    this.source = source
    this.turn = turn
    this.map = new FileMap(source)
  }

  /** A block has left the pool, or is another one by now for some other reason. */
  note(block: number): void {
    this.left.add(block)
  }

  /** A block was used. */
  noteUse(block: number): void {
    if (this.used.size < MOST_USED) this.used.add(block)
  }

  /** What has changed since a version; 0: all. */
  async since(version: number): Promise<MapAnswer> {
    this.updating ??= this.update().finally(() => {
      this.updating = undefined
    })
    await this.updating
    return this.answer(version)
  }

  private answer(since: number): MapAnswer {
    const { uses, fills, flags, blocks } = this.map
    const { version, base } = this
    const none = new Uint32Array(0)
    if (since <= base || since > version)
      return { version, blocks, changed: undefined, uses, fills, flags, used: none, written: none }
    const changed = this.changes.after(since - base)
    const of = (array: Uint8Array): Uint8Array => {
      const part = new Uint8Array(changed.length)
      for (let i = 0; i < changed.length; i++) part[i] = array[changed[i]!]!
      return part
    }
    return {
      version,
      blocks,
      changed,
      uses: of(uses),
      fills: of(fills),
      flags: of(flags),
      used: this.uses.after(since - base),
      written: this.writes.after(since - base),
    }
  }

  private async update(): Promise<void> {
    const { source, told } = this
    const { pool } = source
    // Nobody tells what another process has changed.
    const isAlone = pool !== undefined && !source.isFollowed
    if (told !== undefined && !isAlone && performance.now() < this.restUntil) return
    source.refresh()
    const started = performance.now()
    const before = told === undefined ? 0 : this.map.blocks
    if (source.blocks !== this.map.blocks) this.map.resize(source.blocks)
    if (told === undefined || !isAlone) await this.lookAt(range(1, source.blocks))
    else {
      const due = [...this.left]
      this.left.clear()
      pool.eachFrame((block, isDirty) => {
        if (!this.map.isKnown(block, isDirty)) due.push(block)
      })
      // From now on it is told again what is used.
      pool.noteUses()
      await this.lookAt(due.filter(block => block > 0 && block < this.map.blocks))
      await this.lookAt(range(before, this.map.blocks))
    }
    this.map.place()
    this.restUntil = performance.now() + REST * (performance.now() - started)
    this.tell()
  }

  private async lookAt(blocks: Iterable<number>): Promise<void> {
    let until = performance.now() + SLICE_MS
    for (const block of blocks) {
      // The file may have become shorter meanwhile.
      if (block < this.source.blocks) this.look(block)
      if (performance.now() < until) continue
      await this.turn()
      until = performance.now() + SLICE_MS
    }
  }

  private look(block: number): void {
    const { map } = this
    const before = map.lsns[block]!
    map.look(block)
    if (this.told !== undefined && map.lsns[block] !== before) this.written.add(block)
  }

  /** Gives those blocks a new version that are not what they were, or to which something has happened. */
  private tell(): void {
    const { uses, fills, flags, blocks } = this.map
    const before = this.told
    const next = this.version + 1 - this.base
    for (const times of [this.changes, this.uses, this.writes]) times.resize(blocks)
    let changes = before === undefined || before.uses.length !== blocks ? 1 : 0
    for (let block = 0; block < blocks; block++) {
      const isSame =
        before !== undefined &&
        before.uses[block] === uses[block] &&
        before.fills[block] === fills[block] &&
        before.flags[block] === flags[block]
      if (isSame) continue
      this.changes.set(block, next)
      changes++
    }
    for (const block of this.used) if (block < blocks) this.uses.set(block, next)
    for (const block of this.written) if (block < blocks) this.writes.set(block, next)
    const happened = changes + this.used.size + this.written.size
    this.used.clear()
    this.written.clear()
    if (happened === 0) return
    this.version++
    if (changes > 0) this.told = { uses: uses.slice(), fills: fills.slice(), flags: flags.slice() }
  }
}

function* range(from: number, to: number): Generator<number, void, void> {
  for (let i = from; i < to; i++) yield i
}
