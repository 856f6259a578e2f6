/**
 * Switches that break one rule of the engine each. They exist for tests and lessons only: a test that claims to notice
 * a missing rule is run with the rule missing. Nothing in the engine knows of them; they replace methods of its
 * classes while `body` runs, for every database of the process.
 */
import { StoredImages } from '../buffer/image-format.ts'
import { BlockImages } from '../buffer/images.ts'
import { WriteBack } from '../buffer/write-back.ts'
import { GroupCommit } from '../database/group-commit.ts'
import { Handle } from '../database/handle.ts'
import type { Engine } from '../engine/engine.ts'
import { Reclaimer } from '../engine/reclaim.ts'
import { FreeBlocks, type StateName } from '../freelist/blocks.ts'
import { LogReader } from '../log/reader.ts'
import { LogSegments } from '../log/segments.ts'
import { LogWriter } from '../log/writer.ts'
import { allBlank } from '../pager/blank.ts'
import { DataFile } from '../pager/data-file.ts'
import { Metadata } from '../pager/metadata.ts'
import { Indexes } from '../records/indexes.ts'
import { invariants } from '../runtime/invariant.ts'
import type { File } from '../storage/storage.ts'
import { Checkpointer } from '../txn/checkpoint.ts'
import { TransactionManager } from '../txn/manager.ts'

/** The rule that a mutant breaks. */
export type MutantName =
  | 'no sync at commit'
  | 'write-ahead rule off'
  | 'block images off'
  | 'images not synced'
  | 'images used again too early'
  | 'images ahead of the log'
  | 'stale images'
  | 'log checksum off'
  | 'no sync at checkpoint'
  | 'metadata without sync'
  | 'log reuse without new salt'
  | 'no undo'
  | 'no sync at creation'
  | 'block checksum off'
  | 'tree change not logged'
  | 'no sync aside of the blocks'
  | 'no sync aside of block 0'
  | 'no sync aside of the log'
  | 'commits share a sync that has begun'
  | 'overtaken checkpoint goes on'
  | 'block 0 ahead of the log'
  | 'written blocks called blank'
  | 'pending head not restored'
  | 'list of key spaces not logged'
  | 'cleared blocks freed twice'
  | 'no keepOnly after a crash'
  | 'no log'
  | 'index not updated on replace'
  | 'mark outside the commit'

// The members are private to the engine; here is the one place that reaches for them.
type Method = (this: never, ...given: never[]) => unknown
type Class = { prototype: unknown }

interface ImagesOnDisk {
  halves: { usedAt: number }[]
  current: number
  fileOf(half: { usedAt: number }): File
}

/** Replaces a method; returns what puts it back. */
const replace = (of: Class, name: string, make: (original: Method) => Method): (() => void) => {
  const prototype = of.prototype as Record<string, Method>
  const original = prototype[name]
  if (original === undefined) throw new TypeError(`there is no method ${name} to replace`)
  prototype[name] = make(original)
  return () => {
    prototype[name] = original
  }
}

/** Runs a method while a method of one of the object's parts does nothing, or only now and then something. */
const without =
  (part: string, silent: string, isSilent: (call: number) => boolean = () => true) =>
  (original: Method): Method =>
    function (this: Record<string, Record<string, unknown>>, ...given: never[]): unknown {
      const target = this[part]!
      const real = target[silent] as () => unknown
      let calls = 0
      target[silent] = () => (isSilent(calls++) ? undefined : real.call(target))
      try {
        return (original as (...given: never[]) => unknown).apply(this, given)
      } finally {
        delete target[silent]
      }
    } as Method

/** Leaves out one of the syncs aside of a checkpoint: the first covers the blocks, the second block 0. */
const withoutAside = (left: number): (() => void) =>
  replace(
    Checkpointer,
    'finish',
    original =>
      function (this: { file: DataFile }, mayBeAside: never): unknown {
        const { file } = this
        let calls = 0
        // What goes on aside keeps this one.
        this.file = Object.create(file, {
          syncAside: { value: async () => (calls++ === left ? undefined : await file.syncAside()) },
        }) as DataFile
        try {
          return (original as (mayBeAside: never) => unknown).call(this, mayBeAside)
        } finally {
          this.file = file
        }
      } as Method,
  )

const noImages = (): (() => void) => replace(BlockImages, 'guards', () => () => true)

const mutants: Record<MutantName, () => () => void> = {
  'no sync at commit': () =>
    replace(
      Handle,
      'makeDurable',
      () =>
        function (this: { engine: Engine }): void {
          this.engine.log.write()
          this.engine.checkpointer.afterCommit()
        } as Method,
    ),
  'write-ahead rule off': () => replace(WriteBack, 'write', without('log', 'sync')),
  'block images off': noImages,
  'images not synced': () =>
    replace(
      BlockImages,
      'write',
      original =>
        function (this: ImagesOnDisk, ...given: never[]): void {
          const file = this.fileOf(this.halves[this.current]!)
          file.sync = () => undefined
          try {
            ;(original as (...given: never[]) => void).apply(this, given)
          } finally {
            delete (file as Partial<File>).sync
          }
        } as Method,
    ),
  'images used again too early': () =>
    replace(
      BlockImages,
      'begin',
      original =>
        function (this: ImagesOnDisk): void {
          for (const half of this.halves) half.usedAt = 0
          ;(original as () => void).call(this)
        } as Method,
    ),
  /** The log is synced before the blocks are written in place, but behind their images. */
  'images ahead of the log': () => {
    const early = replace(WriteBack, 'write', without('log', 'sync'))
    const late = replace(
      WriteBack,
      'writeRuns',
      original =>
        function (this: { log: LogWriter }, ...given: never[]): void {
          LogWriter.prototype.sync.call(this.log)
          ;(original as (...given: never[]) => void).apply(this, given)
        } as Method,
    )
    return () => {
      early()
      late()
    }
  },
  /** The oldest image of a block that there is, whatever it was made for. */
  'stale images': () => {
    const any = replace(
      StoredImages,
      'readBatches',
      original =>
        function (this: unknown, file: never, uuid: never): void {
          const read = original as (file: never, uuid: never, from: number, to: number) => void
          read.call(this, file, uuid, 0, Number.POSITIVE_INFINITY)
        } as Method,
    )
    const oldest = replace(
      StoredImages,
      'copy',
      original =>
        function (this: { places: Map<number, { lsn: number }[]> }, block: never, ...given: never[]): unknown {
          this.places.get(block)?.sort((a, b) => a.lsn - b.lsn)
          return (original as (...given: never[]) => unknown).call(this, block, ...given)
        } as Method,
    )
    return () => {
      any()
      oldest()
    }
  },
  'log checksum off': () => replace(LogReader, 'isWhole', () => () => true),
  'no sync at checkpoint': () =>
    replace(
      Checkpointer,
      'finish',
      without('file', 'sync', call => call === 0),
    ),
  'metadata without sync': () =>
    replace(
      Checkpointer,
      'finish',
      without('file', 'sync', call => call === 1),
    ),
  // A group is known by its LSN as well as by its salt, so that either alone keeps old groups out: both go.
  'log reuse without new salt': () => {
    const salt = replace(
      LogSegments,
      'startSegment',
      original =>
        function (this: { storage: object }, lsn: never): unknown {
          const { storage } = this
          this.storage = { ...storage, randomBytes: (length: number) => new Uint8Array(length) }
          try {
            return (original as (lsn: never) => unknown).call(this, lsn)
          } finally {
            this.storage = storage
          }
        } as Method,
    )
    const lsn = replace(
      LogReader,
      'belongs',
      () =>
        function (this: { arena: { u32: Uint32Array } }, segment: { salt: number }): boolean {
          return this.arena.u32[0] === 0x474c4e58 && this.arena.u32[3] === segment.salt
        } as Method,
    )
    return () => {
      salt()
      lsn()
    }
  },
  'no undo': () =>
    replace(
      TransactionManager,
      'adopt',
      original =>
        function (this: unknown, ...given: never[]): unknown {
          const state = (original as (...given: never[]) => { lastLsn: number }).apply(this, given)
          state.lastLsn = 0
          return state
        } as Method,
    ),
  'no sync at creation': () =>
    replace(
      DataFile,
      'sync',
      original =>
        function (this: DataFile): void {
          if (!this.file.path.endsWith('data.new')) (original as () => void).call(this)
        } as Method,
    ),
  'block checksum off': () => replace(DataFile, 'checksum', () => () => 0),
  /** The leaf in memory has the new key, redo does not know of it. */
  'tree change not logged': () => replace(LogWriter, 'insertEntry', () => () => undefined),
  'no sync aside of the blocks': () => withoutAside(0),
  'no sync aside of block 0': () => withoutAside(1),
  'no sync aside of the log': () =>
    replace(
      LogSegments,
      'syncAside',
      () =>
        async function (this: { unsynced: Set<unknown> }): Promise<void> {
          this.unsynced.clear()
        } as Method,
    ),
  'commits share a sync that has begun': () =>
    replace(
      GroupCommit,
      'wait',
      original =>
        function (this: { syncing: { promise: Promise<void> } | undefined }): unknown {
          return this.syncing === undefined ? (original as () => unknown).call(this) : this.syncing.promise
        } as Method,
    ),
  'overtaken checkpoint goes on': () =>
    replace(
      Checkpointer,
      'goAside',
      original =>
        function (
          this: { health: { failure: unknown } },
          work: (isCurrent: () => boolean) => Promise<void>,
          atOnce: never,
        ): unknown {
          const always = (): boolean => this.health.failure === undefined
          return (original as (work: unknown, atOnce: never) => unknown).call(this, () => work(always), atOnce)
        } as Method,
    ),
  /** It says what it says when it is written, not what it said before the log was synced aside. */
  'block 0 ahead of the log': () =>
    replace(
      Metadata,
      'freeze',
      () =>
        function (this: Metadata): Metadata {
          return this
        } as Method,
    ),
  'written blocks called blank': () => replace(DataFile, 'blankNow', () => allBlank as Method),
  'pending head not restored': () =>
    replace(
      TransactionManager,
      'rollbackTo',
      original =>
        function (this: unknown, state: { pendingHead: number }, savepoint: never): unknown {
          const { pendingHead } = state
          try {
            return (original as (state: unknown, savepoint: never) => unknown).call(this, state, savepoint)
          } finally {
            state.pendingHead = pendingHead
          }
        } as Method,
    ),
  'list of key spaces not logged': () =>
    replace(
      FreeBlocks,
      'setState',
      () =>
        function (this: { metadata: Metadata }, name: StateName, value: number): void {
          this.metadata[name] = value
        } as Method,
    ),
  'cleared blocks freed twice': () =>
    replace(
      Reclaimer,
      'logRoots',
      original =>
        function (this: unknown, list: never, left: number, found: never): unknown {
          return (original as (list: never, left: number, found: never) => unknown).call(this, list, left + 1, found)
        } as Method,
    ),
  'no keepOnly after a crash': () => replace(LogSegments, 'keepOnly', () => () => undefined),
  'index not updated on replace': () =>
    replace(Indexes, 'differenceOf', () => index => ({ index, lost: [], gained: [] })),
  /** The changes are committed, and the mark is written down behind them. */
  'mark outside the commit': () =>
    replace(
      TransactionManager,
      'commit',
      original =>
        function (this: { log: LogWriter; begin(shared: boolean): unknown }, state: unknown, mark?: Uint8Array): void {
          const commit = original as (state: unknown, mark?: Uint8Array) => void
          commit.call(this, state)
          if (mark === undefined) return
          this.log.write()
          commit.call(this, this.begin(false), mark)
        } as Method,
    ),
  /** For the lesson: no images, and recovery makes nothing of what stands in the log. */
  'no log': () => {
    const images = noImages()
    const scan = replace(
      LogReader,
      'scan',
      original =>
        function (this: unknown, from: never): unknown {
          const visit = (): void => {}
          return (original as (from: never, visit: () => void) => unknown).call(this, from, visit)
        } as Method,
    )
    return () => {
      images()
      scan()
    }
  },
}

/** All of them, to go through them. */
export const mutantNames: readonly MutantName[] = Object.keys(mutants) as MutantName[]

/**
 * Runs `body` with one rule of the engine broken, and mends it again.
 * @example const lost = withMutant(mutantNames[0]!, () => open('db', { storage: memoryStorage() }).count())
 */
export const withMutant = async <T>(name: MutantName, body: () => T | Promise<T>): Promise<T> => {
  const mend = mutants[name]()
  // What the engine finds out about itself is not what the test with the mutant is to show.
  invariants.areChecked = false
  try {
    return await body()
  } finally {
    invariants.areChecked = true
    mend()
  }
}
