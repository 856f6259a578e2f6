/**
 * Turns of the event loop. Requests are executed as they arrive; at the end of the turn one sync makes durable what all
 * clients have written in it, then all of its replies are sent. Where the log is synced aside, the next turns go on
 * meanwhile, and their replies wait for theirs.
 *
 * Invariants
 *  A1  No reply leaves before everything that was committed when it was written is as durable as `durability` says:
 *      neither the answer to a write, nor a read that a crash could prove wrong.
 *  A2  After a failure of the storage no reply leaves any more that was written before it: nobody is told what may not
 *      be so. If the disk was full, another handle takes the place of the one that has failed (`stand-in.ts`).
 */
import type { Database } from '../../database/database.ts'
import { nextTurn } from '../../runtime/timers.ts'
import type { Keyspace } from '../commands/keyspace.ts'
import type { ReplyWriter } from '../protocol/reply.ts'
import type { Connection } from './connection.ts'

export interface TurnsOwner {
  /** Another one after the storage has failed, if the database could be opened again. */
  readonly db: Database<unknown, unknown>
  readonly keys: Keyspace
  readonly out: ReplyWriter
  /** Why the storage has failed. */
  readonly failure: unknown
  fail(error: unknown): void
}

/** The connections that are to be sent something at the end of a turn. */
type Turn = readonly Connection[]

export class Turns {
  /** The time, read at the end of each turn, and when late clients are looked for. */
  time: number = Date.now()
  private readonly owner: TurnsOwner
  private toSend: Connection[] = []
  /** Turns whose replies wait until what they answer is durable, the oldest first. */
  private readonly unsettled: Turn[] = []
  private scheduled = false

  constructor(owner: TurnsOwner) {
    this.owner = owner
  }

  /** There is something for the client, to be sent at the end of the turn. */
  sendSoon(connection: Connection): void {
    if (connection.listed) return
    connection.listed = true
    this.toSend.push(connection)
    if (this.scheduled) return
    this.scheduled = true
    nextTurn(this.end)
  }

  private readonly end = (): void => {
    this.scheduled = false
    const turn = this.toSend
    this.toSend = []
    this.time = Date.now()
    for (const connection of turn) {
      connection.listed = false
      connection.seal()
    }
    this.unsettled.push(turn)
    const { owner } = this
    const { db } = owner
    const isOver = owner.failure !== undefined || db.closed
    const durable = isOver ? undefined : owner.keys.records.makeDurable()
    if (durable === undefined) this.sendThrough(turn)
    else
      durable.then(
        () => this.sendThrough(turn),
        error => {
          // What another handle has taken the place of meanwhile has failed before.
          if (db === owner.db) owner.fail(error)
          this.sendThrough(turn)
        },
      )
  }

  /** What a turn, and with it those before it, have answered is durable (A1), or the storage has failed (A2). */
  private sendThrough(last: Turn): void {
    const { owner, unsettled } = this
    const at = unsettled.indexOf(last)
    if (at < 0) return
    let all = true
    for (const turn of unsettled.splice(0, at + 1))
      for (const connection of turn) {
        if (owner.failure !== undefined) connection.destroy('the storage has failed')
        else if (!connection.send()) all = false
      }
    if (unsettled.length === 0) owner.out.reuse(all && this.toSend.length === 0)
  }
}
