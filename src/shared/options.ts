/** The options of `openShared`, checked. */
import { type ResolvedConnectOptions, resolveConnectOptions } from '../client/options.ts'
import type { Database } from '../database/database.ts'
import type { OpenOptions } from '../database/options.ts'
import { InvalidArgumentError } from '../errors.ts'
import { requireFunction } from '../runtime/callbacks.ts'
import { milliseconds, requireFlag } from '../values/checks.ts'

/**
 * How a process shares a database. Those of `open` hold in the process that has it open; all processes that share it
 * should give the same ones, since any of them may be that one next. Their encodings must be the same.
 */
export interface SharedOptions<V = string>
  extends Omit<OpenOptions<V>, 'readOnly' | 'storage' | 'inspect' | 'lockWait' | 'errorIfExists'> {
  /**
   * Called with the database whenever this process has opened it, before anybody else may use it: to declare indexes.
   * Give it in every process, since each may become the owner.
   */
  onOpen?: ((db: Database<V>) => void) | undefined
  /**
   * Milliseconds that a call waits for an owner while there is none; after that it rejects with `XENON_OWNER_LOST`.
   * `Infinity` is allowed. Default 10,000.
   */
  ownerTimeout?: number | undefined
  /** Milliseconds that a call waits for the answer of another process; `Infinity` is allowed. Default 30,000. */
  requestTimeout?: number | undefined
  /** Connections that transactions may have to another process, besides the one of everything else. Default 8. */
  transactionConnections?: number | undefined
  /**
   * Each change of a process that is not the owner is a transaction with a mark in it, so that no owner that goes leaves
   * in doubt whether it was committed: the call goes on, with the next one. Changes that are not awaited may pass each
   * other. It costs four messages and one more record in place of one message. Default false.
   */
  marks?: boolean | undefined
}

export interface ResolvedSharedOptions<V> {
  readonly open: OpenOptions<V>
  readonly onOpen: ((db: Database<V>) => void) | undefined
  readonly ownerTimeout: number
  readonly marks: boolean
  /** How to reach an owner; `patience`: milliseconds that it has to greet. */
  connect(socket: string, patience?: number): ResolvedConnectOptions<V>
}

/** An owner that has not greeted by then is looked for again. */
const LONGEST_GREETING_MS = 5000

const OF_OTHERS = ['readOnly', 'storage', 'inspect', 'lockWait', 'errorIfExists'] as const

/** @throws InvalidArgumentError */
export const resolveSharedOptions = <V>(given: SharedOptions<V>): ResolvedSharedOptions<V> => {
  if (given === null || typeof given !== 'object')
    throw new InvalidArgumentError('the options of openShared() must be an object')
  for (const name of OF_OTHERS)
    if (name in given) throw new InvalidArgumentError(`openShared() has no option '${name}'`)
  const {
    onOpen,
    ownerTimeout = 10_000,
    requestTimeout = 30_000,
    transactionConnections = 8,
    marks = false,
    ...open
  } = given
  if (onOpen !== undefined) requireFunction('onOpen', onOpen)
  requireFlag('marks', marks)
  if (milliseconds('ownerTimeout', ownerTimeout) === 0) throw new InvalidArgumentError('ownerTimeout must be above 0')
  const { valueEncoding, keyEncoding } = open
  const connect = (socket: string, patience: number = LONGEST_GREETING_MS): ResolvedConnectOptions<V> =>
    resolveConnectOptions<V>({
      socket,
      connectTimeout: Math.max(1, Math.min(LONGEST_GREETING_MS, patience)),
      valueEncoding,
      keyEncoding,
      requestTimeout,
      transactionConnections,
      reconnect: false,
    })
  // What is wrong with them is said now, not by whoever meets another owner first.
  connect('socket')
  return { open, onOpen, ownerTimeout, marks, connect }
}
