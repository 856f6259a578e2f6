/**
 * Turns of the event loop. Requests are executed as they arrive; at the end of the turn one sync makes durable what all
 * clients have written in it, then all of its replies are sent. Where the log is synced aside, the next turns go on
 * meanwhile, and their replies wait together for the next sync, which begins when those have asked again who had their
 * replies by the last one. A client that has used up its share of a turn (`share.ts`) goes on at the end of it, as the
 * first of the next one. While nobody but such clients waits for replies, their turns share a sync; beside others each
 * of them is synced at once, so that whoever reads next does not wait for that.
 *
 * Invariants
 *  A1  No reply leaves before everything that was committed when it was written is as durable as `durability` says:
 *      neither the answer to a write, nor a read that a crash could prove wrong.
 *  A2  After a failure of the storage no reply leaves any more that was written before it: nobody is told what may not
 *      be so. If the disk was full, another handle takes the place of the one that has failed (`stand-in.ts`).
 */
import type { Database } from '../../database/database.ts'
import { nextTurn, performance } from '../../runtime/timers.ts'
import type { Keyspace } from '../commands/keyspace.ts'
import type { ReplyWriter } from '../protocol/reply.ts'
import type { ClientMemory } from '../service/client-memory.ts'
import type { Counts } from '../service/counts.ts'
import type { Connection } from './connection.ts'
import { Joiner } from './joiner.ts'

export interface TurnsOwner {
  /** Another one after the storage has failed, if the database could be opened again. */
  readonly db: Database<unknown, unknown>
  readonly keys: Keyspace
  readonly out: ReplyWriter
  readonly counts: Counts
  readonly memory: ClientMemory
  /** Why the storage has failed. */
  readonly failure: unknown
  fail(error: unknown): void
}

/** So long a sync waits for more changes of clients that go on in the next turn, if nobody else waits for it. */
const HOLD_MS = 4
/** It does not while somebody else has had a reply so recently: who asks often is to be answered fast. */
const QUIET_MS = 1000

/** After so much of a turn whoever has slow commands waits for the next one, if others have quick ones. */
const LONG_MS = 10

/** After a sync aside the next one waits for those who had their replies by it: for this share of its time at most … */
const RETURN_SHARE = 1 / 4
/** … and no longer than so. */
const RETURN_MS = 1

/** The connections that are to be sent something at the end of a turn. */
type Turn = readonly Connection[]

export class Turns {
  /** The time, read at the end of each turn, and when late clients are looked for. */
  time: number = Date.now()
  /** The turn at hand. */
  number = 0
  /** The last turn in which something was executed, and since when, by `performance`. */
  private begun = -1
  private began = 0
  /** Clients that had more than their share of the last one. */
  crowd = 0
  readonly joiner: Joiner = new Joiner()
  private readonly owner: TurnsOwner
  private toSend: Connection[] = []
  /** Of these, those that have used up their share of the turn. */
  private goingOn: Connection[] = []
  /** Since when replies are held back, and how many changes there were when all of them were durable. */
  private heldSince: number | undefined
  private changes = 0
  /** When somebody had a reply, while others went on, who did not go on. */
  private lastOther = 0
  /** When somebody had a reply whose commands are quick, and whose turn was enough for them. */
  private lastQuick = 0
  /** The turn whose replies wait for a sync aside, since when, and how often others went on meanwhile. */
  private unsettled: Turn | undefined
  private asideSince = 0
  private ahead = 0
  /** How many clients the next sync waits for, and until when. */
  private returning = 0
  private returnBy = 0
  private scheduled = false

  constructor(owner: TurnsOwner) {
    this.owner = owner
  }

  /** There is something for the client, to be sent at the end of the turn. */
  sendSoon(connection: Connection): void {
    if (connection.listed) return
    connection.listed = true
    this.toSend.push(connection)
    this.schedule()
  }

  /** The client has used up its share of the turn: it goes on with the next one, if not before. */
  goOnSoon(connection: Connection): void {
    this.goingOn.push(connection)
    this.sendSoon(connection)
  }

  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    nextTurn(this.end)
  }

  private readonly end = (): void => {
    this.scheduled = false
    this.time = Date.now()
    const hadChanges = this.owner.counts.changes !== this.changes
    const holds = this.mayHold() || (hadChanges && this.mayReturn())
    if (this.unsettled === undefined) {
      if (holds) this.schedule()
      else if (this.toSend.length > 0) this.finish()
    }
    this.number++
    if (!this.mayGoOn) return
    this.goOn()
    // Whoever asks next finds everything durable, and need not wait for the sync of what these have written. Where the
    // others write too, theirs and this share the next one.
    if (!hadChanges && this.hasOthers && this.toSend.length > 0 && this.unsettled === undefined) this.finish()
  }

  /** Of those with slow commands, or with many, not all go on in one turn: the others are the first ones in the next. */
  private goOn(): void {
    const { goingOn } = this
    this.goingOn = []
    this.crowd = goingOn.length
    if (this.unsettled !== undefined) this.ahead++
    const still: Connection[] = []
    for (const connection of goingOn)
      if (connection.share.isHeavy(connection.unread) && this.isLong(performance.now())) still.push(connection)
      else connection.resume()
    if (still.length === 0) return
    this.goingOn = [...still, ...this.goingOn]
    this.schedule()
  }

  /** Whether the turn at hand has taken so long that slow commands, and many, wait for the next one, for others' sake. */
  isLong(now: number): boolean {
    if (this.begun !== this.number) {
      this.begun = this.number
      this.began = now
    }
    return now - this.began > LONG_MS && this.time - this.lastQuick < QUIET_MS
  }

  /** Others have had replies lately, while some went on. */
  get hasOthers(): boolean {
    return this.time - this.lastOther < QUIET_MS
  }

  /**
   * What is written while the log is synced aside makes the next sync longer, for which the others wait too: so beside
   * others it is no more than a turn of it.
   */
  private get mayGoOn(): boolean {
    return this.unsettled === undefined || this.ahead === 0 || !this.hasOthers
  }

  /**
   * Clients that had their replies by the last sync aside ask again in a moment: with those who have asked meanwhile
   * they share one sync, where otherwise each sync would serve one half of them, and everybody would wait for two.
   */
  private mayReturn(): boolean {
    return this.toSend.length < this.returning && performance.now() < this.returnBy
  }

  /** The replies may wait for those of the next turn: only clients wait for them that have more to be executed. */
  private mayHold(): boolean {
    const { owner, time, toSend, goingOn } = this
    if (goingOn.length === 0) return false
    if (!toSend.every(connection => connection.yielded)) this.lastOther = time
    if (this.hasOthers || owner.counts.changes === this.changes) return false
    this.heldSince ??= time
    return time - this.heldSince < HOLD_MS
  }

  /** Everything that was written is made durable, then all replies go out. */
  private finish(): void {
    this.owner.memory.relieve()
    this.heldSince = undefined
    this.changes = this.owner.counts.changes
    const turn = this.toSend
    this.toSend = []
    for (const connection of turn) {
      connection.listed = false
      connection.seal()
      if (!connection.yielded && !connection.share.isSlow) this.lastQuick = this.time
    }
    const { owner } = this
    const { db } = owner
    const isOver = owner.failure !== undefined || db.closed
    const durable = isOver ? undefined : owner.keys.records.makeDurable()
    if (durable === undefined) {
      this.returning = 0
      this.send(turn)
      return
    }
    this.unsettled = turn
    this.asideSince = performance.now()
    durable.then(
      () => this.settled(turn),
      error => {
        // What another handle has taken the place of meanwhile has failed before.
        if (db === owner.db) owner.fail(error)
        this.settled(turn)
      },
    )
  }

  /** The sync aside has ended. */
  private settled(turn: Turn): void {
    const now = performance.now()
    this.unsettled = undefined
    this.ahead = 0
    this.returning = turn.length + this.toSend.length
    this.returnBy = now + Math.min(RETURN_MS, RETURN_SHARE * (now - this.asideSince))
    this.send(turn)
    if (this.toSend.length > 0) this.schedule()
  }

  /** What a turn has answered is durable (A1), or the storage has failed (A2). */
  private send(turn: Turn): void {
    const { owner } = this
    let all = true
    for (const connection of turn) {
      if (owner.failure !== undefined) connection.destroy('the storage has failed')
      else if (!connection.send()) all = false
    }
    this.joiner.forget()
    if (this.goingOn.length > 0) this.schedule()
    owner.out.reuse(all && this.toSend.length === 0)
  }
}
