/** HALTED: this node does nothing more; it answers others, so that nobody with less takes over. An operator decides. */
import { XenonError } from '../../errors.ts'
import type { NodeStateName } from '../peers.ts'
import { State } from './state.ts'

export class Halted extends State {
  readonly name: NodeStateName = 'halted'

  begin(): void {
    const { node } = this
    node.applier.close()
    node.appender.giveUp()
    node.lease.drop()
    node.commands.rejectWaiting(() => haltedError(this.reason))
    node.reads.poke()
  }
}

export const haltedError = (reason: string): XenonError =>
  new XenonError('XENON_HALTED', `the node has halted: ${reason}; see docs/cluster.md, "A node that has halted"`)
