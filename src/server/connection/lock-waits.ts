/**
 * Commands outside of transactions that have met the lock of one: they hold nothing themselves, and are tried again
 * when a transaction that was in their way has ended, in the order in which they came.
 *
 * A caller waits with its command, or, after LOCKWAIT PUSH, goes on: then the command has a number, under which its
 * reply is pushed. Of such a caller no change overtakes an earlier one of the same keys.
 */

import { nextTurn, performance, setTimeout } from '../../runtime/timers.ts'
import type { Caller } from '../commands/caller.ts'
import type { Command } from '../commands/command.ts'
import { keyPositions } from '../commands/key-specs.ts'
import { traitsFor } from '../commands/traits.ts'
import type { ReplyWriter } from '../protocol/reply.ts'
import { type Arguments, textAt } from '../protocol/request.ts'
import { holdersIn } from './lock-conflict.ts'
import type { QueuedCalls } from './queued-calls.ts'

/** A caller of commands that run later than they came. */
export interface LateCaller extends Caller {
  /** Its further requests wait too, until `ready`. */
  wait(forOthers: boolean): void
  ready(): void
  /** Runs a command that may run now. */
  perform(command: Command, request: Arguments): void
  /** Answers with what went wrong; a failure of the storage is one of the server. */
  replyFailure(error: unknown, command?: Command): void
  /** Runs what was asked for when this database was selected. */
  inDatabase(database: number, work: () => void): void
  /** The reply to one that had a number was pushed. */
  pushed(): void
  /** What MULTI has begun gives way to what another EXEC is to run. */
  swapQueue(queue: QueuedCalls | undefined): QueuedCalls | undefined
}

/** A command that is to be tried again. */
interface Waiting {
  readonly caller: LateCaller
  readonly command: Command
  readonly request: Arguments
  /** Its number, if the caller goes on meanwhile; then `queue` is what EXEC is to run. */
  readonly number?: number
  readonly queue?: QueuedCalls | undefined
}

interface Waiter extends Waiting {
  /** The database that was selected. */
  readonly database: number
  readonly deadline: number
  /** What it changes, if it has a number. */
  readonly keys: Keys
  /** The transactions that were in its way when it was tried last; none if it stands behind another of its caller. */
  holders: readonly number[]
}

/** Transactions of the program that has opened the server end without a word to it: so it is looked for their end. */
const RETRY_MS = 10

const LOCKWAIT = Buffer.from('lockwait')

export class LockWaits {
  private waiters: Waiter[] = []
  /** What those with a number change. */
  private readonly waitingKeys: KeysByCaller = new KeysByCaller()
  private readonly timeout: number
  private timer: ReturnType<typeof setTimeout> | undefined
  private soon = false
  /** Something has happened that those who stand behind others of their caller are to be tried for. */
  private again = false

  constructor(timeout: number) {
    this.timeout = timeout
  }

  get count(): number {
    return this.waiters.length
  }

  /** `error`: what the command has met, if it was tried. */
  add(waiting: Waiting, timeout: number = this.timeout, error?: unknown): void {
    const keys = waiting.number === undefined ? NO_KEYS : keysOf(waiting)
    const { database } = waiting.caller
    const deadline = Date.now() + timeout
    this.waiters.push({ ...waiting, database, deadline, keys, holders: holdersIn(error) ?? [] })
    this.waitingKeys.add(waiting.caller, keys)
    this.lookSoon()
  }

  /** It keeps nobody alive: those who wait have connections that do, if anything is to. */
  private lookSoon(): void {
    if (this.timer !== undefined) return
    this.timer = setTimeout(() => this.onTimer(), RETRY_MS)
    this.timer.unref()
  }

  /** True if a change must not come before one of the same caller that waits. */
  isBehind(caller: LateCaller, command: Command, request: Arguments, queue: QueuedCalls | undefined): boolean {
    return this.waitingKeys.meet(caller, keysOf({ command, request, queue }))
  }

  /** Gives up what a caller waits for under a number. */
  cancel(caller: LateCaller, number: number): boolean {
    const at = this.waiters.findIndex(waiter => waiter.caller === caller && waiter.number === number)
    if (at < 0) return false
    const [waiter] = this.waiters.splice(at, 1)
    this.waitingKeys.remove(caller, waiter!.keys)
    push(waiter!, out => out.error('LOCKTIMEOUT the wait for a lock was cancelled'))
    caller.pushed()
    this.again = true
    this.wake()
    return true
  }

  /** A transaction has ended. */
  wake(): void {
    if (this.soon || this.waiters.length === 0) return
    this.soon = true
    nextTurn(() => {
      this.soon = false
      this.tryAll()
    })
  }

  private onTimer(): void {
    this.timer = undefined
    this.tryAll()
    if (this.waiters.length > 0) this.lookSoon()
  }

  private tryAll(): void {
    const { waiters, waitingKeys } = this
    const now = Date.now()
    if (!this.again && !waiters.some(waiter => isDue(waiter, now))) return
    this.waiters = []
    const still: Waiter[] = []
    const before = new KeysByCaller()
    for (const waiter of waiters) {
      if (this.tryOne(waiter, before, now)) waitingKeys.remove(waiter.caller, waiter.keys)
      else {
        still.push(waiter)
        before.add(waiter.caller, waiter.keys)
      }
    }
    this.again = this.waiters.length > 0
    this.waiters = [...still, ...this.waiters]
  }

  /** True if it waits no more. `before`: what those change that came before it and still wait. */
  private tryOne(waiter: Waiter, before: KeysByCaller, now: number): boolean {
    const { caller, number, queue, deadline, holders, keys, database } = waiter
    if (caller.closed) return true
    if (now < deadline) {
      if (holders.length > 0 && !isDue(waiter, now)) return false
      if (number !== undefined && before.meet(caller, keys)) return false
    }
    if (number === undefined) {
      const done = this.run(waiter)
      if (done) caller.ready()
      return done
    }
    const mine = caller.swapQueue(queue)
    let done = false
    caller.inDatabase(database, () => {
      done = this.run(waiter)
    })
    caller.swapQueue(mine)
    if (done) caller.pushed()
    return done
  }

  private run(waiter: Waiter): boolean {
    const { caller, command, request, deadline } = waiter
    let done = true
    push(waiter, out => {
      const start = out.length
      const { activity } = caller.server
      const began = performance.now()
      const ran = (failed: boolean): void =>
        activity.executed(caller, traitsFor(command, request), request, began, failed)
      try {
        caller.perform(command, request)
        ran(false)
      } catch (error) {
        const holders = holdersIn(error)
        done = holders === undefined || Date.now() >= deadline
        out.truncate(done ? start : 0)
        waiter.holders = holders ?? []
        if (!done) return
        if (command.name === 'exec') caller.discardQueue()
        caller.replyFailure(error, command)
        ran(true)
      }
    })
    return done
  }
}

/** Whether trying it may come to something: one behind another of its caller is looked at after that one. */
const isDue = ({ caller, deadline, holders }: Waiter, now: number): boolean =>
  caller.closed || now >= deadline || (holders.length > 0 && !caller.keys.records.areOpen(holders))

/** Writes a reply, or pushes it if the command has a number. */
const push = ({ caller, number }: Waiting, write: (out: ReplyWriter) => void): void => {
  if (number === undefined) caller.answer(write)
  else
    caller.tell(out => {
      out.push(3)
      out.bulk(LOCKWAIT)
      out.integer(number)
      write(out)
    })
}

/** They may change any key, whatever they say. */
const SCRIPTS: ReadonlySet<string> = new Set(['eval', 'evalsha'])

const changes = ({ flags, name }: Command): boolean => flags.includes('write') || name === 'exec' || SCRIPTS.has(name)

/** The keys that a command changes; `undefined`: it may be any. */
type Keys = readonly string[] | undefined
const NO_KEYS: Keys = []

const keysOf = ({ command, request, queue }: Omit<Waiting, 'caller'>): Keys => {
  if (!changes(command)) return NO_KEYS
  if (command.name === 'exec') {
    const all = (queue?.calls ?? []).map(keysOf)
    return all.some(keys => keys === undefined) ? undefined : (all as string[][]).flat()
  }
  if (SCRIPTS.has(command.name)) return undefined
  const found = keyPositions(command.keys, request, 2 * command.depth)
  if (found === undefined || found.length === 0) return undefined
  const space = spaceOf(command, request)
  return found.map(({ index }) => `${space}${textAt(request, index)}`)
}

/** The names behind IN: the same key is another one in another key space. */
const spaceOf = ({ depth }: Command, request: Arguments): string => {
  let space = ''
  for (let i = 0; i < depth; i++) space += `${textAt(request, 2 * i + 1)}\0`
  return space
}

/** What the waiting commands of each caller change: how many of them each key, and how many any. */
class KeysByCaller {
  private readonly callers: Map<LateCaller, { counts: Map<string, number>; any: number }> = new Map()

  add(caller: LateCaller, keys: Keys): void {
    if (keys?.length === 0) return
    const waiting = this.callers.get(caller) ?? { counts: new Map(), any: 0 }
    this.callers.set(caller, waiting)
    if (keys === undefined) waiting.any++
    else for (const key of keys) waiting.counts.set(key, (waiting.counts.get(key) ?? 0) + 1)
  }

  remove(caller: LateCaller, keys: Keys): void {
    const waiting = this.callers.get(caller)
    if (waiting === undefined || keys?.length === 0) return
    if (keys === undefined) waiting.any--
    else
      for (const key of keys) {
        const left = waiting.counts.get(key)! - 1
        if (left === 0) waiting.counts.delete(key)
        else waiting.counts.set(key, left)
      }
    if (waiting.any === 0 && waiting.counts.size === 0) this.callers.delete(caller)
  }

  meet(caller: LateCaller, keys: Keys): boolean {
    const waiting = this.callers.get(caller)
    if (waiting === undefined || keys?.length === 0) return false
    return keys === undefined || waiting.any > 0 || keys.some(key => waiting.counts.has(key))
  }
}
