/**
 * Whether what clients were told can have been: every value is written once, so the log shows in which order the values
 * of a key followed one another, and it is enough to find a point in time for each operation, between its call and its
 * answer, that goes with this order (Gibbons and Korach: linearizability of a register whose writes are in a known order).
 */
export interface Operation {
  readonly id: number
  readonly key: string
  /** The value that it writes; undefined: it only reads. */
  readonly value: string | undefined
  readonly called: number
  /** Infinity: nobody knows. */
  answered: number
  /** 'no': it was refused, and has done nothing. */
  outcome: 'open' | 'yes' | 'no' | 'unknown'
  /** What it has seen of the key, if it looked: `null` is nothing. */
  seen: string | null | undefined
}

/** What the log holds: values of a key in their order. */
export type Versions = ReadonlyMap<string, readonly string[]>

/** What is wrong with the history of one key; undefined if nothing is. */
export function checkKey(operations: readonly Operation[], versions: readonly string[]): string | undefined {
  const writes = new Map(operations.filter(({ value }) => value !== undefined).map(op => [op.value!, op]))
  const places = new Map(versions.map((value, place) => [value, place]))
  for (const op of operations) {
    if (op.value === undefined) continue
    if (op.outcome === 'yes' && !places.has(op.value)) return `the acknowledged write of ${op.value} is lost`
    if (op.outcome === 'no' && places.has(op.value)) return `the refused write of ${op.value} is in the log`
  }
  // Reads by the place of what they have seen; -1: before the first write.
  const reads = new Map<number, Operation[]>()
  for (const op of operations) {
    if (op.outcome !== 'yes' || op.seen === undefined) continue
    const place = op.seen === null ? -1 : places.get(op.seen)
    if (place === undefined) return `operation ${op.id} has seen ${op.seen}, which is not in the log`
    if (op.value !== undefined && places.get(op.value) !== place + 1)
      return `the write of ${op.value} has seen ${op.seen}, which is not what the log has before it`
    if (op.value === undefined) reads.set(place, [...(reads.get(place) ?? []), op])
  }
  let now = Number.NEGATIVE_INFINITY
  for (let place = -1; place < versions.length; place++) {
    const write = place < 0 ? undefined : writes.get(versions[place]!)
    if (place >= 0 && write === undefined) return `nobody has written ${versions[place]}`
    if (write !== undefined) {
      now = Math.max(now, write.called)
      if (now > write.answered) return `${write.value} was written after its write was answered, at ${write.answered}`
    }
    let latest = now
    for (const read of reads.get(place) ?? []) {
      const point = Math.max(now, read.called)
      if (point > read.answered)
        return `operation ${read.id}, ${read.called} to ${read.answered}, has read ${read.seen}, which was overwritten by then`
      latest = Math.max(latest, point)
    }
    now = latest
  }
  return undefined
}
