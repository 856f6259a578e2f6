/**
 * The indexes of a key space: declaring, making, listing and dropping them. Each has a space of its own in that one, with
 * a note of what it is and whether it can be believed:
 *
 *   building   some of its entries are missing: whoever declares it goes on where the build was cut off
 *   ready      it is what its function, of that version, made of the records
 *   stale      a handle that was not told of it has changed records since, or it could not be built: whoever declares it
 *              begins anew
 */
import type { Space } from '../engine/space.ts'
import { INDEX } from '../engine/space-names.ts'
import { InvalidArgumentError, shown, XenonError } from '../errors.ts'
import type { Lsn } from '../pager/place.ts'
import { MAX_SPACE_NAME_BYTES, spaceNameBytes } from '../pager/space-block.ts'
import { IndexEntries } from '../records/index-entries.ts'
import { IndexKeys } from '../records/index-keys.ts'
import { IndexReader } from '../records/index-reader.ts'
import { Indexes, type KeptIndex } from '../records/indexes.ts'
import { Store } from '../records/store.ts'
import { requireProgress, requireSyncFunction } from '../runtime/callbacks.ts'
import type { IndexFunction, IndexOptions, IndexReport, TupleKey } from '../types.ts'
import { refuseOptions, requireObject } from '../values/checks.ts'
import { Compression } from '../values/compression.ts'
import { requireIndexName } from '../values/index-range.ts'
import { BINARY_KEYS } from '../values/key-codec.ts'
import { FoundIndex } from './found-index.ts'
import type { Handle } from './handle.ts'
import { IndexBuild } from './index-build.ts'
import { Index } from './secondary-index.ts'
import { requireNobody } from './sub-spaces.ts'

/** Frames of the pool that a step takes of each space that it empties. */
const FRAMES_EACH = 4

interface Note {
  readonly version: number
  readonly unique: boolean
  readonly state: 'building' | 'ready' | 'stale'
}

interface Declared<V, K> {
  readonly index: Index<V, K, TupleKey>
  readonly kept: KeptIndex<V>
  readonly build: IndexBuild<V>
}

interface FoundByName<V, K> {
  readonly space: Space
  readonly declared: Declared<unknown, unknown> | undefined
  readonly index: FoundIndex<V, K, TupleKey>
}

/** The end of the log when the index in a space became complete, if it did so since the open. */
const completeSince: WeakMap<Space, Lsn> = new WeakMap()

const replaced = (name: string): XenonError =>
  new XenonError('XENON_NOT_FOUND', `the index '${name}' was built anew; ask for it again with index()`)

const utf8 = new TextEncoder()
const text = new TextDecoder()

/** @throws InvalidArgumentError */
const requireName = (given: unknown): string => {
  const name = requireIndexName(given)
  const bytes = spaceNameBytes(INDEX + name)
  if (bytes > MAX_SPACE_NAME_BYTES)
    throw new InvalidArgumentError(
      `the name of an index may have ${MAX_SPACE_NAME_BYTES - 1} bytes of UTF-8; this one has ${bytes - 1}`,
    )
  return name
}

const checkedOptions = (options: IndexOptions): { readonly unique: boolean; readonly version: number } => {
  const { unique = false, version = 1, onProgress, ...others } = requireObject(options)
  if (typeof unique !== 'boolean') throw new InvalidArgumentError('unique must be true or false')
  if (!Number.isSafeInteger(version))
    throw new InvalidArgumentError(`the version of an index is a whole number, not ${shown(version)}`)
  requireProgress(onProgress)
  refuseOptions(others)
  return { unique, version }
}

export class IndexSpaces<V, K> {
  private readonly handle: Handle
  private readonly store: Store<V>
  readonly indexes: Indexes<V>
  private readonly declared: Map<string, Declared<V, K>> = new Map()
  /** Those that were read by their name alone. */
  private readonly found: Map<string, FoundByName<V, K>> = new Map()

  constructor(handle: Handle, store: Store<V>) {
    this.handle = handle
    this.store = store
    this.indexes = new Indexes(
      store,
      () => this.undeclared(),
      stale => this.mark(stale, 'stale'),
    )
    if (!handle.engine.spaces.isEmpty) store.writer.indexes = this.indexes
  }

  names(): string[] {
    const { spaces } = this.handle.engine
    if (spaces.isEmpty) return []
    return spaces
      .names(this.store.space.number)
      .filter(name => name.startsWith(INDEX))
      .map(name => name.slice(INDEX.length))
  }

  /** `check` throws if the key space is closed, or dropped. */
  declare(
    name: string,
    keysOf: IndexFunction<V, never, TupleKey>,
    options: IndexOptions,
    check: () => void,
  ): Index<V, K, TupleKey> {
    requireName(name)
    requireSyncFunction('index()', keysOf)
    const { unique, version } = checkedOptions(options)
    this.requireOrdered(name)
    const known = this.declared.get(name)
    const isSame = known?.index.unique === unique && known.index.version === version
    if (known !== undefined && isSame && known.build.failure === undefined) return known.index
    if (known !== undefined) requireNobody(this.handle.engine.transactions, name)
    const found = this.find(name)
    const note = found === undefined ? undefined : this.noteOf(found)
    const isCurrent = note?.state === 'ready' && note.unique === unique && note.version === version
    if (!isCurrent && this.handle.readOnly)
      throw new XenonError(
        'XENON_READ_ONLY',
        `the index '${shown(name)}' would have to be built, and the database was opened with readOnly; open it without it once`,
      )
    if (!isCurrent && this.handle.engine.transactions.entered !== undefined)
      throw new XenonError('XENON_NOT_SUPPORTED', `the index '${shown(name)}' cannot be built by a command of a group`)
    const isHalf = note?.state === 'building' && note.unique === unique && note.version === version
    const space = isCurrent || isHalf ? found! : this.emptySpace(name, found, { unique, version, state: 'building' })
    // Not before: as long as it is said to be ready, it follows the records.
    if (known !== undefined) this.forget(name, known, 'was declared anew')
    const kept: KeptIndex<V> = {
      keys: new IndexKeys(name, keysOf, this.store.keys),
      entries: new IndexEntries(space, unique),
    }
    this.keep(kept)
    const build = new IndexBuild(isCurrent ? undefined : this.ownerOf(kept, options.onProgress))
    const reader = this.readerOf(space, unique)
    const index = new Index<V, K, TupleKey>({
      name,
      unique,
      version,
      reader,
      indexes: this.indexes,
      kept,
      build,
      check,
      completeAt: () => this.completeAt(space),
    })
    this.declared.set(name, { index, kept, build })
    if (!isCurrent) this.begin(build, name)
    return index
  }

  /**
   * One that is to be read by its name: declared here, or by others of this process, or ready in the file. `check` as
   * of `declare`.
   * @throws XenonError `XENON_NOT_FOUND`, `XENON_NOT_READY`
   */
  named(name: string, check: () => void): FoundIndex<V, K, TupleKey> {
    requireName(name)
    const { keeper } = this.store.space
    const declared = keeper instanceof IndexSpaces ? keeper.declared.get(name) : undefined
    if (keeper === this && declared !== undefined) return this.declared.get(name)!.index
    const space = declared?.kept.entries.space ?? this.readySpace(name)
    const known = this.found.get(name)
    if (known?.space === space && known.declared === declared) return known.index
    const unique = declared?.index.unique ?? this.noteOf(space).unique
    const index = new FoundIndex<V, K, TupleKey>({
      name,
      reader: this.readerOf(space, unique),
      check: () => {
        check()
        if (declared !== undefined) declared.index.check()
        else if (this.readySpace(name) !== space) throw replaced(name)
      },
      completeAt: () => this.completeAt(space),
    })
    this.found.set(name, { space, declared, index })
    return index
  }

  /** That of an index which nobody has declared, and which is complete. */
  private readySpace(name: string): Space {
    const space = this.find(name)
    if (space === undefined)
      throw new XenonError('XENON_NOT_FOUND', `there is no index '${shown(name)}'; index() with a function makes one`)
    const { state } = this.noteOf(space)
    if (state !== 'ready')
      throw new XenonError(
        'XENON_NOT_READY',
        state === 'stale'
          ? `the index '${shown(name)}' is stale: a program that had not declared it has written; declare it where the database is open`
          : `the index '${shown(name)}' was not built to its end; declare it where the database is open`,
      )
    return space
  }

  private readerOf(space: Space, unique: boolean): IndexReader<V> {
    const entries = new Store<Uint8Array>(space, 'binary', new Compression('none', undefined), BINARY_KEYS)
    return new IndexReader(this.store, entries, unique)
  }

  /** Which snapshots show all of it: those from this LSN on. */
  private completeAt(space: Space): Lsn {
    // Another process may have built it since this one was opened.
    if (this.handle.readOnly && !completeSince.has(space)) completeSince.set(space, space.log.endLsn)
    return completeSince.get(space) ?? 0
  }

  private begin(build: IndexBuild<V>, name: string): void {
    try {
      build.begin()
    } catch (error) {
      const declared = this.declared.get(name)!
      this.giveUp(declared.kept)
      this.forget(name, declared, 'could not be built')
      throw error
    }
    this.handle.makeDurable()
  }

  private requireOrdered(name: string): void {
    if (this.store.space.metadata.ordered) return
    throw new XenonError(
      'XENON_NOT_SUPPORTED',
      `the database was created with ordered: false, and the index '${shown(name)}' needs its order; 'xenondb convert ${this.handle.directory} --ordered' adds it`,
    )
  }

  private find(name: string): Space | undefined {
    const { spaces } = this.handle.engine
    return spaces.isEmpty ? undefined : spaces.find(this.store.space.number, INDEX + name)
  }

  /** An empty space for an index that is to be built. */
  private emptySpace(name: string, found: Space | undefined, note: Note): Space {
    const { engine } = this.handle
    const { spaces, room } = engine
    if (room.tight) room.admit(true)
    if (found === undefined) return spaces.make(this.store.space.number, INDEX + name, encoded(note))
    spaces.setNote(found, encoded(note))
    spaces.clear([found])
    this.handle.reclaiming.schedule()
    return found
  }

  private ownerOf(
    kept: KeptIndex<V>,
    onProgress: IndexOptions['onProgress'],
  ): ConstructorParameters<typeof IndexBuild<V>>[0] {
    return {
      handle: this.handle,
      store: this.store,
      indexes: this.indexes,
      kept,
      onProgress,
      finished: () => {
        const { space } = kept.entries
        this.mark([space], 'ready')
        completeSince.set(space, space.log.endLsn)
      },
      failed: () => this.giveUp(kept),
    }
  }

  private keep(kept: KeptIndex<V>): void {
    this.indexes.kept.push(kept)
    this.store.writer.indexes = this.indexes
    this.store.space.keeper = this
  }

  private drop(kept: KeptIndex<V>): void {
    const { indexes, store } = this
    const at = indexes.kept.indexOf(kept)
    if (at < 0) return
    indexes.kept.splice(at, 1)
    // Q2: what is half built, and not followed any more, is no use to anybody once a record changes.
    indexes.askAgain()
    store.writer.indexes = indexes
  }

  /** It cannot be built: who declares it again, perhaps with a function that was mended meanwhile, begins anew. */
  private giveUp(kept: KeptIndex<V>): void {
    const { space } = kept.entries
    const { closed, health } = this.handle.engine
    const isKept = this.indexes.kept.includes(kept)
    this.drop(kept)
    if (!isKept || closed || health.failure !== undefined || space.isDropped) return
    this.mark([space], 'stale')
    this.handle.write()
  }

  /** Nobody uses what was declared any more. */
  private forget(name: string, { kept, build }: Declared<V, K>, why: string): void {
    this.drop(kept)
    this.declared.delete(name)
    build.abandon(new XenonError('XENON_NOT_FOUND', `the index '${name}' ${why}; ask for it again with index()`))
  }

  /** Compares those that were declared, and are ready, with the records. */
  async check(): Promise<IndexReport[]> {
    const reports: IndexReport[] = []
    for (const { index } of this.declared.values()) if (index.isReady) reports.push(await index.verify())
    return reports
  }

  /** Somebody else writes: what is declared has to be what it was found to be then. */
  recheck(): void {
    for (const [name, declared] of [...this.declared]) {
      const { index, kept } = declared
      const found = this.find(name)
      const note = found === undefined ? undefined : this.noteOf(found)
      const isSame = found === kept.entries.space && note?.unique === index.unique && note.version === index.version
      if (!isSame || note?.state !== 'ready') this.forget(name, declared, 'was dropped, or is built anew')
    }
  }

  /** False if there is none. */
  remove(name: string): boolean {
    requireName(name)
    const found = this.find(name)
    if (found === undefined) return false
    const { engine, reclaiming } = this.handle
    requireNobody(engine.transactions, name)
    if (engine.room.tight) engine.room.admit(false)
    engine.spaces.drop(found)
    const known = this.declared.get(name)
    if (known !== undefined) this.forget(name, known, 'was dropped')
    this.handle.makeDurable()
    reclaiming.schedule()
    return true
  }

  /** Empties the records of a space that is not the root, and all indexes with them. */
  clearOwn(): void {
    const { spaces, pool } = this.handle.engine
    const { space } = this.store
    this.indexes.beforeAny()
    const all = [space, ...this.indexes.kept.map(({ entries }) => entries.space)]
    // A small pool cannot hold all that one step would change.
    if (all.length === 1 || FRAMES_EACH * all.length <= pool.maxFrames / 2) spaces.clear(all)
    else
      this.clearInSteps(() => {
        spaces.clear([space])
        return true
      })
  }

  /**
   * Empties the records by `clear`, and all indexes in steps of their own: should it end half-way, no index says that it
   * is ready. False, and nothing has happened, if `clear` says so.
   */
  clearInSteps(clear: () => boolean): boolean {
    this.indexes.beforeAny()
    const { kept } = this.indexes
    if (kept.length === 0) return clear()
    const before = kept.map(({ entries: { space } }) => [space, this.noteOf(space).state] as const)
    this.mark(
      before.map(([space]) => space),
      'stale',
    )
    try {
      const isDone = clear()
      if (isDone) for (const { entries } of kept) this.handle.engine.spaces.clear([entries.space])
      for (const [space, state] of before) this.mark([space], state)
      return isDone
    } catch (error) {
      for (const [name, each] of [...this.declared]) this.forget(name, each, 'may be wrong since a clear has failed')
      throw error
    }
  }

  /** The spaces of indexes that are current, or half built, and that this handle does not keep. */
  private undeclared(): Space[] {
    const { kept } = this.indexes
    return this.names()
      .map(name => this.find(name)!)
      .filter(space => !kept.some(({ entries }) => entries.space === space) && this.noteOf(space).state !== 'stale')
  }

  private noteOf(space: Space): Note {
    return JSON.parse(text.decode(this.handle.engine.spaces.factsOf(space).note)) as Note
  }

  private mark(spaces: readonly Space[], state: Note['state']): void {
    for (const space of spaces) this.handle.engine.spaces.setNote(space, encoded({ ...this.noteOf(space), state }))
  }
}

const encoded = (note: Note): Uint8Array => utf8.encode(JSON.stringify(note))
