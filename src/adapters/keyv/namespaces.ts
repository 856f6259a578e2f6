/**
 * The namespaces of the Keyv instances over one store. A Keyv says who it is only when it is made: it listens for
 * errors, sets its namespace, and takes an iterator. Later it calls `clear()` as every other does, so that with several
 * nobody can tell.
 */
export class Namespaces {
  private readonly names: Set<string | undefined> = new Set()
  private instances = 0
  private isAnnounced = false

  /** Somebody listens for errors: perhaps a Keyv that is being made. */
  announce(): void {
    this.isAnnounced = true
  }

  /** A Keyv has set its namespace; if it is the only one, perhaps another one than before. */
  set(name: string | undefined): void {
    if (this.isAnnounced) this.instances++
    this.isAnnounced = false
    if (this.instances <= 1) this.names.clear()
    this.names.add(name)
  }

  /** Several Keyv instances have different ones. */
  get areMany(): boolean {
    return this.names.size > 1
  }

  /** The only one, or undefined. */
  get only(): string | undefined {
    return this.areMany ? undefined : [...this.names][0]
  }

  /** For messages. */
  get list(): string {
    return [...this.names].map(name => (name === undefined ? 'none' : `'${name}'`)).join(', ')
  }
}
