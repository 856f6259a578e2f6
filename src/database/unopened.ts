/**
 * Sub-databases that nobody has opened: what expires in them is removed in the background, too. From an open on, a few
 * milliseconds at a time, it looks when something expires first in each of them; one in which a time has passed is opened,
 * so that its own sweep takes it up. The others cost a look at one leaf each, and nothing in between.
 */
import { nameOf, SUB } from '../engine/space-names.ts'
import { firstTimeIn } from '../records/expiry.ts'
import { clearTimeout, performance, setTimeout } from '../runtime/timers.ts'
import type { Handle } from './handle.ts'
import type { Outer } from './sub.ts'

/** From an open to the first look, between two slices, and between two looks at a far time at most. */
const SOON_MS = 50
const PAUSE_MS = 5
const SLICE_MS = 2
const LATE_MS = 60_000

export class UnopenedSubs {
  private readonly handle: Handle
  private readonly root: Outer<unknown, unknown>
  private timer: unknown
  /** Numbers of the spaces that this round has not looked at yet. */
  private left: number[] = []
  /** The first time that the round has found, of those that are to come. */
  private next = Number.POSITIVE_INFINITY

  constructor(handle: Handle, root: Outer<unknown, unknown>) {
    this.handle = handle
    this.root = root
  }

  begin(): void {
    if (!this.handle.engine.spaces.isEmpty) this.runAfter(SOON_MS)
  }

  stop(): void {
    if (this.timer !== undefined) clearTimeout(this.timer as Parameters<typeof clearTimeout>[0])
    this.timer = undefined
  }

  private runAfter(wait: number): void {
    const timer: unknown = setTimeout(() => this.run(), wait)
    ;(timer as { unref?: () => void }).unref?.()
    this.timer = timer
  }

  private run(): void {
    const { engine, guard } = this.handle
    this.timer = undefined
    if (engine.closed || engine.health.failure !== undefined) return
    try {
      engine.attend()
      // A guard says who sweeps.
      if (guard === undefined) this.slice()
      else this.left = []
    } catch {
      // Whatever it was, such as damage to a tree, whoever needs it says so; the others have their turn.
      if (engine.closed || engine.health.failure !== undefined) return
    }
    if (this.left.length > 0) {
      this.runAfter(PAUSE_MS)
      return
    }
    const wait = guard === undefined ? this.next - engine.now() : LATE_MS
    this.next = Number.POSITIVE_INFINITY
    if (wait !== Number.POSITIVE_INFINITY) this.runAfter(Math.max(SOON_MS, Math.min(LATE_MS, wait)))
  }

  /** Looks at some of them; at the first ones if a round was not begun. */
  private slice(): void {
    const { spaces } = this.handle.engine
    const until = performance.now() + SLICE_MS
    if (this.left.length === 0) this.left = spaces.unopened().map(({ number }) => number)
    while (this.left.length > 0) {
      this.look(this.left.pop()!)
      if (performance.now() > until) return
    }
  }

  private look(number: number): void {
    const { engine } = this.handle
    const { spaces } = engine
    const facts = spaces.get(number)
    // It was dropped, or opened, meanwhile. Nothing expires in an index.
    if (facts === undefined || !facts.name.startsWith(SUB) || spaces.isOpened(number)) return
    const time = firstTimeIn(engine.root, facts.expiry)
    if (time > engine.now()) {
      this.next = Math.min(this.next, time)
      return
    }
    let outer: Outer<unknown, unknown> | undefined = this.root
    for (const name of nameOf(facts, spaces)?.path ?? []) outer = outer?.subAsBytes(name) as typeof outer
  }
}
