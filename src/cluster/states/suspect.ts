/** SUSPECT: the log seems to have lost what this node has. It says so for 20 s, or it was a deposed leader who did. (X12) */
import type { NodeStateName } from '../peers.ts'
import { compareLog } from './check.ts'
import { State } from './state.ts'

const ASK_MS = 1_000

export class Suspect extends State {
  readonly name: NodeStateName = 'suspect'

  begin(): void {
    void this.#run()
  }

  async #run(): Promise<void> {
    this.node.applier.close()
    do {
      try {
        const [to, reason] = await compareLog(this.node)
        if (!this.isActive) return
        this.node.suspicion.note(to === 'suspect', reason)
        if (this.isActive && to !== 'suspect') return this.node.go(to, reason)
      } catch {
        // Nobody with a current majority has answered: that says nothing.
      }
    } while (await this.pause(ASK_MS))
  }
}
