/**
 * What transactions keep of one key space: the ranges that they have read in it, and what was committed in it before
 * open transactions changed it. Locks of keys need no such thing: each space has a hash of its own, so that equal keys
 * of two spaces are two locks.
 */
import type { LogWriter } from '../log/writer.ts'
import { CommittedView } from './committed-view.ts'
import { RangeLocks } from './range-locks.ts'

export class SpaceLocks {
  /** 0: the root. */
  readonly number: number
  readonly ranges: RangeLocks = new RangeLocks()
  readonly view: CommittedView

  constructor(number: number, log: LogWriter) {
    this.number = number
    this.view = new CommittedView(log, number)
  }
}
