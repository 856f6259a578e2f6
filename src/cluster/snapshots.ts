/**
 * Takes snapshots of the database and purges the log behind them.
 *
 *  X9  The log is purged only below the oldest snapshot that somebody has restored and found sound: what is purged can be
 *      had from each of the verified snapshots that are kept.
 */
import { XenonError } from '../errors.ts'
import { decodeMark } from './mark.ts'
import type { SnapshotPolicy } from './node-types.ts'
import type { Replica } from './replica.ts'
import type { SnapshotEntry } from './shared-log.ts'

/** Between two looks at the log. */
const LOOK_MS = 10_000
/** A snapshot that nobody has verified since then was given up by whoever made it. */
const GIVEN_UP_MS = 3_600_000
/** By which share of `everyMessages` nodes of a higher rank wait longer, and the leader: one of them is enough. */
const RANK_SHARE = 0.1
const LEADER_SHARE = 0.5

export class Snapshots {
  readonly #node: Replica
  readonly #policy: Required<SnapshotPolicy>
  #taking: Promise<number> | undefined
  #isStopped = false

  constructor(node: Replica, policy: SnapshotPolicy) {
    this.#node = node
    this.#policy = { everyMessages: 100_000, fill: 0.5, keep: 2, ...policy }
  }

  /** Looks now and then from here on. */
  start(): void {
    if (this.#isStopped) return
    this.#node.clock.after(LOOK_MS, () => void this.#look())
  }

  stop(): void {
    this.#isStopped = true
  }

  async #look(): Promise<void> {
    try {
      if (!this.#isStopped && (await this.#isDue())) await this.take()
    } catch (error) {
      this.#node.emit({ kind: 'warning', message: `no snapshot was taken: ${(error as Error).message}` })
    }
    this.start()
  }

  async #isDue(): Promise<boolean> {
    const { state, mark, log, settings } = this.#node
    if (state !== 'follow' && state !== 'lead') return false
    const info = await log.info()
    const [newest] = (await log.snapshots.list()).filter(({ isVerified }) => isVerified)
    const since = mark.sequence - (newest?.sequence ?? 0)
    if (since <= 0) return false
    const later = 1 + settings.rank * RANK_SHARE + (state === 'lead' ? LEADER_SHARE : 0)
    const fill = Math.max(info.bytes / info.maxBytes, info.messages / info.maxMessages)
    // The log goes on filling until the next one; a tenth of it is to have come since the last.
    const isFilling = fill >= this.#policy.fill * Math.min(later, 1.5) && since > info.messages / 10
    return since >= this.#policy.everyMessages * later || isFilling
  }

  /** Takes one now, unless one is being taken; resolves with its sequence when it was verified and the log purged. */
  take(): Promise<number> {
    this.#taking ??= this.#take().finally(() => {
      this.#taking = undefined
    })
    return this.#taking
  }

  async #take(): Promise<number> {
    const { store, log, clock } = this.#node
    const began = clock.now()
    const snapshot = await store.snapshot()
    let entry: SnapshotEntry
    try {
      const { sequence } = decodeMark(snapshot.mark, log.name)
      if (sequence === 0) throw new XenonError('XENON_NOT_READY', 'the database has applied nothing of its log yet')
      entry = await log.snapshots.put(snapshot.mark, sequence, snapshot.content)
    } finally {
      snapshot.release()
    }
    // What was put is what others will get: read back, restored, checked.
    await store.verifySnapshot(log.snapshots.get(entry.name), entry.mark)
    await log.snapshots.setVerified(entry.name)
    const { sequence, bytes } = entry
    this.#node.emit({ kind: 'snapshot', sequence, bytes, ms: clock.now() - began })
    await this.#purge()
    return sequence
  }

  /** Removes what no kept snapshot needs, the log first. (X9) */
  async #purge(): Promise<void> {
    const { log, clock } = this.#node
    const all = await log.snapshots.list()
    const kept = all.filter(({ isVerified }) => isVerified).slice(0, this.#policy.keep)
    const below = this.below(kept)
    if (below === undefined) return
    await log.purge(below)
    this.#node.emit({ kind: 'purge', below })
    for (const entry of all) {
      const isOld = entry.isVerified ? !kept.includes(entry) : entry.time < clock.time() - GIVEN_UP_MS
      if (isOld) await log.snapshots.remove(entry.name)
    }
  }

  /** The first message that somebody may need who restores the oldest one. `kept`: verified ones, the newest first. */
  below(kept: readonly SnapshotEntry[]): number | undefined {
    const oldest = kept.at(-1)
    return oldest === undefined ? undefined : oldest.sequence + 1
  }
}
