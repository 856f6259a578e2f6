/**
 * CANDIDATE: asks the log and the other nodes whether it may take over, and does so by an EPOCH record behind its mark.
 * The log takes it only if its last message is the one of the mark.
 */
import { encodeMark, type Mark } from '../mark.ts'
import { addressNote, encodeMessage } from '../message.ts'
import type { NodeStateName } from '../peers.ts'
import { State } from './state.ts'

export class Candidate extends State {
  readonly name: NodeStateName = 'candidate'

  begin(): void {
    void this.#run()
  }

  async #run(): Promise<void> {
    const { node } = this
    const { mark } = node
    const objection = await this.objection()
    if (!this.isActive) return
    if (objection !== undefined) return node.go(objection.to, objection.reason)
    if (node.mark !== mark) return node.go('follow', 'a message came')
    await this.#takeOver(mark)
  }

  /** Why this node may not take over now. */
  protected async objection(): Promise<{ to: NodeStateName; reason: string } | undefined> {
    const { node } = this
    const { mark } = node
    try {
      const { last } = await node.log.bounds()
      if (last < mark.sequence)
        return { to: 'suspect', reason: `the log ends at message ${last}, and this node has message ${mark.sequence}` }
      if (last > mark.sequence) return { to: 'follow', reason: `the log has message ${last} already` }
    } catch (error) {
      return { to: 'follow', reason: `the log does not answer: ${(error as Error).message}` }
    }
    const reason = await this.peersAhead()
    return reason === undefined ? undefined : { to: 'follow', reason }
  }

  async #takeOver(mark: Mark): Promise<void> {
    const { node } = this
    const { log, settings, appender, store, time } = node
    node.applier.close()
    const epoch = mark.epoch + 1
    const id = settings.newId()
    // X10: the one before may have judged by a time so late, unless it has handed over.
    if (node.applier.handedOverAt !== mark.sequence) time.raise(mark.time + settings.silenceMs)
    const at = time.now()
    const header = { kind: 'epoch', node: settings.node, epoch, id, time: at } as const
    const note = addressNote(settings.address)
    const { messages, hash } = encodeMessage(header, { note }, mark.hash, log.limits.messageBytes, 1)
    const { outcome, firstSend } = await appender.append(messages, id, mark.sequence)
    if (!this.isActive) return
    if (outcome.kind !== 'stored')
      return node.go('follow', outcome.kind === 'refused' ? outcome.message : `epoch ${epoch}: ${outcome.kind}`)
    const next: Mark = { sequence: outcome.sequence, epoch, time: Math.max(mark.time, at), hash }
    try {
      store.apply([], encodeMark(next, log.name))
    } catch (error) {
      return node.go('follow', `the database has refused epoch ${epoch}: ${(error as Error).message}`)
    }
    node.setMark(next)
    node.lease.confirm(firstSend)
    node.setLeader({ node: settings.node, address: settings.address, epoch })
    node.go('lead', `epoch ${epoch} has begun`)
  }
}
