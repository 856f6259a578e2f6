/** The options of `openBrowser`, checked. */
import type { OpenOptions } from '../database/options.ts'
import { InvalidArgumentError, shown } from '../errors.ts'
import { milliseconds } from '../values/checks.ts'
import type { Expected, Settings } from './tabs.ts'
import { needed, type WorkerLike, web } from './web.ts'

/**
 * How tabs share a database. Those of `open` hold in the worker that has it open, and go there: functions and codecs
 * cannot (`serveBrowser` takes them). All tabs should give the same ones, since any of them may be the owner next.
 */
export interface BrowserOptions<V = string>
  extends Omit<
    OpenOptions<V>,
    | 'readOnly'
    | 'storage'
    | 'inspect'
    | 'lockWait'
    | 'errorIfExists'
    | 'takeover'
    | 'force'
    | 'onRecovery'
    | 'onWarning'
  > {
  /**
   * Starts the worker of this tab, which calls `serveBrowser`. Default: that of the package, `worker.js` beside its
   * modules, which Vite, webpack, and others find.
   */
  worker?: (() => unknown) | undefined
  /**
   * Where the files lie: `'opfs'`, in the file system of the origin, or `'memory'`, for as long as the owner's tab is open.
   * Default: the first, or where there is none the second (`persistent` tells).
   */
  storage?: 'opfs' | 'memory' | undefined
  /** Handles that are open at a time, as `opfsStorage` says. Default 8. */
  handles?: number | undefined
  /**
   * Milliseconds that a call waits for an owner while there is none; after that it rejects with `XENON_OWNER_LOST`.
   * `Infinity` is allowed. Default 10,000.
   */
  ownerTimeout?: number | undefined
}

export interface ResolvedBrowserOptions {
  readonly open: object
  readonly settings: Settings
  readonly expected: Expected
  readonly ownerTimeout: number
  worker(): WorkerLike
}

/** What `openBrowser` does not take, since it is one tab's alone, or a function. */
const OF_OTHERS = ['readOnly', 'inspect', 'lockWait', 'errorIfExists', 'takeover', 'force', 'onRecovery', 'onWarning']

/** @throws InvalidArgumentError */
export const resolveBrowserOptions = (given: BrowserOptions<never>): ResolvedBrowserOptions => {
  if (given === null || typeof given !== 'object')
    throw new InvalidArgumentError('the options of openBrowser() must be an object')
  for (const name of OF_OTHERS)
    if (name in given) throw new InvalidArgumentError(`openBrowser() has no option '${name}'`)
  const { worker, storage, handles, ownerTimeout = 10_000, ...open } = given
  if (worker !== undefined && typeof worker !== 'function')
    throw new InvalidArgumentError('worker must be a function that starts one: () => new Worker(…)')
  if (storage !== undefined && storage !== 'opfs' && storage !== 'memory')
    throw new InvalidArgumentError(`storage must be 'opfs' or 'memory', not ${shown(storage)}`)
  if (milliseconds('ownerTimeout', ownerTimeout) === 0) throw new InvalidArgumentError('ownerTimeout must be above 0')
  requireSendable(open)
  const { keyEncoding, valueEncoding, storedEncoding } = open
  const isChecked = storedEncoding === undefined || storedEncoding === 'check'
  // A worker of one's own may know better.
  const byDefault = worker === undefined ? 'utf8' : undefined
  return {
    open,
    settings: { member: globalThis.crypto.randomUUID(), storage, handles, patience: ownerTimeout },
    expected: {
      keyEncoding: isChecked ? (keyEncoding ?? byDefault) : undefined,
      valueEncoding: isChecked ? ((valueEncoding as string | undefined) ?? byDefault) : undefined,
    },
    ownerTimeout,
    worker: worker === undefined ? ownWorker : (worker as () => WorkerLike),
  }
}

const requireSendable = (options: object): void => {
  try {
    structuredClone(options)
  } catch (cause) {
    throw new InvalidArgumentError(
      'the options of openBrowser() go to a worker: give functions and codecs to serveBrowser() there',
      { cause },
    )
  }
}

export const ownWorker = (): WorkerLike => {
  needed(web.Worker, 'workers (Worker)')
  // Bundlers look for these very words.
  return new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'xenondb' })
}

declare const Worker: new (url: URL, options: { type: 'module'; name: string }) => WorkerLike
