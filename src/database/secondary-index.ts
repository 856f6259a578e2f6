/** A secondary index, as `db.index` gives it: finds records by what its function makes of them. */
import { XenonError } from '../errors.ts'
import type { IndexReport, TupleKey } from '../types.ts'
import { FoundIndex, type FoundParts } from './found-index.ts'
import type { IndexBuild } from './index-build.ts'
import { type CheckedIndex, checkIndex } from './index-check.ts'

/** What an index is made of. */
export interface IndexParts<V> extends CheckedIndex<V>, Pick<FoundParts<V>, 'completeAt'> {
  readonly version: number
  readonly build: IndexBuild<V>
  /** Throws if the key space that it belongs to is closed, or dropped. */
  check(): void
}

/**
 * Reads see what is committed, as `db.get` does; iterators see the moment when they were made. A record that has expired
 * is not found.
 */
export class Index<V = string, K = string, IK = TupleKey> extends FoundIndex<V, K, IK> {
  /** No two records may have the same index key. */
  readonly unique: boolean
  /** That of the function, as `db.index` was told. */
  readonly version: number
  private readonly parts: IndexParts<V>

  /** @internal Use `db.index`. */
  constructor(parts: IndexParts<V>) {
    const { name, reader } = parts
    super({ name, reader, check: () => this.check(), completeAt: () => parts.completeAt() })
    this.unique = parts.unique
    this.version = parts.version
    this.parts = parts
  }

  /** Resolves when the index is complete; rejects if it cannot be built, with the reason. */
  get ready(): Promise<void> {
    return this.parts.build.ready
  }

  /** It is complete. */
  get isReady(): boolean {
    return this.parts.build.isReady
  }

  /** Records that the build has looked at, and those that there were when it began. */
  get progress(): { done: number; total: number } {
    const { done, total } = this.parts.build
    return { done, total }
  }

  /**
   * Compares the index with the records as of one moment, both ways. Others may read and write meanwhile.
   * @example const { ok, problems } = await index.verify()
   */
  async verify(): Promise<IndexReport> {
    this.check()
    return await checkIndex(this.parts)
  }

  /** @internal */
  check(): void {
    this.parts.check()
    const { build, name } = this.parts
    if (build.isReady) return
    if (build.failure !== undefined)
      throw new XenonError('XENON_NOT_READY', `the index '${name}' could not be built; its ready says why`, {
        cause: build.failure,
      })
    throw new XenonError(
      'XENON_NOT_READY',
      `the index '${name}' is being built (${build.done} of ${build.total} records); await its ready before you read it`,
    )
  }
}
