/**
 * Time in which a cluster is simulated: events in the order of their times, one after another, each followed by all that
 * it makes promises do. What happens follows from the seed alone.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../../src/cluster/clock.ts'
import { Random } from '../../../src/testing/random.ts'

interface Event {
  readonly at: number
  readonly order: number
  readonly work: () => void
  isCancelled: boolean
}

export class World {
  readonly random: Random
  /** Milliseconds since the beginning. */
  now = 0
  events = 0
  readonly #heap: Event[] = []
  #order = 0
  /** What has gone wrong: the first one counts. */
  failure: Error | undefined

  constructor(seed: number) {
    this.random = new Random(seed)
  }

  fail(what: string): void {
    this.failure ??= new Error(`seed ${this.random.seed}, ${Math.round(this.now)} ms: ${what}`)
  }

  /** Runs `work` after that many milliseconds; the result cancels it. */
  after(ms: number, work: () => void): () => void {
    return this.at(this.now + Math.max(0, ms), work)
  }

  /** Runs `work` again and again, with random pauses of `everyMs` on average, until `isOver`. */
  nowAndThen(everyMs: number, isOver: () => boolean, work: () => void): void {
    const again = (): void => {
      if (isOver()) return
      work()
      this.after(this.random.below(2 * everyMs), again)
    }
    this.after(this.random.below(2 * everyMs), again)
  }

  at(time: number, work: () => void): () => void {
    const event: Event = { at: time, order: this.#order++, work, isCancelled: false }
    this.#push(event)
    return () => {
      event.isCancelled = true
    }
  }

  /** Milliseconds since 1970, of a clock that is right. */
  get time(): number {
    return 1_700_000_000_000 + this.now
  }

  sleep(ms: number): Promise<void> {
    return new Promise(resolve => void this.after(ms, resolve))
  }

  /** Until that time, or a failure, or until it is said to be over. */
  async runUntil(end: number, isOver: () => boolean = () => false): Promise<void> {
    while (this.failure === undefined && !isOver() && (this.#heap[0]?.at ?? Number.POSITIVE_INFINITY) <= end) {
      const event = this.#pop()
      if (event.isCancelled) continue
      this.now = event.at
      if (this.events++ > 500_000) this.fail('there is no end to it')
      event.work()
      await turn()
    }
    if (this.failure !== undefined) throw this.failure
    if (!isOver()) this.now = end
  }

  #push(event: Event): void {
    const heap = this.#heap
    let i = heap.push(event) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!isBefore(heap[i]!, heap[parent]!)) break
      ;[heap[i], heap[parent]] = [heap[parent]!, heap[i]!]
      i = parent
    }
  }

  #pop(): Event {
    const heap = this.#heap
    const top = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return top
    heap[0] = last
    for (let i = 0; ; ) {
      const [left, right] = [2 * i + 1, 2 * i + 2]
      let least = i
      if (left < heap.length && isBefore(heap[left]!, heap[least]!)) least = left
      if (right < heap.length && isBefore(heap[right]!, heap[least]!)) least = right
      if (least === i) return top
      ;[heap[i], heap[least]] = [heap[least]!, heap[i]!]
      i = least
    }
  }
}

const isBefore = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

/** A machine that a node runs on: its clocks run at a rate of their own, and it may be paused. */
export class Machine {
  readonly world: World
  readonly id: number
  /** Of the monotonic clock: its milliseconds for each one of the world. */
  readonly rate: number
  /** By which its time of day is wrong. */
  readonly skew: number
  pausedUntil = 0
  /** Cut off from the log and from all others. */
  isCut = false

  constructor(world: World, id: number, rate: number, skew: number) {
    this.world = world
    this.id = id
    this.rate = rate
    this.skew = skew
  }
}

/**
 * A process on a machine. What is to happen in it while the machine is paused happens when that goes on, in order; nothing
 * happens in it after it has ended.
 */
export class Process implements Clock {
  readonly machine: Machine
  hasEnded = false

  constructor(machine: Machine) {
    this.machine = machine
  }

  now(): number {
    const { id, rate, world } = this.machine
    return 1_000_000 * id + world.now * rate
  }

  time(): number {
    const { rate, skew, world } = this.machine
    return 1_700_000_000_000 + world.now * rate + skew
  }

  after(ms: number, work: () => void): () => void {
    return this.later(ms / this.machine.rate, work)
  }

  soon(work: () => void): void {
    this.later(0, work)
  }

  /** Runs `work` in this process after that many milliseconds of the world. */
  later(ms: number, work: () => void): () => void {
    const { machine } = this
    const attempt = (): void => {
      if (this.hasEnded) return
      if (machine.world.now < machine.pausedUntil) cancel = machine.world.at(machine.pausedUntil, attempt)
      else work()
    }
    let cancel = machine.world.after(ms, attempt)
    return () => cancel()
  }
}
