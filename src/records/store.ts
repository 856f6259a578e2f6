/** The records of a database: what there is to read and to change them, for Database, Transaction and Snapshot. */

import type { Space } from '../engine/space.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { Compression } from '../values/compression.ts'
import type { LoadedEncoding } from '../values/encoding.ts'
import type { KeyCodec } from '../values/key-codec.ts'
import { AsOf } from './as-of.ts'
import { Committed } from './committed.ts'
import { Found } from './found.ts'
import { Inside } from './inside.ts'
import { RecordValues } from './record-values.ts'
import { RecordWriter } from './record-writer.ts'

export class Store<V> {
  readonly space: Space
  /** What callers call keys. */
  readonly keys: KeyCodec
  readonly found: Found
  readonly committed: Committed
  readonly values: RecordValues<V>
  readonly writer: RecordWriter<V>

  constructor(space: Space, encoding: LoadedEncoding<V>, compression: Compression, keys: KeyCodec) {
    this.space = space
    this.keys = keys
    this.found = new Found(space)
    this.committed = new Committed(space, this.found)
    this.values = new RecordValues(space, encoding, compression, keys)
    this.writer = new RecordWriter(space, encoding, compression, keys)
  }

  /** Keys and values are given out as bytes. */
  get isBinary(): boolean {
    return this.keys.asBytes && this.values.decodesAlone && !this.values.asTexts
  }

  inside(state: TransactionState): Inside {
    return new Inside(this.space, this.found, state)
  }

  /** The moment of a snapshot of another key space, in this one. */
  asOf(view: AsOf): AsOf {
    return view.in(this.space, this.found)
  }

  /** Begins a snapshot of what is committed now, and of what `own` has changed. Whoever has it ends it. */
  asOfNow(own?: TransactionState): AsOf {
    return AsOf.now(this.space, this.found, own)
  }
}
