/**
 * Memory that all clients together hold: requests that have not been executed or not arrived whole, what MULTI has
 * queued, and replies that were not taken. When it is more than `maxClientMemoryBytes`, those that hold the most are
 * closed, as Redis does it for `maxmemory-clients`.
 */

/** A client that holds memory. */
export interface Holder {
  /** Bytes that it held at the last look. */
  readonly held: number
  /** Looks how much it holds now, and tells. */
  account(): void
  /** Closes it, with the reason if it can still be told. */
  evict(reason: string): void
}

export class ClientMemory {
  /** Bytes, as of the last look at each client: it may have taken something since. */
  used = 0
  private readonly settings: { readonly maxClientMemoryBytes: number }
  private readonly clients: ReadonlyMap<number, Holder>
  private readonly counts: { evictedClients: number }

  constructor(
    settings: { readonly maxClientMemoryBytes: number },
    clients: ReadonlyMap<number, Holder>,
    counts: { evictedClients: number },
  ) {
    this.settings = settings
    this.clients = clients
    this.counts = counts
  }

  /** Closes clients until what the others hold is within the limit. Not to be called while a reply is being written. */
  relieve(): void {
    const { maxClientMemoryBytes } = this.settings
    if (this.used <= maxClientMemoryBytes) return
    for (const client of this.clients.values()) client.account()
    while (this.used > maxClientMemoryBytes) {
      const largest = this.largest()
      if (largest === undefined) return
      this.counts.evictedClients++
      largest.evict(`the requests and replies of all clients take more than ${maxClientMemoryBytes} bytes`)
    }
  }

  private largest(): Holder | undefined {
    let largest: Holder | undefined
    for (const client of this.clients.values()) if (client.held > (largest?.held ?? 0)) largest = client
    return largest
  }
}
