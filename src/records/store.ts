/** The records of a database: what there is to read and to change them, for Database, Transaction and Snapshot. */

import type { Engine } from '../engine/engine.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { ValueEncoding } from '../types.ts'
import type { Compression } from '../values/compression.ts'
import type { KeyCodec } from '../values/key-codec.ts'
import { AsOf } from './as-of.ts'
import { Committed } from './committed.ts'
import { Found } from './found.ts'
import { Inside } from './inside.ts'
import { RecordValues } from './record-values.ts'
import { RecordWriter } from './record-writer.ts'

export class Store<V> {
  readonly engine: Engine
  /** What callers call keys. */
  readonly keys: KeyCodec
  readonly found: Found
  readonly committed: Committed
  readonly values: RecordValues<V>
  readonly writer: RecordWriter<V>

  constructor(engine: Engine, encoding: ValueEncoding<V>, compression: Compression, keys: KeyCodec) {
    this.engine = engine
    this.keys = keys
    this.found = new Found(engine)
    this.committed = new Committed(engine, this.found)
    this.values = new RecordValues(engine, encoding, compression, keys)
    this.writer = new RecordWriter(engine, encoding, compression, keys)
  }

  inside(state: TransactionState): Inside {
    return new Inside(this.engine, this.found, state)
  }

  /** Begins a snapshot of what is committed now, and of what `own` has changed. Whoever has it ends it. */
  asOfNow(own?: TransactionState): AsOf {
    return AsOf.now(this.engine, this.found, own)
  }
}
