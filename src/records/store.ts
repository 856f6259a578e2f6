/** The records of a database: what there is to read and to change them, for Database, Transaction and Snapshot. */

import type { Engine } from '../engine/engine.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { ValueEncoding } from '../types.ts'
import type { Compression } from '../values/compression.ts'
import { AsOf } from './as-of.ts'
import { Committed } from './committed.ts'
import { Found } from './found.ts'
import { Inside } from './inside.ts'
import { RecordValues } from './record-values.ts'
import { RecordWriter } from './record-writer.ts'

export class Store<V> {
  readonly engine: Engine
  readonly found: Found
  readonly committed: Committed
  readonly values: RecordValues<V>
  readonly writer: RecordWriter<V>

  /** `textKeys`: keys are given back as text. */
  constructor(engine: Engine, encoding: ValueEncoding<V>, compression: Compression, textKeys: boolean) {
    this.engine = engine
    this.found = new Found(engine)
    this.committed = new Committed(engine, this.found)
    this.values = new RecordValues(engine, encoding, compression)
    this.writer = new RecordWriter(engine, encoding, compression, textKeys)
  }

  inside(state: TransactionState): Inside {
    return new Inside(this.engine, this.found, state)
  }

  /** Begins a snapshot of what is committed now, and of what `own` has changed. Whoever has it ends it. */
  asOfNow(own?: TransactionState): AsOf {
    return AsOf.now(this.engine, this.found, own)
  }
}
