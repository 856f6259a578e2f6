/** WATCHRANGE: the committed changes of a range, as they become durable, pushed to the connection. */

import { XenonError } from '../../errors.ts'
import type { Watcher } from '../../values/watcher.ts'
import type { Caller } from '../commands/caller.ts'

const CHANGE = Buffer.from('change')
const PUT = Buffer.from('put')
const DELETE = Buffer.from('delete')
const OVERFLOW = Buffer.from('overflow')

export class Subscription {
  private readonly watcher: Watcher<Uint8Array>

  constructor(caller: Caller, watcher: Watcher<Uint8Array>) {
    this.watcher = watcher
    void this.forward(caller)
  }

  end(): void {
    void this.watcher.return()
  }

  private async forward(caller: Caller): Promise<void> {
    try {
      for await (const change of this.watcher) {
        const { type, key, commit } = change
        if (caller.closed) return
        caller.answer(out => {
          out.push(type === 'put' ? 5 : 4)
          out.bulk(CHANGE)
          out.bulk(type === 'put' ? PUT : DELETE)
          out.bulk(key as unknown as Uint8Array)
          if (change.type === 'put') out.bulk(change.value)
          out.integer(commit)
        })
      }
    } catch (error) {
      if (!(error instanceof XenonError) || error.code !== 'XENON_WATCH_OVERFLOW') throw error
      caller.answer(out => {
        out.push(2)
        out.bulk(CHANGE)
        out.bulk(OVERFLOW)
      })
      caller.endSoon()
    }
  }
}
