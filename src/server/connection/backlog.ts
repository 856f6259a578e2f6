/** Whether somebody who waits for messages has more of them unsent than he may, now or for too long. */
export interface BacklogBounds {
  readonly maxSubscriberOutputBytes: number
  readonly softSubscriberOutputBytes: number
  readonly softSubscriberOutputTime: number
}

export class Backlog {
  /** Since when it has been above the soft bound. */
  private since: number | undefined

  /** To be called again and again: it is noticed then that too much has been unsent for too long. */
  isTooMuch(unsent: number, bounds: BacklogBounds, now: number): boolean {
    if (unsent >= bounds.maxSubscriberOutputBytes) return true
    if (unsent < bounds.softSubscriberOutputBytes) this.since = undefined
    else this.since ??= now
    return this.since !== undefined && now - this.since > bounds.softSubscriberOutputTime
  }
}
