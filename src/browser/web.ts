/** What tabs need of a browser to share a database, as far as it is used, so that tests can put something else there. */
import { XenonError } from '../errors.ts'

export interface Locks {
  request<T>(
    name: string,
    options: { mode?: 'exclusive' | 'shared'; signal?: AbortSignal; ifAvailable?: boolean },
    work: (lock: unknown) => Promise<T> | T,
  ): Promise<T>
}

/** A `BroadcastChannel`, or a port of a `MessageChannel`. */
export interface Line {
  postMessage(message: unknown): void
  addEventListener(event: 'message', listener: (event: { data: unknown }) => void): void
  start?(): void
  close(): void
}

/** A `Worker`, as a page sees it. */
export interface WorkerLike {
  postMessage(message: unknown): void
  addEventListener(event: 'message' | 'error', listener: (event: never) => void): void
  terminate(): void
}

/** A worker, as it sees itself. */
export interface WorkerScope {
  postMessage(message: unknown, transfer: readonly unknown[]): void
  addEventListener(event: 'message', listener: (event: { data: unknown }) => void): void
}

interface Web {
  navigator?: {
    locks?: Locks
    storage?: { estimate?(): Promise<{ usage?: number; quota?: number }>; persist?(): Promise<boolean> }
  }
  BroadcastChannel?: new (name: string) => Line
  MessageChannel?: new () => { port1: Line; port2: Line }
  Worker?: new (url: URL, options: { type: 'module'; name: string }) => WorkerLike
}

export const web: Web = globalThis as unknown as Web

/** @throws XenonError `XENON_NOT_SUPPORTED` */
export const needed = <T>(part: T | undefined, name: string): T => {
  if (part !== undefined) return part
  throw new XenonError(
    'XENON_NOT_SUPPORTED',
    `openBrowser() needs ${name}, which is not here: it runs on a page of a browser, over https or on localhost`,
  )
}

export const locksHere = (): Locks => needed(web.navigator?.locks, 'Web Locks (navigator.locks)')

export const channelNamed = (name: string): Line => new (needed(web.BroadcastChannel, 'BroadcastChannel'))(name)
