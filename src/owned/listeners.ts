/** Who wants to know what becomes of a shared store. */
import { InvalidArgumentError, shown } from '../errors.ts'
import { requireFunction } from '../runtime/callbacks.ts'
import { nextTurn } from '../runtime/timers.ts'
import type { Role } from './member.ts'

/** `'owner'`: this process has the database open now; `'lost'`: the process that had it open has gone. */
export type SharedEvent = 'owner' | 'lost'

export class Listeners {
  private readonly all: Readonly<Record<SharedEvent, Set<() => void>>> = { owner: new Set(), lost: new Set() }

  add(event: SharedEvent, listener: () => void): void {
    requireFunction('on()', listener)
    this.of(event).add(listener)
  }

  remove(event: SharedEvent, listener: () => void): void {
    this.of(event).delete(listener)
  }

  changed(role: Role): void {
    if (role === 'follower') return
    for (const listener of [...this.all[role === 'owner' ? 'owner' : 'lost']])
      try {
        listener()
      } catch (error) {
        // The program's own error, which is not to keep the store from going on.
        nextTurn(() => {
          throw error
        })
      }
  }

  private of(event: SharedEvent): Set<() => void> {
    if (!Object.hasOwn(this.all, event))
      throw new InvalidArgumentError(`there is no event ${shown(event)}: 'owner', 'lost'`)
    return this.all[event]
  }
}
