/**
 * Timers and the clock for durations, as they were when the package was loaded. Tests put timers and clocks of their
 * own in the place of the global ones (`vi.useFakeTimers`, `jest.useFakeTimers`, `mock.timers.enable`), and nothing
 * that waits for a lock, a disk or the next turn may hang when nobody advances those. What follows the time of day is
 * not here: a time to live, and the sweep of what has expired.
 */
const real = globalThis as unknown as {
  setTimeout?: typeof globalThis.setTimeout
  clearTimeout?: typeof globalThis.clearTimeout
  setInterval?: typeof globalThis.setInterval
  clearInterval?: typeof globalThis.clearInterval
  setImmediate?: (work: () => void) => unknown
  performance?: { now(): number }
  process?: { hrtime?: () => [seconds: number, nanoseconds: number] }
  MessageChannel?: new () => {
    port1: { onmessage: (() => void) | null }
    port2: { postMessage(message: undefined): void }
  }
}

/** What is called, for tests that want steady time. */
export const timers: {
  setTimeout: typeof globalThis.setTimeout
  clearTimeout: typeof globalThis.clearTimeout
} = {
  setTimeout: real.setTimeout?.bind(globalThis) as typeof globalThis.setTimeout,
  clearTimeout: real.clearTimeout?.bind(globalThis) as typeof globalThis.clearTimeout,
}

export const setTimeout = (work: () => void, milliseconds?: number): ReturnType<typeof globalThis.setTimeout> =>
  timers.setTimeout(work, milliseconds)

export const clearTimeout = (timer: ReturnType<typeof globalThis.setTimeout> | undefined): void =>
  timers.clearTimeout(timer)

export const setInterval: typeof globalThis.setInterval = real.setInterval?.bind(
  globalThis,
) as typeof globalThis.setInterval

export const clearInterval: typeof globalThis.clearInterval = real.clearInterval?.bind(
  globalThis,
) as typeof globalThis.clearInterval

/** Node loads a module of its own, which takes a millisecond, when somebody first asks for its `performance`. */
const sinceBoot = (): (() => number) | undefined => {
  const hrtime = real.process?.hrtime
  if (hrtime === undefined) return undefined
  return () => {
    const [seconds, nanoseconds] = hrtime()
    return seconds * 1000 + nanoseconds / 1e6
  }
}

/** Milliseconds that only differences of mean anything. */
export const performance: { now: () => number } = {
  // A realm without any has the time of day.
  now: sinceBoot() ?? real.performance?.now.bind(real.performance) ?? Date.now,
}

/** Blocks the thread for so long, where that is allowed. */
export const pause = (milliseconds: number): void => {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
  } catch {
    // The main thread of a browser must not block.
  }
}

const immediate = real.setImmediate?.bind(globalThis)

/** In a browser a message to oneself takes 10 µs, and a timer 4 ms as soon as one follows another. */
const byMessage = (): ((work: () => void) => void) | undefined => {
  if (real.MessageChannel === undefined) return undefined
  const { port1, port2 } = new real.MessageChannel()
  const waiting: (() => void)[] = []
  port1.onmessage = () => waiting.shift()?.()
  return work => {
    waiting.push(work)
    port2.postMessage(undefined)
  }
}

/** Runs `work` in the next turn of the event loop. */
export const nextTurn: (work: () => void) => void =
  immediate === undefined ? (byMessage() ?? (work => void setTimeout(work, 0))) : work => void immediate(work)
