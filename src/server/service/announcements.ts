/**
 * What is told to other clients: messages, events, keys that have changed. What is told in the midst of several
 * operations that happen together waits until they are committed, and is forgotten if they are taken back.
 */

export type Announcement = () => void

export class Announcements {
  private held: Announcement[] | undefined

  /** Tells it, at once or when what it is part of is committed. */
  make(announcement: Announcement): void {
    if (this.held === undefined) announcement()
    else this.held.push(announcement)
  }

  /** What `work` announces is told when it has returned. */
  together<T>(work: () => T): T {
    const mine: Announcement[] = []
    const result = this.collect(mine, work)
    for (const announcement of mine) this.make(announcement)
    return result
  }

  /** Adds what `work` announces to `held`; nothing if it throws. */
  collect<T>(held: Announcement[], work: () => T): T {
    const outer = this.held
    const before = held.length
    this.held = held
    try {
      return work()
    } catch (error) {
      held.length = before
      throw error
    } finally {
      this.held = outer
    }
  }

  /** Nothing waits: what is announced is told at once. */
  get areImmediate(): boolean {
    return this.held === undefined
  }
}
