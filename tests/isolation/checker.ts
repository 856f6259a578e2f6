/**
 * Checks histories of transactions that append unique numbers to lists, after the manner of Elle: the lists that were
 * read show in which order the numbers were written, and from that follows who must have come before whom.
 *
 *   ww  wrote a list before the other did          wr  wrote what the other read
 *   rw  read a list before the other wrote to it (an anti-dependency)
 *
 * A cycle of ww alone is G0, of ww and wr G1c, with one rw G-single, with more G2.
 */
export type Step =
  | { kind: 'append'; list: string; number: number }
  | { kind: 'read'; list: string; value: readonly number[] }

export interface Record {
  id: number
  committed: boolean
  steps: Step[]
}

export type Phenomenon = 'G0' | 'G1a' | 'G1b' | 'G1c' | 'G-single' | 'G2' | 'lost append' | 'forked list'

type Edge = 'ww' | 'wr' | 'rw'

/** The phenomena of a history, each with one example. `last`: what the lists hold in the end. */
export function check(
  history: readonly Record[],
  last: ReadonlyMap<string, readonly number[]>,
): Map<Phenomenon, string> {
  const found = new Map<Phenomenon, string>()
  const note = (phenomenon: Phenomenon, example: string): void => {
    if (!found.has(phenomenon)) found.set(phenomenon, example)
  }
  const writers = new Map<number, Record>()
  /** For a transaction and a list: the numbers it has appended there, in order. */
  const appended = new Map<string, number[]>()
  for (const record of history)
    for (const step of record.steps)
      if (step.kind === 'append') {
        writers.set(step.number, record)
        const key = `${record.id} ${step.list}`
        appended.set(key, [...(appended.get(key) ?? []), step.number])
      }

  // The order of the writes of a list is what the list shows in the end: every value read must be a beginning of that.
  const orders = new Map<string, readonly number[]>(last)
  for (const record of history) {
    if (!record.committed) continue
    for (const step of record.steps)
      if (step.kind === 'append' && !(orders.get(step.list) ?? []).includes(step.number))
        note('lost append', `${step.number} of transaction ${record.id} is not in ${step.list}`)
  }
  const places = new Map<number, number>()
  for (const order of orders.values()) for (const [place, number] of order.entries()) places.set(number, place)

  const edges = new Map<number, Map<number, Set<Edge>>>()
  const edge = (from: Record | undefined, to: Record | undefined, kind: Edge): void => {
    if (from === undefined || to === undefined || from === to || !from.committed || !to.committed) return
    const targets = edges.get(from.id) ?? new Map<number, Set<Edge>>()
    edges.set(from.id, targets)
    const kinds = targets.get(to.id)
    if (kinds === undefined) targets.set(to.id, new Set([kind]))
    else kinds.add(kind)
  }

  for (const [, order] of orders)
    for (let i = 1; i < order.length; i++) edge(writers.get(order[i - 1]!), writers.get(order[i]!), 'ww')

  for (const record of history) {
    if (!record.committed) continue
    const own = new Set<number>()
    for (const step of record.steps) {
      if (step.kind === 'append') {
        own.add(step.number)
        continue
      }
      const foreign = step.value.filter(number => !own.has(number))
      for (const number of foreign)
        if (writers.get(number)?.committed !== true)
          note('G1a', `transaction ${record.id} read ${number} of a transaction that rolled back`)
      const newest = foreign[foreign.length - 1]
      const writer = newest === undefined ? undefined : writers.get(newest)
      if (writer !== undefined) {
        const all = appended.get(`${writer.id} ${step.list}`)!
        if (writer.committed && all[all.length - 1] !== newest)
          note('G1b', `transaction ${record.id} read ${newest}, which transaction ${writer.id} went on from`)
        edge(writer, record, 'wr')
      }
      const order = orders.get(step.list) ?? []
      const committed = foreign.filter(number => writers.get(number)?.committed === true)
      if (committed.some((number, place) => order[place] !== number))
        note('forked list', `transaction ${record.id} read ${step.list} as ${foreign}, which became ${order}`)
      const place = newest === undefined ? -1 : (places.get(newest) ?? -1)
      if (newest !== undefined && place < 0) continue
      const next = order[place + 1]
      if (next !== undefined) edge(record, writers.get(next), 'rw')
    }
  }

  for (const component of components(edges)) {
    if (component.size < 2) continue
    const within = (kinds: readonly Edge[]): ((from: number) => number[]) => {
      return from =>
        [...(edges.get(from) ?? [])]
          .filter(([to, found]) => component.has(to) && kinds.some(kind => found.has(kind)))
          .map(([to]) => to)
    }
    const cycle = (kinds: readonly Edge[]): string | undefined => findCycle(component, within(kinds))
    const g0 = cycle(['ww'])
    if (g0 !== undefined) note('G0', g0)
    const g1 = cycle(['ww', 'wr'])
    if (g1 !== undefined) note('G1c', g1)
    // One anti-dependency, and a way back without any.
    const forward = within(['ww', 'wr'])
    let single = false
    for (const from of component)
      for (const to of within(['rw'])(from))
        if (!single && reaches(to, from, forward)) {
          single = true
          note('G-single', `${from} -rw-> ${to} … -> ${from}`)
        }
    if (g1 === undefined && !single) note('G2', cycle(['ww', 'wr', 'rw']) ?? 'a cycle')
  }
  return found
}

/** Tarjan's strongly connected components, without recursion. */
function components(edges: ReadonlyMap<number, ReadonlyMap<number, unknown>>): Set<number>[] {
  const index = new Map<number, number>()
  const low = new Map<number, number>()
  const onStack = new Set<number>()
  const stack: number[] = []
  const result: Set<number>[] = []
  for (const root of edges.keys()) {
    if (index.has(root)) continue
    const enter = (node: number): { node: number; ways: number[] } => {
      index.set(node, index.size)
      low.set(node, index.get(node)!)
      stack.push(node)
      onStack.add(node)
      return { node, ways: [...(edges.get(node)?.keys() ?? [])] }
    }
    const path = [enter(root)]
    while (path.length > 0) {
      const { node, ways } = path[path.length - 1]!
      const next = ways.pop()
      if (next !== undefined) {
        if (!index.has(next)) path.push(enter(next))
        else if (onStack.has(next)) low.set(node, Math.min(low.get(node)!, index.get(next)!))
        continue
      }
      path.pop()
      const parent = path[path.length - 1]
      if (parent !== undefined) low.set(parent.node, Math.min(low.get(parent.node)!, low.get(node)!))
      if (low.get(node) !== index.get(node)) continue
      const component = new Set<number>()
      for (let member = -1; member !== node; ) {
        member = stack.pop()!
        onStack.delete(member)
        component.add(member)
      }
      result.push(component)
    }
  }
  return result
}

function reaches(from: number, to: number, next: (node: number) => number[]): boolean {
  const seen = new Set([from])
  const open = [from]
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (node === to) return true
    for (const way of next(node))
      if (!seen.has(way)) {
        seen.add(way)
        open.push(way)
      }
  }
  return false
}

function findCycle(nodes: ReadonlySet<number>, next: (node: number) => number[]): string | undefined {
  for (const node of nodes)
    for (const way of next(node)) if (reaches(way, node, next)) return `${node} -> ${way} … -> ${node}`
  return undefined
}
