/** Listeners to events: as much of an emitter as Keyv asks of a store, without a module of Node. */

type Listener = (...parameters: unknown[]) => void

export class Listeners {
  private readonly byEvent: Map<string, Listener[]> = new Map()

  add(event: string, listener: Listener): void {
    this.byEvent.set(event, [...(this.byEvent.get(event) ?? []), listener])
  }

  remove(event: string, listener: Listener): void {
    this.byEvent.set(
      event,
      (this.byEvent.get(event) ?? []).filter(other => other !== listener),
    )
  }

  call(event: string, ...parameters: unknown[]): void {
    for (const listener of this.byEvent.get(event) ?? []) listener(...parameters)
  }
}
