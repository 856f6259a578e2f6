/** FOLLOW: applies the log, and waits for a silence. */
import type { NodeStateName } from '../peers.ts'
import { State } from './state.ts'

/** By which each node waits longer than the one whose rank is before its own. */
const RANK_MS = 300

export class Follow extends State {
  readonly name: NodeStateName = 'follow'

  begin(): void {
    this.node.lease.drop()
    this.node.applier.open()
    // At once after an attempt that could not be made would be too often.
    this.after(this.node.settings.silenceMs / 4, () => this.#listen())
  }

  /** Becomes a candidate when there was no message for long enough while there was a connection. */
  #listen(): void {
    const { applier, clock, settings, log } = this.node
    if (!log.isConnected) applier.heard()
    const left = applier.lastHeard + settings.silenceMs + settings.rank * RANK_MS - clock.now()
    if (left > 0) this.after(Math.max(left, 1), () => this.#listen())
    else this.node.go('candidate', `no message for ${Math.round(clock.now() - applier.lastHeard)} ms`)
  }
}
