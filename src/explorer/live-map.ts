/**
 * The map of a file that changes while somebody looks at it. The first time every block is read; later only those that
 * the pool has, or that have left it since, and what was added. Whoever asks gets what has changed since the version
 * that they know.
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
}

export class LiveMap {
  private readonly source: BlockSource
  private readonly turn: () => Promise<void>
  private readonly map: FileMap
  /** The version with which each block became what it is, counted from `base`. */
  private versions: Uint32Array = new Uint32Array(0)
  /** Of no other map: who knows versions of an earlier one gets all of this one. */
  private readonly base: number = ++maps * VERSIONS
  private version: number = this.base
  /** What was told last. */
  private told: { uses: Uint8Array; fills: Uint8Array; flags: Uint8Array } | undefined
  /** Blocks that have left the pool since they were looked at. */
  private readonly left: Set<number> = new Set()
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
    const { version, versions } = this
    if (since <= this.base || since > version) return { version, blocks, changed: undefined, uses, fills, flags }
    const changed: number[] = []
    for (let block = 0; block < blocks; block++) if (versions[block]! > since - this.base) changed.push(block)
    const of = (array: Uint8Array): Uint8Array => Uint8Array.from(changed, block => array[block]!)
    return { version, blocks, changed: Uint32Array.from(changed), uses: of(uses), fills: of(fills), flags: of(flags) }
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
      pool.eachFrame(block => due.push(block))
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
      if (block < this.source.blocks) this.map.look(block)
      if (performance.now() < until) continue
      await this.turn()
      until = performance.now() + SLICE_MS
    }
  }

  /** Gives those blocks a new version that are not what they were. */
  private tell(): void {
    const { uses, fills, flags, blocks } = this.map
    const before = this.told
    const next = this.version + 1
    const versions = new Uint32Array(blocks)
    versions.set(this.versions.subarray(0, Math.min(this.versions.length, blocks)))
    let changes = before === undefined || before.uses.length !== blocks ? 1 : 0
    for (let block = 0; block < blocks; block++) {
      const isSame =
        before !== undefined &&
        before.uses[block] === uses[block] &&
        before.fills[block] === fills[block] &&
        before.flags[block] === flags[block]
      if (isSame) continue
      versions[block] = next - this.base
      changes++
    }
    this.versions = versions
    if (changes === 0) return
    this.version = next
    this.told = { uses: uses.slice(), fills: fills.slice(), flags: flags.slice() }
  }
}

function* range(from: number, to: number): Generator<number, void, void> {
  for (let i = from; i < to; i++) yield i
}
