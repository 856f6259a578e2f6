/**
 * Plays a recording of what the engine did, one event after the other, and keeps the picture of that moment: the map, the
 * frames of the pool, the marks of the log. Forwards it changes the picture; backwards it begins again.
 */
import type { RecordedEvent } from '../../src/explorer/recorder.ts'
import { MapFlag, USES } from '../../src/explorer/shapes.ts'

/** What there was when the recording began. */
export interface Beginning {
  readonly map: { readonly uses: Uint8Array; readonly fills: Uint8Array; readonly flags: Uint8Array }
  /** The blocks in the pool, the one that was used last first, and which are newer than the file (1). */
  readonly pool: { readonly blocks: Uint32Array; readonly flags: Uint8Array }
  readonly marks: Marks
}

export interface Marks {
  readonly redo: number
  readonly synced: number
  readonly end: number
}

const DIRTY = 1
const INDEX = USES.indexOf('index')
const OVERFLOW = USES.indexOf('overflow')
const DIRECTORY = USES.indexOf('directory')

export class Player {
  readonly events: RecordedEvent[] = []
  /** How many of them have happened in the picture. */
  at = 0
  uses: Uint8Array = new Uint8Array(0)
  fills: Uint8Array = new Uint8Array(0)
  flags: Uint8Array = new Uint8Array(0)
  marks: Marks
  /** Blocks that a checkpoint under way will write, and has written; undefined: none is. */
  checkpoint: { readonly blocks: number; readonly written: number } | undefined
  /** By block whether it is newer than the file; the one that was used last is the last one. */
  private frames: Map<number, boolean> = new Map()
  private readonly beginning: Beginning

  constructor(beginning: Beginning) {
    this.beginning = beginning
    this.marks = beginning.marks
    this.begin()
  }

  get current(): RecordedEvent | undefined {
    return this.events[this.at - 1]
  }

  get isAtEnd(): boolean {
    return this.at >= this.events.length
  }

  /** Blocks of the pool, the one that was used last first, and 1 for each that is newer than the file. */
  get pool(): { blocks: Uint32Array; flags: Uint8Array } {
    const inOrder = [...this.frames].reverse()
    return {
      blocks: Uint32Array.from(inOrder, ([block]) => block),
      flags: Uint8Array.from(inOrder, ([, isDirty]) => (isDirty ? DIRTY : 0)),
    }
  }

  take(events: readonly RecordedEvent[]): void {
    this.events.push(...events)
  }

  goTo(at: number): void {
    const to = Math.max(0, Math.min(this.events.length, at))
    if (to < this.at) this.begin()
    while (this.at < to) this.apply(this.events[this.at++]!)
  }

  private begin(): void {
    const { map, pool, marks } = this.beginning
    this.at = 0
    this.uses = map.uses.slice()
    this.fills = map.fills.slice()
    this.flags = map.flags.slice()
    this.marks = marks
    this.checkpoint = undefined
    this.frames = new Map()
    for (let i = pool.blocks.length - 1; i >= 0; i--) this.frames.set(pool.blocks[i]!, (pool.flags[i]! & DIRTY) !== 0)
  }

  private apply(event: RecordedEvent): void {
    const { what, block = 0, lsn = 0, bytes = 0 } = event
    const { marks } = this
    if (what === 'use' || what === 'read') this.use(block)
    else if (what === 'leave') this.leave(block)
    else if (what === 'change') this.change(event)
    else if (what === 'write') this.wrote(block)
    else if (what === 'group') this.marks = { ...marks, end: Math.max(marks.end, lsn + bytes) }
    else if (what === 'sync') this.marks = { ...marks, synced: Math.max(marks.synced, lsn) }
    else if (what === 'checkpoint') this.checkpoint = { blocks: event.blocks ?? 0, written: 0 }
    else if (what === 'checkpoint-end') {
      this.marks = { ...marks, redo: lsn }
      this.checkpoint = undefined
    }
  }

  private use(block: number): void {
    const isDirty = this.frames.get(block) ?? false
    this.frames.delete(block)
    this.frames.set(block, isDirty)
    this.flag(block, MapFlag.resident, MapFlag.blank)
  }

  private leave(block: number): void {
    this.frames.delete(block)
    this.flag(block, 0, MapFlag.resident | MapFlag.dirty)
  }

  private change({ block = 0, use = 0, fill = 0 }: RecordedEvent): void {
    this.frames.delete(block)
    this.frames.set(block, true)
    if (block >= this.uses.length) this.grow(block + 1)
    // A block of the hash index stays one, whether it is a bucket or a directory.
    const staysIndex = this.uses[block] === INDEX && (use === OVERFLOW || use === DIRECTORY)
    this.uses[block] = staysIndex ? INDEX : use
    this.fills[block] = fill
    this.flag(block, MapFlag.resident | MapFlag.dirty, MapFlag.blank)
  }

  private wrote(block: number): void {
    if (this.frames.has(block)) this.frames.set(block, false)
    this.flag(block, 0, MapFlag.dirty)
    const { checkpoint } = this
    if (checkpoint !== undefined) this.checkpoint = { ...checkpoint, written: checkpoint.written + 1 }
  }

  private flag(block: number, set: number, clear: number): void {
    if (block < this.flags.length) this.flags[block] = (this.flags[block]! & ~clear) | set
  }

  private grow(blocks: number): void {
    const grown = (from: Uint8Array): Uint8Array => {
      const to = new Uint8Array(blocks)
      to.set(from)
      return to
    }
    this.uses = grown(this.uses)
    this.fills = grown(this.fills)
    this.flags = grown(this.flags)
  }
}

/** What an event is, in one sentence without its block. */
export const sentenceOf = (event: RecordedEvent): string => {
  const { what, lsn = 0, bytes = 0, blocks = 0, circle = [], ended, transaction = 0, commits, text } = event
  const whose = transaction > 0 ? ` by transaction ${transaction}` : commits === true ? ', a transaction in itself' : ''
  switch (what) {
    case 'use':
      return 'is used, and found in memory'
    case 'read':
      return 'is read from the file into memory'
    case 'leave':
      return 'leaves memory: it was not used for the longest time'
    case 'change':
      return `is changed${whose}: ${text}`
    case 'write':
      return 'is written to the data file'
    case 'group':
      return `A group of ${number(bytes)} bytes is written to the log, at LSN ${number(lsn)}`
    case 'sync':
      return `The log is synced up to LSN ${number(lsn)}: what was committed survives a loss of power`
    case 'checkpoint':
      return `A checkpoint begins: ${number(blocks)} changed blocks are to be written`
    case 'checkpoint-end':
      return `The checkpoint has ended: a recovery would begin at LSN ${number(lsn)}`
    case 'deadlock':
      return `A deadlock: ${[...circle, circle[0]].join(' waits for ')}; transaction ${ended} is ended`
  }
}

const number = (value: number): string => value.toLocaleString('en-US')
