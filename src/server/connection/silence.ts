/** CLIENT REPLY: whether a client is answered. What it has subscribed to is sent in any case. */
import type { ReplyWriter } from '../protocol/reply.ts'

export class Silence {
  /** How the next command is answered: not at all (`off`), or not this once (`skip`). */
  mode: 'on' | 'off' | 'skip' = 'on'
  /** The command at hand is not answered. */
  private holds = false

  set(mode: 'on' | 'off' | 'skip'): void {
    if (mode === 'skip' && this.mode === 'off') return
    this.mode = mode
    if (mode === 'on') this.holds = false
  }

  /** Runs a command without its reply; false: it goes on, and its reply comes later. */
  during(out: ReplyWriter, execute: () => boolean): void {
    const before = out.length
    if (this.mode === 'skip') this.mode = 'on'
    this.holds = true
    if (!execute()) return
    if (this.holds) out.truncate(before)
    this.holds = false
  }

  get isHolding(): boolean {
    return this.holds
  }

  /** Writes the reply to a command that has gone on. */
  answer(out: ReplyWriter, write: (out: ReplyWriter) => void): void {
    const before = out.length
    write(out)
    if (this.holds) out.truncate(before)
  }

  /** The command at hand writes what is sent in any case, or is done. */
  end(): void {
    this.holds = false
  }
}
