import { AbstractSnapshot } from 'abstract-level'
import type { Snapshot } from '../../database/snapshot.ts'
import { LevelError } from './errors.ts'

/** What `db.snapshot()` gives out, and what the option `snapshot` of reads takes. */
export class LevelSnapshot extends AbstractSnapshot {
  /** @internal */
  readonly view: Snapshot<Uint8Array>

  /** @internal Use `XenonLevel.snapshot`. */
  constructor(view: Snapshot<Uint8Array>, options: object) {
    // The types of abstract-level do not have the constructor.
    super(...([options] as unknown as []))
    this.view = view
  }

  /** Called by abstract-level. */
  async _close(): Promise<void> {
    this.view.close()
  }
}

/** The engine's snapshot of the option `snapshot`, undefined if there is none. */
export const givenView = (snapshot: unknown): Snapshot<Uint8Array> | undefined => {
  if (snapshot === undefined || snapshot === null) return undefined
  if (snapshot instanceof LevelSnapshot) return snapshot.view
  throw new LevelError('LEVEL_INVALID_ARGUMENT', 'the option snapshot takes what db.snapshot() gave out')
}
