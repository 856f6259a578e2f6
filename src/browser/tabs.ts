/**
 * How the tabs of an origin share a database. Each has a worker; one worker at a time is the owner, and has it open.
 *
 *     lock xenondb/NAME            the owner has it; the workers of the other tabs stand in line for it
 *     lock xenondb/NAME/ID         that somebody is there: an owner, or a tab that reaches one. Whoever gets it, too,
 *                                  knows that the other has gone, however that came
 *     channel xenondb/NAME         { who }                    a tab asks who is the owner
 *                                  { owner: { id, … } }       the owner answers, and says so when it begins
 *                                  { join: ID, owner: ID, … } a tab wants to be served on a channel of its own
 *     channel xenondb/NAME/ID      { joined } or { refused }, then the messages of `worker/protocol.ts`;
 *                                  { bye }: the owner closes; what it has not answered it has not done
 *
 * The page of the owner's tab reaches its worker by a port, in place of a channel.
 */
import type { PortError } from '../worker/protocol.ts'
import { nameOf } from './handles.ts'
import type { Line, Locks } from './web.ts'

/** The name of the lock of a database, and of its channel; with an id, of somebody who uses it. */
export const lockOf = (name: string, id?: string): string =>
  id === undefined ? `xenondb/${nameOf(name)}` : `xenondb/${nameOf(name)}/${id}`

export interface OwnerFacts {
  readonly id: string
  /** The tab that its worker belongs to. */
  readonly member: string
  /** The files lie in the Origin Private File System; else in memory. */
  readonly isPersistent: boolean
}

/** Those that a tab takes for granted; what it does not know is not checked. */
export interface Expected {
  readonly keyEncoding: string | undefined
  readonly valueEncoding: string | undefined
}

export type Said = { who: true } | { owner: OwnerFacts } | { join: string; owner: string; expected: Expected }

/** On the channel of one tab, beside the answers. */
export interface Answer {
  joined?: true
  refused?: PortError
  bye?: true
}

/** What a page asks of its own worker. */
export type Asked =
  | { xenondb: 'open'; name: string; options: object; settings: Settings }
  | { xenondb: 'import'; name: string; file: Blob }
  | { xenondb: 'look' | 'close' }

/** Where the worker keeps the files. */
export interface Settings {
  /** Id of the tab. */
  readonly member: string
  /** Default: the file system of the origin, memory where there is none. */
  readonly storage: 'opfs' | 'memory' | undefined
  readonly handles: number | undefined
  /** Milliseconds that another one may still have the files. */
  readonly patience: number
}

/** What the worker tells its page. `port`: how to reach it. */
export type Told =
  | { xenondb: 'owner'; facts: OwnerFacts; port: Line }
  | { xenondb: 'failed'; error: PortError }
  | { xenondb: 'ready' | 'imported' | 'closed' }

/** Gets a lock, and has it until the function that it resolves with is called. */
export const hold = (locks: Locks, name: string): Promise<() => void> =>
  new Promise((held, refused) => {
    locks.request(name, {}, () => new Promise<void>(release => held(release))).catch(refused)
  })

/** Calls `then` once nobody has the lock any more, unless the returned function was called before. */
export const whenGone = (locks: Locks, name: string, then: () => void): (() => void) => {
  const giveUp = new AbortController()
  locks.request(name, { mode: 'shared', signal: giveUp.signal }, then).catch(() => {})
  return () => giveUp.abort()
}
