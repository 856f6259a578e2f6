/** CHECK: the servers of the log, and whether the log is the one that this database has followed. */
import { XenonError } from '../../errors.ts'
import { hashOf } from '../mark.ts'
import { sameBytes } from '../message.ts'
import type { NodeStateName } from '../peers.ts'
import { type Context, State } from './state.ts'

const RETRY_MS = 500

export class Check extends State {
  readonly name: NodeStateName = 'check'

  begin(): void {
    void this.#run()
  }

  async #run(): Promise<void> {
    let said = ''
    for (;;) {
      try {
        const found = await this.#servers()
        if (!this.isActive) return
        return this.node.go(...found)
      } catch (error) {
        if (!this.isActive) return
        // Nobody may ask the servers: that does not change while this process runs.
        if (XenonError.is(error, 'XENON_NOT_SUPPORTED')) return this.node.go('halted', error.message)
        const { message } = error as Error
        if (message !== said) this.node.emit({ kind: 'warning', message: `the log cannot be checked yet: ${message}` })
        said = message
        if (!(await this.pause(RETRY_MS))) return
      }
    }
  }

  async #servers(): Promise<[to: NodeStateName, reason: string]> {
    const { problems, warnings } = await this.node.log.check()
    if (problems.length > 0) return ['halted', problems.join('; ')]
    if (this.isActive) for (const message of warnings) this.node.emit({ kind: 'warning', message })
    return await compareLog(this.node)
  }
}

/** Where a node goes from here that has this mark, as a leader of the log with a current majority says. */
export const compareLog = async ({ log, mark }: Context): Promise<[to: NodeStateName, reason: string]> => {
  const { first, last } = await log.bounds()
  if (last < mark.sequence)
    return ['suspect', `the log ends at message ${last}, and this node has message ${mark.sequence}`]
  if (first > mark.sequence + 1)
    return ['restore', `the log begins at message ${first}, and this node has no more than message ${mark.sequence}`]
  if (first <= mark.sequence) {
    const bytes = await log.read(mark.sequence)
    if (bytes === undefined) throw new XenonError('XENON_CONNECTION', `no server has message ${mark.sequence}`)
    if (!sameBytes(hashOf(bytes), mark.hash))
      return ['suspect', `message ${mark.sequence} of the log is another one than this node has applied`]
  }
  return ['follow', 'the log goes on where this node ended']
}
