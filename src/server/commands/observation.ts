/**
 * What others are told of changed keys: keyspace notifications, and the invalidations of CLIENT TRACKING. As long as
 * nobody asks for either there is none of this, and a command costs the test of one field more.
 *
 * Commands say by what name they have changed a key (`Keyspace.put` and its kin). The database tells of every key that
 * a commit has changed (`KeyObserver`), whoever made it: of those that a command of a client has changed only caches
 * are told, of the others, which the program around the server has changed or which have expired, everybody is.
 */

import { nextTurn } from '../../runtime/timers.ts'
import { type Arguments, textAt } from '../protocol/request.ts'
import type { Announcements } from '../service/announcements.ts'
import type { KeyEvent, KeyEvents } from '../service/key-events.ts'
import type { Tracker, Tracking } from '../service/tracking.ts'
import { type KeySpec, keyPositions } from './key-specs.ts'

/** A client whose command is at work. */
interface Observed extends Tracker {
  readonly queue: unknown
  readonly inTransaction: boolean
}

/** A command, as far as it is looked at here. */
interface Observable {
  readonly name: string
  readonly flags: readonly string[]
  readonly keys: readonly KeySpec[]
  readonly depth: number
}

export class Observation {
  readonly events: KeyEvents
  private readonly tracking: Tracking
  readonly announcements: Announcements
  /** Somebody asks for any of it. */
  isOn = false
  /**
   * Commits are those of others: in a cluster a node that follows. Otherwise undefined, or false: in a cluster the changes
   * of a group are committed later than their commands have told of them.
   */
  isFromElsewhere: boolean | undefined
  private wasCleared = false
  /** Whose command is at work. */
  private current: Tracker | undefined
  /** The script at work: for whatever it reads the keys that it has declared are remembered, as in Redis. */
  private script: { readonly command: Observable; readonly request: Arguments } | undefined

  constructor(events: KeyEvents, tracking: Tracking, announcements: Announcements) {
    this.events = events
    this.tracking = tracking
    this.announcements = announcements
  }

  /** Runs a command of a client. */
  during<C extends Observed>(
    caller: C,
    command: Observable & { run(caller: C, request: Arguments): void },
    request: Arguments,
  ): void {
    const { current: outer, script } = this
    this.current = caller
    if (isScript(command)) this.script = { command, request }
    let hasAnswered = false
    try {
      command.run(caller, request)
      hasAnswered = true
    } finally {
      this.current = outer
      this.script = script
      this.afterwards(caller, command, request, hasAnswered)
    }
  }

  private afterwards(caller: Observed, command: Observable, request: Arguments, hasAnswered: boolean): void {
    const { tracking } = this
    if (tracking.size === 0) {
      // Whoever tracks from now on is not told of it.
      this.wasCleared = false
      return
    }
    if (command.flags.includes('readonly') && !isScript(command) && tracking.remembers(caller)) {
      const read = this.script ?? { command, request }
      const found = keyPositions(read.command.keys, read.request, 2 * read.command.depth) ?? []
      const names = found.map(({ index }) => textAt(read.request, index))
      // What a transaction reads may be older than what is committed, or never be.
      if (caller.inTransaction) tracking.addPending(names)
      else tracking.remember(caller, names)
    }
    if (this.current !== undefined) return
    if (this.wasCleared) {
      this.wasCleared = false
      tracking.flushed(caller)
    }
    const due = tracking.takePending()
    // An error is still to be written, in place of what was answered.
    if (hasAnswered) tracking.tellAll(caller, due)
    else nextTurn(() => tracking.tellAll(caller, due))
    tracking.trim()
    if (command.name !== 'client' && caller.queue === undefined) tracking.setCaching(caller, false)
  }

  /** A commit has changed a key of a database with this number; undefined: of a sub-database. */
  changed(database: number | undefined, name: string, now: 'put' | 'deleted' | 'expired'): void {
    this.tracking.changed(name, this.current)
    const isTold = this.current !== undefined || this.isFromElsewhere === false
    if (database === undefined || (isTold && now !== 'expired')) return
    const event: KeyEvent = now === 'put' ? 'set' : now === 'deleted' ? 'del' : 'expired'
    if (this.events.wants(event)) this.events.publish(database, event, Buffer.from(name, 'latin1'))
  }

  /** All keys of a database were removed, or are others now. A command tells it once. */
  cleared(): void {
    if (this.current === undefined) this.tracking.flushed(undefined)
    else this.wasCleared = true
  }

  /** Whether somebody asks for it now. */
  get isWanted(): boolean {
    return this.events.classes !== 0 || this.tracking.size > 0
  }
}

const isScript = ({ name }: Observable): boolean => name.startsWith('eval')
