/**
 * A recording of what an engine does, event by event, to be played slowly afterwards: each use of a block, each change,
 * what is written and synced. While it runs, the pool tells of every use (`BufferPool.noteUses`), and blocks are copied
 * when they are first used and when they were changed: so any of them can be shown as it was at any event. It ends by
 * itself when it is full.
 */
import type { BufferPool } from '../buffer/pool.ts'
import { GROUP_HEADER_BYTES } from '../log/format.ts'
import { Arena } from '../runtime/bytes.ts'
import type { Observer } from '../runtime/observer.ts'
import { eachRecord, type LogRecordView, textOfChange } from './log.ts'
import { blockLooks } from './map.ts'
import type { BlockSource, EarlierBlock } from './source.ts'

/** Most events, and most copies of blocks: 16 MiB with blocks of 4 KiB. */
const MOST_EVENTS = 4000
const MOST_COPIES = 4000

export const EVENTS = [
  'use',
  'read',
  'leave',
  'change',
  'group',
  'sync',
  'write',
  'checkpoint',
  'checkpoint-end',
  'deadlock',
] as const

/** Something that the engine has done. Which of the other fields there are depends on `what`. */
export interface RecordedEvent {
  /** From 1 on. */
  readonly number: number
  readonly what: (typeof EVENTS)[number]
  readonly block?: number
  /** Of a change what the block is afterwards, as the map has it (`USES`), and how full, from 0 to 255. */
  readonly use?: number
  readonly fill?: number
  /** Of a change, or of a group the first one; of `sync` up to which all is synced, of `checkpoint-end` the redo LSN. */
  readonly lsn?: number
  readonly bytes?: number
  /** Of a change: what is written, in a few words, and whose it is; 0: of nobody's that is open. */
  readonly text?: string
  readonly transaction?: number
  readonly commits?: boolean
  /** Of a checkpoint: how many blocks it will write. */
  readonly blocks?: number
  /** Of a deadlock: who waited for whom, and who was ended. */
  readonly circle?: readonly number[]
  readonly ended?: number
}

type Facts = Omit<RecordedEvent, 'number'>

export class Recorder implements Observer {
  readonly events: RecordedEvent[] = []
  isFull = false
  private readonly source: BlockSource
  private readonly pool: BufferPool
  /** Of each block its copies, with the number of the event after which it was so; the first one holds before, too. */
  private readonly copies: Map<number, { number: number; block: EarlierBlock }[]> = new Map()
  private copied = 0
  private readonly a: Arena

  constructor(source: BlockSource, pool: BufferPool) {
    this.source = source
    this.pool = pool
    this.a = new Arena(source.blockSize)
    pool.noteUses()
  }

  /** The events after a number, at most so many. */
  since(number: number, most: number): readonly RecordedEvent[] {
    return this.events.slice(number, number + most)
  }

  /** The blocks as they were after an event. */
  sourceAt(number: number): BlockSource {
    const earlier = new Map<number, EarlierBlock>()
    for (const [block, copies] of this.copies) {
      const found = copies.findLast(copy => copy.number <= number) ?? copies[0]!
      earlier.set(block, found.block)
    }
    return this.source.with(earlier)
  }

  used(block: number): void {
    if (this.isFull) return
    // The next use is told as well, be it of the same block.
    this.pool.noteUses()
    const last = this.events.at(-1)
    if (last?.what === 'use' && last.block === block) return
    if (last?.what === 'read' && last.block === block) return
    if (!this.copies.has(block)) this.copy(block)
    this.add({ what: 'use', block })
  }

  read(block: number): void {
    if (this.isFull) return
    this.pool.noteUses()
    if (!this.copies.has(block)) this.copy(block)
    this.add({ what: 'read', block })
  }

  left(block: number): void {
    this.add({ what: 'leave', block })
  }

  wrote(block: number): void {
    if (this.copies.has(block)) this.copy(block)
    this.add({ what: 'write', block })
  }

  /** Its changes first, as they have come before it was written. */
  group(lsn: number, bytes: number, a: Arena, at: number): void {
    if (this.isFull) return
    for (const record of eachRecord(a, at + GROUP_HEADER_BYTES, at + bytes, lsn + GROUP_HEADER_BYTES))
      this.changes(record)
    this.add({ what: 'group', lsn, bytes })
  }

  synced(lsn: number): void {
    this.add({ what: 'sync', lsn })
  }

  checkpointBegan(blocks: number): void {
    this.add({ what: 'checkpoint', blocks })
  }

  checkpointEnded(lsn: number): void {
    this.add({ what: 'checkpoint-end', lsn })
  }

  deadlock(circle: readonly number[], ended: number): void {
    this.add({ what: 'deadlock', circle, ended })
  }

  private changes({ lsn, transaction, commits, parts }: LogRecordView): void {
    for (const { block, operations } of parts) {
      if (block === 0) continue
      this.copy(block)
      const text = textOfChange(operations)
      this.add({ what: 'change', block, ...blockLooks(this.source, block, this.a), lsn, transaction, commits, text })
    }
  }

  /** As it is from the next event on. */
  private copy(block: number): void {
    const { source } = this
    if (this.isFull || block >= source.blocks) return
    const bytes = new Uint8Array(source.blockSize)
    const { dirty } = source.read(block, this.a, 0)
    bytes.set(this.a.u8.subarray(0, source.blockSize))
    const copies = this.copies.get(block) ?? []
    copies.push({ number: this.events.length + 1, block: { bytes, dirty } })
    this.copies.set(block, copies)
    this.copied++
  }

  private add(event: Facts): void {
    if (this.isFull) return
    this.events.push({ number: this.events.length + 1, ...event })
    this.isFull = this.events.length >= MOST_EVENTS || this.copied >= MOST_COPIES
  }
}
