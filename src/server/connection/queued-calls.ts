/** The commands that MULTI has put off, until EXEC. */
import type { Caller } from '../commands/caller.ts'
import type { Command } from '../commands/command.ts'
import type { Queue } from '../commands/host.ts'
import { traitsFor } from '../commands/traits.ts'
import { TooMuchOutput } from '../protocol/reply.ts'
import { type Arguments, argumentBytes, keep } from '../protocol/request.ts'
import { checkQueued } from './admission.ts'
import { meetsLock } from './lock-conflict.ts'

/** Whose they are. */
export interface QueueOwner extends Caller {
  perform(command: Command, request: Arguments): void
  replyFailure(error: unknown): void
}

export class QueuedCalls implements Queue {
  calls: { readonly command: Command; readonly request: Arguments }[] = []
  bytes = 0
  failed = false

  get count(): number {
    return this.calls.length
  }

  /** Puts a call off; false, and all of them are gone, if they have come to more than `maxBytes`. */
  add(command: Command, request: Arguments, maxBytes: number): boolean {
    this.bytes += argumentBytes(request) + 16 * request.count
    if (this.bytes > maxBytes) this.calls = []
    else if (!this.failed) this.calls.push({ command, request: keep(request) })
    return this.bytes <= maxBytes
  }

  /** Runs them in order. The failure of one is its reply, unless all of them are to be tried again. */
  run(owner: QueueOwner): void {
    owner.out.array(this.count)
    for (const { command, request } of this.calls) runOne(owner, command, request)
  }
}

const runOne = (owner: QueueOwner, command: Command, request: Arguments): void => {
  const { out, server } = owner
  const { activity } = server
  const before = out.length
  const start = activity.last
  let failed = false
  try {
    checkQueued(command)
    owner.perform(command, request)
  } catch (error) {
    if (error instanceof TooMuchOutput || meetsLock(error)) throw error
    out.truncate(before)
    owner.replyFailure(error)
    failed = true
  }
  activity.executed(owner, traitsFor(command, request), request, start, failed)
}
