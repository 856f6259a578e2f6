/**
 * Whether a history of registers is linearizable, each register by itself. Every write has a value of its own, so that a
 * read tells which write it saw; that makes it decidable by zones (Gibbons and Korach, "Testing shared memories", 1997):
 * the operations of a value span from the first end among them to the last beginning. If that runs forwards, the value
 * was there all that time, and no other value may be; if backwards, all of them may have happened at one moment, which
 * must not lie within the time of another value.
 */
export interface Operation {
  readonly kind: 'write' | 'read'
  readonly key: string
  /** Undefined: a read that found nothing. */
  readonly value: string | undefined
  /** When it was asked for and when it was answered, in milliseconds; Infinity: nobody knows whether it happened. */
  readonly began: number
  readonly ended: number
}

interface Zone {
  readonly value: string | undefined
  readonly from: number
  readonly to: number
}

/** What contradicts the history of registers that hold nothing in the beginning; empty: it is linearizable. */
export function contradictions(history: readonly Operation[]): string[] {
  const byKey = new Map<string, Operation[]>()
  for (const operation of history) byKey.set(operation.key, [...(byKey.get(operation.key) ?? []), operation])
  return [...byKey].flatMap(([key, operations]) => ofRegister(operations).map(text => `${key}: ${text}`))
}

function ofRegister(operations: readonly Operation[]): string[] {
  const found: string[] = []
  const writes = new Map<string | undefined, Operation>([
    [
      undefined,
      { kind: 'write', key: '', value: undefined, began: Number.NEGATIVE_INFINITY, ended: Number.NEGATIVE_INFINITY },
    ],
  ])
  for (const operation of operations) if (operation.kind === 'write') writes.set(operation.value, operation)
  const reads = new Map<string | undefined, Operation[]>()
  for (const read of operations) {
    // A read without an answer says nothing.
    if (read.kind !== 'read' || read.ended === Number.POSITIVE_INFINITY) continue
    const write = writes.get(read.value)
    if (write === undefined) found.push(`read ${read.value}, which nobody wrote`)
    else if (read.ended < write.began) found.push(`read ${read.value} before it was written`)
    else reads.set(read.value, [...(reads.get(read.value) ?? []), read])
  }
  const zones: Zone[] = []
  for (const [value, write] of writes) {
    const all = [write, ...(reads.get(value) ?? [])]
    // Nobody knows whether it happened, and nobody has seen it: it need not have.
    if (all.length === 1 && write.ended === Number.POSITIVE_INFINITY) continue
    const from = Math.min(...all.map(({ ended }) => ended))
    const to = Math.max(...all.map(({ began }) => began))
    zones.push({ value, from, to })
  }
  const forwards = zones.filter(({ from, to }) => from < to).sort((a, b) => a.from - b.from)
  for (const [i, zone] of forwards.entries()) {
    const next = forwards[i + 1]
    if (next !== undefined && next.from < zone.to)
      found.push(`${next.value} was there at ${next.from}, while ${zone.value} was from ${zone.from} to ${zone.to}`)
  }
  for (const { value, from, to } of zones) {
    if (from < to) continue
    // Among forward zones that do not overlap, the last one that begins before it is the only one that can hold it.
    const around = forwards.findLast(zone => zone.from < to)
    if (around !== undefined && around.to > from)
      found.push(
        `${value} happened between ${to} and ${from}, while ${around.value} was from ${around.from} to ${around.to}`,
      )
  }
  return found
}
