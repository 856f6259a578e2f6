/** LCS: the longest common subsequence of two values, by a table of the lengths for all beginnings of both. */

import { type Arguments, bytesAt, isWord } from '../protocol/request.ts'
import { numberAt } from './arguments.ts'
import type { Caller } from './caller.ts'
import { CommandError, SYNTAX } from './errors.ts'

interface Options {
  length: boolean
  matches: boolean
  withLengths: boolean
  /** Shorter matches are left out. */
  shortest: number
}

/** Bytes that both have one after the other: from and to, both included, in each. */
interface Match {
  readonly a: readonly [from: number, to: number]
  readonly b: readonly [from: number, to: number]
  readonly length: number
}

const NOTHING = new Uint8Array(0)
const CELL_BYTES = 4

export const lcs = ({ keys, out }: Caller, request: Arguments): void => {
  const [a, b] = [1, 2].map(index => {
    const value = keys.get(bytesAt(request, index))
    keys.lookedFor(value !== undefined, bytesAt(request, index))
    return value ?? NOTHING
  }) as [Uint8Array, Uint8Array]
  const options = optionsOf(request)
  if ((a.length + 1) * (b.length + 1) * CELL_BYTES > keys.maxValueBytes)
    throw new CommandError('ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len')
  const table = lengths(a, b)
  const length = table[table.length - 1]!
  if (options.matches) {
    const matches = matchesIn(table, a, b).filter(match => match.length >= options.shortest)
    out.map(2)
    out.text('matches')
    out.array(matches.length)
    for (const match of matches) {
      out.array(options.withLengths ? 3 : 2)
      for (const [from, to] of [match.a, match.b]) {
        out.array(2)
        out.integer(from)
        out.integer(to)
      }
      if (options.withLengths) out.integer(match.length)
    }
    out.text('len')
    out.integer(length)
  } else if (options.length) out.integer(length)
  else out.bulk(common(table, a, b, length))
}

const optionsOf = (request: Arguments): Options => {
  const options: Options = { length: false, matches: false, withLengths: false, shortest: 0 }
  for (let i = 3; i < request.count; i++) {
    if (isWord(request, i, 'idx')) options.matches = true
    else if (isWord(request, i, 'len')) options.length = true
    else if (isWord(request, i, 'withmatchlen')) options.withLengths = true
    else if (isWord(request, i, 'minmatchlen') && i + 1 < request.count) options.shortest = numberAt(request, ++i)
    else throw new CommandError(SYNTAX)
  }
  if (options.length && options.matches)
    throw new CommandError('ERR If you want both the length and indexes, please just use IDX.')
  return options
}

/** At i * (length of b + 1) + j: the length for the first i bytes of `a` and the first j of `b`. */
const lengths = (a: Uint8Array, b: Uint8Array): Uint32Array => {
  const width = b.length + 1
  const table = new Uint32Array((a.length + 1) * width)
  for (let i = 1; i <= a.length; i++) {
    const row = i * width
    for (let j = 1; j <= b.length; j++) {
      const at = row + j
      if (a[i - 1] === b[j - 1]) table[at] = table[at - width - 1]! + 1
      else table[at] = Math.max(table[at - width]!, table[at - 1]!)
    }
  }
  return table
}

/** Goes through the table from its end; `visit` gets each pair of equal bytes that is part of the subsequence. */
const walk = (table: Uint32Array, a: Uint8Array, b: Uint8Array, visit: (i: number, j: number) => void): void => {
  const width = b.length + 1
  let i = a.length
  let j = b.length
  while (i > 0 && j > 0) {
    if (a[i - 1] === b[j - 1]) visit(--i, --j)
    else if (table[(i - 1) * width + j]! > table[i * width + j - 1]!) i--
    else j--
  }
}

const common = (table: Uint32Array, a: Uint8Array, b: Uint8Array, length: number): Uint8Array => {
  const found = new Uint8Array(length)
  let at = length
  walk(table, a, b, i => {
    found[--at] = a[i]!
  })
  return found
}

/** The last first. */
const matchesIn = (table: Uint32Array, a: Uint8Array, b: Uint8Array): Match[] => {
  const matches: Match[] = []
  let last: [number, number] | undefined
  let first: [number, number] = [0, 0]
  const end = (): void => {
    if (last === undefined) return
    const length = last[0] - first[0] + 1
    matches.push({ a: [first[0], last[0]], b: [first[1], last[1]], length })
  }
  walk(table, a, b, (i, j) => {
    if (last !== undefined && first[0] === i + 1 && first[1] === j + 1) first = [i, j]
    else {
      end()
      last = [i, j]
      first = [i, j]
    }
  })
  end()
  return matches
}
