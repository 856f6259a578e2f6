/** Where the keys of a command stand in a request, and what it does to them: the key specifications of Redis 7. */

import { parseInteger } from '../protocol/numbers.ts'
import { type Arguments, textAt } from '../protocol/request.ts'

/**
 * `1`, `1..2`, `1..-1` (up to the last argument) or `1..-1/2` (every second one) says where the keys stand. `2#` says
 * where their number stands: they follow it. Behind it come the flags, and in parentheses notes.
 */
export type KeySpecText = string

export interface KeySpec {
  readonly first: number
  /** If below 0 it counts from the end; `counted`: the argument `first` is their number. */
  readonly last: number | 'counted'
  readonly step: number
  readonly flags: readonly string[]
  readonly notes: string | undefined
}

export interface KeyPosition {
  readonly index: number
  readonly flags: readonly string[]
}

const FORM = /^(\d+)(?:\.\.(-?\d+))?(?:\/(\d+))?(#?)((?: [a-zA-Z_]+)+)(?: \((.*)\))?$/

/** The order in which Redis tells them. */
const FLAGS = [
  'RO', 'RW', 'OW', 'RM', 'access', 'update', 'insert', 'delete', 'not_key', 'incomplete', 'variable_flags',
] // biome-ignore format: a list

export const keySpec = (text: KeySpecText): KeySpec => {
  const [, first, last, step, counted, flags, notes] = FORM.exec(text)!
  return {
    first: Number(first),
    last: counted === '#' ? 'counted' : Number(last ?? first),
    step: Number(step ?? 1),
    flags: keyFlags(flags!),
    notes,
  }
}

/** Words as Redis orders them. */
export const keyFlags = (words: string): readonly string[] => {
  const given = words.split(' ')
  return FLAGS.filter(flag => given.includes(flag))
}

/**
 * The first key, the last one (if below 0, from the end) and the step between them, as clients are told that know no
 * specifications; and whether they cannot be told so.
 */
export const legacyRange = (
  specs: readonly KeySpec[],
): { range: readonly [first: number, last: number, step: number]; movable: boolean } => {
  if (specs.length === 0) return { range: [0, 0, 0], movable: false }
  const [only] = specs
  if (specs.length === 1 && only!.last !== 'counted')
    return { range: [only!.first, only!.last, only!.step], movable: only!.flags.includes('incomplete') }
  let first = 0
  let end = 0
  let movable = false
  for (const spec of specs) {
    if (spec.last === 'counted' || spec.step !== 1 || (end !== 0 && end !== spec.first - 1)) {
      movable = true
      continue
    }
    if (spec.flags.includes('incomplete')) movable = true
    if (first === 0) first = spec.first
    end = spec.last
  }
  return first === 0 ? { range: [0, 0, 0], movable: true } : { range: [first, end, 1], movable }
}

/**
 * The keys of a request whose command stands behind `before` arguments; undefined if they are not where they should.
 * `withChannels`: also what counts as a key in a cluster alone, the channels of shards.
 */
export const keyPositions = (
  specs: readonly KeySpec[],
  request: Arguments,
  before: number = 0,
  withChannels: boolean = false,
): KeyPosition[] | undefined => {
  const found: KeyPosition[] = []
  for (const { first, last, step, flags } of specs) {
    if (!withChannels && flags.includes('not_key')) continue
    const from = before + first
    const range = last === 'counted' ? countedAt(request, from) : rangeOf(request, from, last, before)
    if (range === undefined || range.from >= request.count || range.to >= request.count || range.to < range.from)
      return undefined
    for (let index = range.from; index <= range.to; index += step) found.push({ index, flags })
    if (flags.includes('incomplete')) return undefined
  }
  return found
}

interface Places {
  readonly from: number
  readonly to: number
}

const rangeOf = (request: Arguments, from: number, last: number, before: number): Places => ({
  from,
  to: last < 0 ? request.count + last : before + last,
})

const countedAt = (request: Arguments, at: number): Places | undefined => {
  const count = at < request.count ? parseInteger(textAt(request, at)) : undefined
  return count === undefined || count < 0n ? undefined : { from: at + 1, to: at + Number(count) }
}
