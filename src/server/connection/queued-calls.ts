/** The commands that MULTI has put off, until EXEC. */
import type { Command } from '../commands/command.ts'
import type { Queue } from '../commands/host.ts'
import type { Arguments } from '../protocol/request.ts'

export class QueuedCalls implements Queue {
  calls: { readonly command: Command; readonly request: Arguments }[] = []
  bytes = 0
  failed = false

  get count(): number {
    return this.calls.length
  }
}
