/** What the server has to know of a command to count, time and show it. */
import { type Arguments, isWord, textAt } from '../protocol/request.ts'
import type { Traits } from '../service/traits.ts'
import type { Facts } from './facts.ts'

let made = 0

export const traitsOf = (name: string, { flags, complexity }: Facts, isSecret: Traits['isSecret']): Traits => ({
  index: made++,
  name,
  isFast: flags.includes('fast'),
  isQuick: flags.includes('fast') || (isOnRecords(flags) && complexity.startsWith('O(1)')),
  skipsSlowLog: flags.includes('skip_slowlog'),
  skipsMonitor: flags.includes('skip_monitor') || flags.includes('admin'),
  isSecret,
})

const isOnRecords = (flags: readonly string[]): boolean => flags.includes('readonly') || flags.includes('write')

interface Traited {
  readonly traits: Traits
  /** Those of its subcommands. */
  readonly traitsWithin: ReadonlyMap<string, Traits> | undefined
  /** How many times IN stands before it. */
  readonly depth: number
}

/** Of the subcommand that the request names; undefined if there is none of this name. */
export const knownTraits = ({ traits, traitsWithin, depth }: Traited, request: Arguments): Traits | undefined => {
  const at = 2 * depth + 1
  if (traitsWithin === undefined || at >= request.count) return traits
  return traitsWithin.get(textAt(request, at).toLowerCase())
}

/** The same of a request that was executed. */
export const traitsFor = (command: Traited, request: Arguments): Traits =>
  command.traitsWithin === undefined ? command.traits : (knownTraits(command, request) ?? command.traits)

/** AUTH: all that follows. */
export const isPassword = (_: Arguments, index: number): boolean => index > 0

/** HELLO: user and password behind AUTH. */
export const isHelloPassword = (request: Arguments, index: number): boolean =>
  (index > 2 && isWord(request, index - 1, 'auth')) || (index > 3 && isWord(request, index - 2, 'auth'))
