/** The root of a database that has an owner, as a member of those that share it sees it. */
import type { AsyncStore } from '../values/async-store.ts'
import { Listeners, type SharedEvent } from './listeners.ts'
import type { Role, Target } from './member.ts'
import { SharedSpace } from './space.ts'

export abstract class SharedRoot<V, K> extends SharedSpace<V, K> {
  protected readonly listeners: Listeners = new Listeners()

  /** @internal Resolves when there is an owner. */
  async open(): Promise<this> {
    try {
      await this.member.target()
    } catch (error) {
      await this.member.close()
      throw error
    }
    return this
  }

  /** @internal */
  override of(target: Target<unknown, unknown>): AsyncStore<V, K> {
    return target.store as AsyncStore<V, K>
  }

  /** Whether this one has the database open (`'owner'`), reaches another one that has (`'follower'`), or neither. */
  get role(): Role {
    return this.member.role
  }

  /**
   * Calls a function whenever this one has become the owner (`'owner'`), or the owner has gone (`'lost'`).
   * @example shared.on('owner', () => console.log('this process has the database now'))
   */
  on(event: SharedEvent, listener: () => void): this {
    this.listeners.add(event, listener)
    return this
  }

  /**
   * Calls it no more.
   * @example shared.off('owner', () => {})
   */
  off(event: SharedEvent, listener: () => void): this {
    this.listeners.remove(event, listener)
    return this
  }

  /**
   * Lets the calls on their way be answered, and leaves. If this one is the owner, the database is closed, and another one
   * takes over.
   * @example await shared.close()
   */
  override close(): Promise<void> {
    return this.member.close()
  }
}
