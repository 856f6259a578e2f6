/**
 * The state of a shard as it was: a snapshot from before, and the messages of its log from there to the point.
 */
import { XenonError } from '../errors.ts'
import type { GroupStore } from './group-store.ts'
import { groupsOf } from './logged-groups.ts'
import { decodeMark, encodeMark, type Mark } from './mark.ts'
import type { SharedLog, SnapshotEntry } from './shared-log.ts'

/** Up to and with a message, or what was executed at a time (milliseconds since 1970) or before it. */
export type Point = { readonly sequence: number } | { readonly time: number }

/**
 * Brings the store of an empty database to a point of the log, or to its end if that comes first. Returns the mark that
 * it has then. A group is there as a whole or not at all.
 * @throws XenonError `XENON_NOT_FOUND` if neither the log nor a verified snapshot reaches so far back
 */
export async function bringTo(log: SharedLog, store: GroupStore, point: Point): Promise<Mark> {
  const { first, last } = await log.bounds()
  const isBehind = ({ sequence, time }: { sequence: number; time: number }): boolean =>
    'sequence' in point ? sequence > point.sequence : time > point.time
  const markOf = (entry: SnapshotEntry): Mark => decodeMark(entry.mark, log.name)
  const usable = (await log.snapshots.list()).filter(entry => entry.isVerified && entry.sequence >= first - 1)
  const snapshot = usable.find(entry => !isBehind(markOf(entry)))
  if (snapshot !== undefined) await store.restore(log.snapshots.get(snapshot.name), snapshot.mark)
  else if (first > 1) throw tooEarly(log.name, first, usable.map(markOf).at(-1))
  let mark = decodeMark(store.mark, log.name)
  if (mark.sequence >= last) return mark
  const after = mark.sequence === 0 ? undefined : mark
  for await (const { sequence, epoch, time, hash, changes } of groupsOf(log, mark.sequence + 1, { after })) {
    const next: Mark = { sequence, epoch, hash, time: Math.max(mark.time, time) }
    if (isBehind(next)) break
    store.apply(changes, encodeMark(next, log.name))
    mark = next
    if (sequence >= last) break
  }
  return mark
}

const tooEarly = (log: string, first: number, oldest: Mark | undefined): XenonError => {
  const earliest =
    oldest === undefined
      ? 'and there is no verified snapshot'
      : `and its oldest verified snapshot is of message ${oldest.sequence}, ${new Date(oldest.time).toISOString()}: no earlier point can be had`
  return new XenonError('XENON_NOT_FOUND', `${log} begins at message ${first}, ${earliest}`)
}
