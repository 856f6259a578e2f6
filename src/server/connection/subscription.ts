/** WATCHRANGE: the committed changes of a range, as they become durable, pushed to the connection. */

import { XenonError } from '../../errors.ts'
import type { Watcher } from '../../values/watcher.ts'
import type { Caller } from '../commands/caller.ts'

const CHANGE = Buffer.from('change')
const PUT = Buffer.from('put')
const DELETE = Buffer.from('delete')
const OVERFLOW = Buffer.from('overflow')
const END = Buffer.from('end')

export class Subscription {
  private readonly watcher: Watcher<Uint8Array, Uint8Array>
  private isOver = false

  constructor(caller: Caller, watcher: Watcher<Uint8Array, Uint8Array>) {
    this.watcher = watcher
    void this.forward(caller)
  }

  end(): void {
    this.isOver = true
    void this.watcher.return()
  }

  private async forward(caller: Caller): Promise<void> {
    try {
      for await (const change of this.watcher) {
        const { type, key, commit } = change
        if (caller.closed) return
        caller.tell(out => {
          out.push(type === 'put' ? 5 : 4)
          out.bulk(CHANGE)
          out.bulk(type === 'put' ? PUT : DELETE)
          out.bulk(key as unknown as Uint8Array)
          if (change.type === 'put') out.bulk(change.value)
          out.integer(commit)
        })
      }
      // What it belongs to was dropped.
      if (!this.isOver && !caller.closed) this.sayLast(caller, END)
    } catch (error) {
      if (!(error instanceof XenonError) || error.code !== 'XENON_WATCH_OVERFLOW') throw error
      this.sayLast(caller, OVERFLOW)
    }
  }

  private sayLast(caller: Caller, word: Buffer): void {
    caller.tell(out => {
      out.push(2)
      out.bulk(CHANGE)
      out.bulk(word)
    })
    caller.endSoon()
  }
}
