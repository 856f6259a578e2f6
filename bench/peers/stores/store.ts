/** What each store must be able to do. The adapters use each store in the fastest way its documentation knows. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { peersDirectory } from '../../support/paths.ts'
import type { Durability } from '../job.ts'

/** A store without synchronous writes returns promises. */
export type MaybePromise = void | Promise<void>

/** By a name for the results. */
export type Ways = Readonly<Record<string, (keys: readonly string[], values: readonly string[]) => Promise<void>>>

export interface Store {
  get(key: string): string | undefined
  /** One commit, in the fastest way when the next one comes after it. */
  put(key: string, value: string): MaybePromise
  /** One commit beside others; resolves when it is as durable as was asked for. Absent where there is no such thing. */
  putAsync?(key: string, value: string): Promise<unknown>
  /** One commit for each record. */
  putEach(keys: readonly string[], values: readonly string[]): MaybePromise
  /** One commit for all. */
  putBatch(keys: readonly string[], values: readonly string[]): MaybePromise
  /** Transactions of `size` updates each. */
  transactions(keys: readonly string[], values: readonly string[], size: number): MaybePromise
  /**
   * Reads up to `limit` records in the order of their keys, from the first that is not below `from`.
   * Returns the characters of what it was given: it must have looked at it.
   */
  entries(from: string, limit: number): number | Promise<number>
  /** The same without values. */
  keys(from: string, limit: number): number | Promise<number>
  /** Gives space back to the file system. */
  compact?(): Promise<unknown>
  deleteBatch(keys: readonly string[]): MaybePromise
  /** Ways to have 256 puts in flight, each with a commit and a promise of its own. Resolves when all are durable. */
  readonly inFlight: Ways
  /** Ways that give that up: one commit for 256 puts. */
  readonly grouped: Ways
  /** A clean close: the database must be openable without recovery. */
  close(): Promise<void>
}

export interface StoreOptions {
  directory: string
  durability: Durability
  /** What the process and the page cache of its files may take together; no limit when undefined. */
  memoryBytes?: number | undefined
}

export type OpenStore = (options: StoreOptions) => Store | Promise<Store>

/** Code of the error of a store that cannot do what was asked; xenondb's own. */
export const NOT_SUPPORTED = 'XENON_NOT_SUPPORTED'

/** Loads a package of `bench/peers/node_modules`. */
export const requirePeer: (name: string) => unknown = createRequire(join(peersDirectory, 'package.json'))

/** Keeps `keys.length` puts in flight, `width` at a time: as soon as one resolves the next one starts. */
export async function keepInFlight(
  keys: readonly string[],
  values: readonly string[],
  width: number,
  put: (key: string, value: string) => Promise<unknown>,
): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < keys.length) {
      const at = next
      next += 1
      await put(keys[at]!, values[at]!)
    }
  }
  await Promise.all(Array.from({ length: Math.min(width, keys.length) }, worker))
}

/** Starts `width` puts, waits for all, starts the next. */
export async function inGroups(
  keys: readonly string[],
  width: number,
  group: (from: number, to: number) => Promise<unknown>,
): Promise<void> {
  for (let from = 0; from < keys.length; from += width) await group(from, Math.min(from + width, keys.length))
}

export const IN_FLIGHT = 256
