/** A worker as the owner of a database: has it open, and serves its own page and the other tabs. */
import type { Database } from '../database/database.ts'
import { requireSame, withKeysOf } from '../database/stored-encodings.ts'
import { nextTurn, setTimeout } from '../runtime/timers.ts'
import { portable } from '../worker/errors.ts'
import { notSent, serve } from '../worker/owner.ts'
import type { PortLike, Response } from '../worker/protocol.ts'
import { exported } from './archive.ts'
import { type Batching, batched } from './batches.ts'
import { type Answer, type Expected, hold, lockOf, type OwnerFacts, type Said, whenGone } from './tabs.ts'
import { channelNamed, type Line, type Locks } from './web.ts'

/** Milliseconds that tabs have to hear that it closes, before its lock tells them that it has gone. */
const FAREWELL_MS = 1000

/** Answers are nobody else's: all may wait. A value that a codec has made may be one that cannot be sent. */
const ANSWERS: Batching = {
  mayWait: () => true,
  instead: (message, error) => ({ id: (message as Response).id, error: portable(notSent(error)) }),
}

type AnyDatabase = Database<unknown, unknown>

export class Owner {
  readonly facts: OwnerFacts
  /** Resolves when another one may open the database. */
  readonly over: Promise<void>
  private readonly name: string
  private readonly db: AnyDatabase
  private readonly locks: Locks
  private readonly release: () => void
  private readonly channel: Line
  private readonly served: Set<{ line: Line; end: () => void; gone: Promise<void> | undefined }> = new Set()
  /** Lines of other tabs, by their ids. */
  private readonly admitted: Map<string, Line> = new Map()
  private settleOver!: () => void
  private ending: Promise<void> | undefined

  private constructor(name: string, db: AnyDatabase, facts: OwnerFacts, locks: Locks, release: () => void) {
    this.name = name
    this.db = db
    this.facts = facts
    this.locks = locks
    this.release = release
    this.over = new Promise(resolve => {
      this.settleOver = resolve
    })
    this.channel = channelNamed(lockOf(name))
    this.channel.addEventListener('message', ({ data }) => this.hear(data as Said))
    this.channel.postMessage({ owner: facts } satisfies Said)
  }

  /** Says to all tabs that it is the owner. */
  static async begin(name: string, db: AnyDatabase, facts: Omit<OwnerFacts, 'id'>, locks: Locks): Promise<Owner> {
    const id = globalThis.crypto.randomUUID()
    const release = await hold(locks, lockOf(name, id))
    return new Owner(name, db, { ...facts, id }, locks, release)
  }

  private hear(said: Said): void {
    if (this.ending !== undefined) return
    if ('who' in said) this.channel.postMessage({ owner: this.facts } satisfies Said)
    else if ('join' in said && said.owner === this.facts.id) this.admit(said.join, said.expected)
  }

  private admit(id: string, expected: Expected): void {
    const known = this.admitted.get(id)
    if (known !== undefined) {
      known.postMessage({ joined: true } satisfies Answer)
      return
    }
    const lock = lockOf(this.name, id)
    const line = channelNamed(lock)
    try {
      this.requireEncodings(expected)
    } catch (error) {
      line.postMessage({ refused: portable(error) } satisfies Answer)
      line.close()
      return
    }
    const gone = new Promise<void>(resolve => whenGone(this.locks, lock, resolve))
    this.admitted.set(id, line)
    void gone.then(() => this.admitted.delete(id))
    this.serve(line, gone)
    line.postMessage({ joined: true } satisfies Answer)
  }

  private requireEncodings({ keyEncoding, valueEncoding }: Expected): void {
    const stored = this.db.storedEncodings
    const given = {
      keyEncoding: keyEncoding ?? stored.keyEncoding,
      valueEncoding: valueEncoding ?? stored.valueEncoding,
    }
    requireSame(`the database '${this.name}'`, stored, withKeysOf(given, stored))
  }

  /** Serves whoever is at the other end of a line, until it has gone. The own page does not go before its worker. */
  serve(given: Line, gone?: Promise<void>): void {
    const line = batched(given, ANSWERS)
    const port: PortLike = {
      postMessage: message => {
        line.postMessage(message)
        if ('error' in (message as object)) this.endIfFailed()
      },
      addEventListener: (event, listener) => {
        if (event === 'message') line.addEventListener(event, listener)
      },
      start: () => line.start?.(),
    }
    const { db } = this
    const end = serve(db, port, { verify: () => db.verify(), compact: () => db.compact(), export: () => exported(db) })
    const client = { line, end, gone }
    this.served.add(client)
    void gone?.then(() => {
      end()
      line.close()
      this.served.delete(client)
    })
  }

  /** Whoever opens the database next, here or in another tab, recovers it. */
  private endIfFailed(): void {
    if (this.db.health().failed !== undefined) nextTurn(() => void this.end())
  }

  /** Does what is on its way, closes the database, and says to each tab that it does no more. */
  end(): Promise<void> {
    this.ending ??= this.leave()
    return this.ending
  }

  private async leave(): Promise<void> {
    for (const { end } of this.served) end()
    try {
      await this.db.async.close()
    } catch {
      // It has failed: the next one to open it recovers it.
    }
    // What was done is answered first.
    await new Promise<void>(nextTurn)
    // Without those that have gone meanwhile.
    const clients = [...this.served]
    for (const { line } of clients) line.postMessage({ bye: true } satisfies Answer)
    this.channel.close()
    this.settleOver()
    const patience = new Promise<void>(resolve => setTimeout(resolve, FAREWELL_MS))
    await Promise.race([Promise.all(clients.map(({ gone }) => gone)), patience])
    this.release()
    for (const { line } of clients) line.close()
  }
}
