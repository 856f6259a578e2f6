/**
 * CLIENT TRACKING: which clients may hold which keys in caches of their own, and what they are told when these change.
 *
 * By default a client is told of the keys that it has read, each once until it reads it again; in broadcasting mode of
 * all keys with its prefixes, at the end of the turn. Names of keys are strings of one character per byte. They do not
 * tell databases apart: who has read `a` of one is told when `a` of another changes.
 */

import { nextTurn } from '../../runtime/timers.ts'
import { Invalidation, RedirectionBroken } from '../protocol/invalidation.ts'
import type { Subscriber } from './channels.ts'

export interface Tracker extends Subscriber {
  readonly id: number
  readonly resp3: boolean
  readonly isSubscribed: boolean
  /** It has said QUIT, or is to be closed for another reason. */
  readonly closing: boolean
}

export interface TrackingOptions {
  /** The number of the client that is told in its place; 0: itself. */
  readonly redirect: number
  readonly broadcast: boolean
  readonly optIn: boolean
  readonly optOut: boolean
  readonly noLoop: boolean
}

export interface TrackingState extends TrackingOptions {
  /** CLIENT CACHING was said for the next command. */
  caching: boolean
  isBroken: boolean
  readonly prefixes: ReadonlySet<string>
}

interface Prefix {
  readonly clients: Set<Tracker>
  /** Keys that have changed in this turn, and who has changed each last. */
  changed: Map<string, Tracker | undefined>
}

export class Tracking {
  private readonly states: Map<Tracker, TrackingState & { prefixes: Set<string> }> = new Map()
  private readonly clients: ReadonlyMap<number, Tracker>
  private readonly settings: { readonly trackingTableMaxKeys: number }
  /** Numbers of the clients that have read each key. Those of clients that are gone go when the key changes. */
  private readonly readers: Map<string, Set<number>> = new Map()
  private readonly byPrefix: Map<string, Prefix> = new Map()
  /** Clients that have read each key, over all keys. */
  items = 0
  /** What the client whose command runs is to be told behind its reply; undefined: all keys have changed. */
  private pending: (string | undefined)[] = []
  private willBroadcast = false

  constructor(clients: ReadonlyMap<number, Tracker>, settings: { readonly trackingTableMaxKeys: number }) {
    this.clients = clients
    this.settings = settings
  }

  /** How many clients. */
  get size(): number {
    return this.states.size
  }

  get keys(): number {
    return this.readers.size
  }

  get prefixes(): number {
    return this.byPrefix.size
  }

  of(client: Tracker): TrackingState | undefined {
    return this.states.get(client)
  }

  enable(client: Tracker, options: TrackingOptions, prefixes: readonly string[]): void {
    const before = this.states.get(client)
    const all = before?.prefixes ?? new Set()
    this.states.set(client, { ...options, caching: before?.caching ?? false, isBroken: false, prefixes: all })
    if (!options.broadcast) return
    for (const prefix of prefixes.length === 0 ? [''] : prefixes) {
      const known = this.byPrefix.get(prefix) ?? { clients: new Set(), changed: new Map() }
      this.byPrefix.set(prefix, known)
      known.clients.add(client)
      all.add(prefix)
    }
  }

  disable(client: Tracker): void {
    const state = this.states.get(client)
    if (state === undefined) return
    this.states.delete(client)
    for (const prefix of state.prefixes) {
      const { clients } = this.byPrefix.get(prefix)!
      clients.delete(client)
      if (clients.size === 0) this.byPrefix.delete(prefix)
    }
    if (this.states.size === 0) this.forgetReaders()
  }

  private forgetReaders(): void {
    this.readers.clear()
    this.items = 0
  }

  /** CLIENT CACHING, for the next command. */
  setCaching(client: Tracker, caching: boolean): void {
    const state = this.states.get(client)
    if (state !== undefined) state.caching = caching
  }

  /** Whether the keys that the client reads are to be remembered. */
  remembers(client: Tracker): boolean {
    const state = this.states.get(client)
    if (state === undefined || state.broadcast) return false
    return state.optIn ? state.caching : !(state.optOut && state.caching)
  }

  /** The client has read the keys. */
  remember(client: Tracker, keys: readonly string[]): void {
    const { readers } = this
    for (const key of keys) {
      const ids = readers.get(key) ?? new Set()
      readers.set(key, ids)
      if (ids.has(client.id)) continue
      ids.add(client.id)
      this.items++
    }
  }

  /** Forgets the keys that were read first, as if they had changed, until there are no more than there may be. */
  trim(): void {
    const { trackingTableMaxKeys } = this.settings
    if (trackingTableMaxKeys === 0) return
    while (this.readers.size > trackingTableMaxKeys) this.tellReaders(this.readers.keys().next().value!, undefined)
  }

  /** A key was changed, by a command of `current` if that is given. */
  changed(key: string, current: Tracker | undefined): void {
    for (const [prefix, { changed }] of this.byPrefix) {
      if (!key.startsWith(prefix)) continue
      changed.set(key, current)
      this.broadcastSoon()
    }
    this.tellReaders(key, current)
  }

  private tellReaders(key: string, current: Tracker | undefined): void {
    const ids = this.readers.get(key)
    if (ids === undefined) return
    this.readers.delete(key)
    this.items -= ids.size
    for (const id of ids) {
      const client = this.clients.get(id)
      const state = client === undefined ? undefined : this.states.get(client)
      if (client === undefined || state === undefined || state.broadcast) continue
      if (client !== current) this.tell(client, state, [key])
      else if (!state.noLoop) this.pending.push(key)
    }
  }

  /** All keys were removed. */
  flushed(current: Tracker | undefined): void {
    for (const [client, state] of this.states) {
      if (client === current) this.pending.push(undefined)
      else this.tell(client, state, undefined)
    }
    for (const known of this.byPrefix.values()) known.changed = new Map()
    this.forgetReaders()
  }

  addPending(keys: readonly string[]): void {
    this.pending.push(...keys)
  }

  /** What the client whose command has run is to be told, once. */
  takePending(): readonly (string | undefined)[] {
    const { pending } = this
    if (pending.length > 0) this.pending = []
    return pending
  }

  /** Tells a client of keys; undefined: of all. */
  tellAll(client: Tracker, keys: readonly (string | undefined)[]): void {
    const state = this.states.get(client)
    if (state !== undefined) for (const key of keys) this.tell(client, state, key === undefined ? key : [key])
  }

  private tell(client: Tracker, state: TrackingState, keys: readonly string[] | undefined): void {
    const { redirect } = state
    const target = redirect === 0 ? client : this.clients.get(redirect)
    if (target === undefined || (target !== client && target.closing)) {
      state.isBroken = true
      if (client.resp3) client.deliver(new RedirectionBroken(redirect))
    } else if (target.resp3 || (redirect !== 0 && target.isSubscribed))
      target.deliver(new Invalidation(keys, client.resp3))
  }

  private broadcastSoon(): void {
    if (this.willBroadcast) return
    this.willBroadcast = true
    nextTurn(() => this.broadcast())
  }

  private broadcast(): void {
    this.willBroadcast = false
    for (const prefix of [...this.byPrefix.keys()].sort()) {
      const known = this.byPrefix.get(prefix)!
      const { changed, clients } = known
      if (changed.size === 0) continue
      known.changed = new Map()
      const all = [...changed.keys()].sort()
      for (const client of clients) {
        const state = this.states.get(client)!
        const keys = state.noLoop ? all.filter(key => changed.get(key) !== client) : all
        if (keys.length > 0) this.tell(client, state, keys)
      }
    }
  }
}
