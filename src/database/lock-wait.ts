/** Waiting for the lock of a database that somebody else has open. */

import { DatabaseLockedError } from '../errors.ts'
import { performance, setTimeout } from '../runtime/timers.ts'

/**
 * Longest pause between two looks, in milliseconds. Short, so that who has waited long is as quick as who has just
 * come.
 */
const LONGEST_PAUSE_MS = 25

/**
 * Does what throws `DatabaseLockedError` while another has the lock, again and again for `milliseconds`; blocks the
 * thread.
 */
export const waitForLock = <T>(milliseconds: number, take: () => T): T => {
  const wait = new Wait(milliseconds)
  for (;;) {
    try {
      return take()
    } catch (error) {
      sleep(wait.pause(error), error)
    }
  }
}

/** The same without blocking the thread; a signal ends it. */
export const waitForLockAside = async <T>(milliseconds: number, take: () => T, signal?: AbortSignal): Promise<T> => {
  const wait = new Wait(milliseconds)
  for (;;) {
    try {
      return take()
    } catch (error) {
      const pause = wait.pause(error)
      await new Promise<void>(resolve => setTimeout(resolve, pause))
      signal?.throwIfAborted()
    }
  }
}

class Wait {
  private readonly most: number
  private readonly start: number = performance.now()
  private longest = 1

  constructor(milliseconds: number) {
    this.most = milliseconds
  }

  /** How long to pause after this error; throws it if there is nothing to wait for, or time is up. */
  pause(error: unknown): number {
    if (!(error instanceof DatabaseLockedError) || this.most === 0) throw error
    const { message, pid, isOwn } = error
    if (isOwn)
      throw new DatabaseLockedError(
        `${message}. It was not waited for: a thread cannot wait for what only it can close`,
        pid,
        true,
      )
    const waited = performance.now() - this.start
    if (waited >= this.most) throw new DatabaseLockedError(`${message} (waited ${Math.round(waited)} ms for it)`, pid)
    this.longest = Math.min(LONGEST_PAUSE_MS, 2 * this.longest)
    // By chance, so that those who wait do not come all at once.
    return Math.min(this.most - waited, this.longest * (0.5 + Math.random() / 2))
  }
}

const sleep = (milliseconds: number, error: unknown): void => {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.ceil(milliseconds))
  } catch {
    // A thread that must not block, such as the main one of a browser.
    throw error
  }
}
