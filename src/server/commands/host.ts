/** What a command may ask of the server behind the connection that calls it, and of the other clients. */

import type { XenonError } from '../../errors.ts'
import type { ReplyWriter } from '../protocol/reply.ts'
import type { Scripts } from '../scripting/scripts.ts'
import type { Activity } from '../service/activity.ts'
import type { Channels, Subscriber } from '../service/channels.ts'
import type { Cluster } from '../service/cluster.ts'
import type { Samples } from '../service/counts.ts'
import type { Log } from '../service/log.ts'
import type { Figures } from '../service/metrics.ts'
import type { Address, Settings } from '../service/options.ts'
import type { Password } from '../service/password.ts'
import type { Pause } from '../service/pause.ts'
import type { Tracking } from '../service/tracking.ts'
import type { Databases } from './databases.ts'
import type { Keyspace } from './keyspace.ts'
import type { Observation } from './observation.ts'

/** What MULTI has begun. */
export interface Queue {
  /** Commands that wait for EXEC, and the memory that they take. */
  readonly count: number
  readonly bytes: number
  /** A command was refused: EXEC is to be refused too. */
  readonly failed: boolean
}

/** Why the wait of a client has ended: as if its time had, or with an error. */
export type UnblockReason = 'timeout' | 'error'

/** A client as others see it: CLIENT LIST shows it, CLIENT KILL ends it. */
export interface Client extends Subscriber {
  readonly id: number
  readonly address: string
  readonly localAddress: string
  /** Milliseconds since 1970, as all times here. */
  readonly created: number
  readonly lastActive: number
  readonly name: string
  readonly library: string
  readonly libraryVersion: string
  readonly lastCommand: string
  readonly resp3: boolean
  /** The number of the database that it has selected. */
  readonly database: number
  readonly queue: Queue | undefined
  /** WATCH: the keys of each key space, and whether they were there. */
  readonly watched: Map<Keyspace, Map<string, boolean>>
  readonly isSubscribed: boolean
  /** A key that it watches has changed. */
  readonly dirty: boolean
  /** Waits for something: its further requests wait too. */
  readonly busy: boolean
  /** It has said QUIT, or is to be closed for another reason. */
  readonly closing: boolean
  /** Bytes that have arrived and were not executed, and bytes that it has not taken. */
  readonly unread: number
  readonly unsent: number
  /** Ends what it waits for (WAIT) before its time; false if it waits for nothing. */
  unblock(reason: UnblockReason): boolean
  /** Ends the connection once its replies are sent. */
  endSoon(): void
  destroy(reason: string): void
}

export interface Host extends Figures {
  readonly settings: Settings
  /** What the operator has allowed: CONFIG SET goes no further. */
  readonly bounds: Readonly<Settings>
  readonly log: Log
  readonly password: Password | undefined
  /** The records of the root. */
  readonly keys: Keyspace
  readonly databases: Databases
  readonly scripts: Scripts
  /** What it is a node of, if it is one. */
  readonly cluster: Cluster | undefined
  readonly sessions: ReadonlyMap<number, Client>
  readonly lockWaits: { readonly count: number }
  readonly channels: Channels
  readonly observation: Observation
  readonly tracking: Tracking
  /** Listens to what changes keys if somebody asks for it, or no more if nobody does. */
  observe(): void
  /** Where it listens, once it does. */
  readonly address: Address | undefined
  readonly started: number
  /** 40 hexadecimal digits. */
  readonly runId: string
  readonly samples: Samples
  readonly activity: Activity
  readonly pause: Pause
  /** The writer of all replies. */
  readonly out: ReplyWriter
  /** What changes are answered with if it was created with `readOnly`. */
  readonly onlyReads: XenonError
  /** It ends with the program that has the database open, and not before. */
  readonly isAside: boolean
  /** How often another handle of the database has taken the place of one that had failed. */
  readonly reopened: number
  /** Seconds since 1970. */
  lastSave: number
  /** Begins anew with the counts that CONFIG RESETSTAT resets. */
  resetCounts(): void
  close(): Promise<void>
}
