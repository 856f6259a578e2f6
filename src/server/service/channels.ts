/** Who is subscribed to which channels, and what is published to them. Names are strings of one character per byte. */

import { matches } from '../protocol/glob.ts'
import { Message, type Push } from '../protocol/message.ts'
import type { Announcements } from './announcements.ts'

/** Somebody who gets messages. */
export interface Subscriber {
  deliver(message: Push): void
}

const MESSAGE = Buffer.from('message')
const PMESSAGE = Buffer.from('pmessage')
const SMESSAGE = Buffer.from('smessage')
const NOBODY: ReadonlySet<Subscriber> = new Set()
const NOTHING: ReadonlySet<string> = new Set()
/** What a subscription takes beside its name, by and large: an entry in either map, and sets. */
const ENTRY_BYTES = 256

/** The subscriptions of one kind: nothing is left of a name without subscribers, nor of a subscriber without names. */
export class Subscriptions {
  private readonly byName: Map<string, Set<Subscriber>> = new Map()
  private readonly bySubscriber: Map<Subscriber, Set<string>> = new Map()

  /** False if it was there. */
  add(subscriber: Subscriber, name: string): boolean {
    const names = this.bySubscriber.get(subscriber) ?? new Set()
    if (names.has(name)) return false
    this.bySubscriber.set(subscriber, names.add(name))
    const subscribers = this.byName.get(name) ?? new Set()
    this.byName.set(name, subscribers.add(subscriber))
    return true
  }

  remove(subscriber: Subscriber, name: string): boolean {
    const names = this.bySubscriber.get(subscriber)
    if (names?.delete(name) !== true) return false
    if (names.size === 0) this.bySubscriber.delete(subscriber)
    const subscribers = this.byName.get(name)!
    subscribers.delete(subscriber)
    if (subscribers.size === 0) this.byName.delete(name)
    return true
  }

  /** What somebody is subscribed to. */
  of(subscriber: Subscriber): ReadonlySet<string> {
    return this.bySubscriber.get(subscriber) ?? NOTHING
  }

  /** Who is subscribed to a name. */
  to(name: string): ReadonlySet<Subscriber> {
    return this.byName.get(name) ?? NOBODY
  }

  /** The names that somebody is subscribed to. */
  get names(): IterableIterator<string> {
    return this.byName.keys()
  }

  /** How many names those are. */
  get size(): number {
    return this.byName.size
  }
}

/** What somebody is subscribed to, of all kinds. */
export type Subscribed = readonly (readonly [Subscriptions, readonly string[]])[]

export class Channels {
  readonly channels: Subscriptions = new Subscriptions()
  readonly patterns: Subscriptions = new Subscriptions()
  readonly shardChannels: Subscriptions = new Subscriptions()
  private readonly kinds = [this.channels, this.patterns, this.shardChannels]
  private readonly memory: Map<Subscriber, number> = new Map()
  private readonly announcements: Announcements

  constructor(announcements: Announcements) {
    this.announcements = announcements
  }

  subscribe(kind: Subscriptions, subscriber: Subscriber, name: string): void {
    if (kind.add(subscriber, name)) this.memory.set(subscriber, this.memoryOf(subscriber) + bytesFor(name.length))
  }

  unsubscribe(kind: Subscriptions, subscriber: Subscriber, name: string): void {
    if (!kind.remove(subscriber, name)) return
    const left = this.memoryOf(subscriber) - bytesFor(name.length)
    if (left === 0) this.memory.delete(subscriber)
    else this.memory.set(subscriber, left)
  }

  has(subscriber: Subscriber): boolean {
    return this.memory.has(subscriber)
  }

  /** How many have subscriptions. */
  get subscribers(): number {
    return this.memory.size
  }

  /** Bytes of memory that the subscriptions of somebody take. */
  memoryOf(subscriber: Subscriber): number {
    return this.memory.get(subscriber) ?? 0
  }

  of(subscriber: Subscriber): Subscribed {
    return this.kinds.map(kind => [kind, [...kind.of(subscriber)]] as const)
  }

  /** Subscribes somebody to this, and to nothing else. */
  restore(subscriber: Subscriber, subscribed: Subscribed): void {
    this.leave(subscriber)
    for (const [kind, names] of subscribed) for (const name of names) this.subscribe(kind, subscriber, name)
  }

  leave(subscriber: Subscriber): void {
    if (!this.has(subscriber)) return
    for (const [kind, names] of this.of(subscriber)) for (const name of names) this.unsubscribe(kind, subscriber, name)
  }

  /** How many get the message; whose patterns match it more than once gets it as often. */
  publish(channel: Uint8Array, message: Uint8Array): number {
    let count = this.send(this.channels.to(latin1(channel)), [MESSAGE, channel, message])
    const { patterns } = this
    if (patterns.size === 0) return count
    for (const name of patterns.names) {
      const pattern = Buffer.from(name, 'latin1')
      if (matches(pattern, channel)) count += this.send(patterns.to(name), [PMESSAGE, pattern, channel, message])
    }
    return count
  }

  publishToShard(channel: Uint8Array, message: Uint8Array): number {
    return this.send(this.shardChannels.to(latin1(channel)), [SMESSAGE, channel, message])
  }

  private send(subscribers: ReadonlySet<Subscriber>, parts: readonly Uint8Array[]): number {
    if (subscribers.size === 0) return 0
    const message = new Message(parts)
    if (this.announcements.areImmediate) for (const each of subscribers) each.deliver(message)
    else {
      // Whoever subscribes later gets none of it.
      const those = [...subscribers]
      this.announcements.make(() => {
        for (const each of those) each.deliver(message)
      })
    }
    return subscribers.size
  }
}

export const bytesFor = (nameLength: number): number => nameLength + ENTRY_BYTES

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
