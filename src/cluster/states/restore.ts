/** RESTORE: the log begins behind what this node has. The newest verified snapshot takes the place of its database. */
import { decodeMark } from '../mark.ts'
import type { NodeStateName } from '../peers.ts'
import { State } from './state.ts'

const RETRY_MS = 2_000

export class Restore extends State {
  readonly name: NodeStateName = 'restore'

  begin(): void {
    void this.#run()
  }

  async #run(): Promise<void> {
    const { node } = this
    node.applier.close()
    do {
      try {
        if (await this.#restore()) return
      } catch (error) {
        if (!this.isActive) return
        node.emit({ kind: 'warning', message: `no snapshot could be restored yet: ${(error as Error).message}` })
      }
    } while (await this.pause(RETRY_MS))
  }

  /** Whether the state was left. */
  async #restore(): Promise<boolean> {
    const { node } = this
    const { first } = await node.log.bounds()
    if (!this.isActive) return true
    if (first <= node.mark.sequence + 1) {
      node.go('check', 'the log goes on where this node ended')
      return true
    }
    for (const entry of await node.log.snapshots.list()) {
      if (!this.isActive) return true
      if (!entry.isVerified || entry.sequence < first - 1 || entry.sequence <= node.mark.sequence) continue
      try {
        await node.store.restore(node.log.snapshots.get(entry.name), entry.mark)
      } catch (error) {
        node.emit({ kind: 'warning', message: `snapshot ${entry.name}: ${(error as Error).message}` })
        continue
      }
      node.setMark(decodeMark(node.store.mark, node.log.name))
      if (this.isActive) node.go('check', `restored from the snapshot at message ${entry.sequence}`)
      return true
    }
    if (!this.isActive) return true
    throw new Error(`there is no verified snapshot at message ${first - 1} or later`)
  }
}
