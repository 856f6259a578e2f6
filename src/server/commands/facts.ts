/** The facts of commands and subcommands: what COMMAND tells of them, in the order and the words of Redis 7. */
import type { Arguments } from '../protocol/request.ts'
import { type KeySpec, type KeySpecText, keySpec, legacyRange } from './key-specs.ts'

/** What COMMAND tells of a command, as Redis 7 does. */
export interface Facts {
  /** Number of arguments with the name; negative: at least so many. */
  readonly arity: number
  /** Where keys stand in a request, and what becomes of them. */
  readonly keys: readonly KeySpec[]
  /** Where one of these has `variable_flags`: what a request does to its keys. */
  readonly keyFlags: ((request: Arguments) => string) | undefined
  readonly flags: readonly string[]
  readonly categories: readonly string[]
  /** For clients of several servers. */
  readonly tips: readonly string[]
  /** The group of its documentation. */
  readonly group: string
  /** The version of Redis that had it first, or of xenondb for what Redis lacks. */
  readonly since: string
  /** Empty if Redis tells none. */
  readonly complexity: string
  readonly summary: string
}

/** Words with spaces between, and keys as `key-specs.ts` has them: one text, or one for each specification. */
export interface FactTexts {
  /** `no_auth` and `no_multi` mean here what they say. */
  readonly flags: string
  readonly categories: string
  readonly keys?: KeySpecText | readonly KeySpecText[]
  readonly keyFlags?: (request: Arguments) => string
  readonly tips?: string
}

/** What the entry of a subcommand says besides its arity and what it does. */
export interface SubcommandFacts extends Partial<Omit<FactTexts, 'categories'>> {
  readonly since: string
  readonly summary: string
  /** O(1) if it is not said. */
  readonly complexity?: string
}

/** What an entry says, as COMMAND tells it. */
export const factsOf = (
  texts: Partial<FactTexts> & Pick<Facts, 'arity' | 'group' | 'since' | 'complexity' | 'summary'>,
): Facts => {
  const { arity, group, since, complexity, summary } = texts
  const keys = keySpecs(texts.keys)
  const flags = flagsOf(texts.flags ?? '', keys)
  const categories = categoriesOf(texts.categories ?? '', flags)
  const { keyFlags } = texts
  return { arity, keys, keyFlags, flags, categories, tips: words(texts.tips), group, since, complexity, summary }
}

const keySpecs = (keys: FactTexts['keys'] = []): readonly KeySpec[] =>
  typeof keys === 'string' ? [keySpec(keys)] : keys.map(keySpec)

const FLAGS = [
  'write', 'readonly', 'denyoom', 'module', 'admin', 'pubsub', 'noscript', 'blocking', 'loading', 'stale',
  'skip_monitor', 'skip_slowlog', 'asking', 'fast', 'no_auth', 'no_mandatory_keys', 'no_async_loading', 'no_multi',
  'movablekeys', 'allow_busy',
] // biome-ignore format: a list

const CATEGORIES = [
  '@keyspace', '@read', '@write', '@set', '@sortedset', '@list', '@hash', '@string', '@bitmap', '@hyperloglog', '@geo',
  '@stream', '@pubsub', '@admin', '@fast', '@slow', '@blocking', '@dangerous', '@connection', '@transaction',
  '@scripting',
] // biome-ignore format: a list

const words = (text: string = ''): readonly string[] => text.split(' ').filter(word => word !== '')

const flagsOf = (text: string, keys: readonly KeySpec[]): readonly string[] => {
  const given = words(text)
  return FLAGS.filter(flag => given.includes(flag) || (flag === 'movablekeys' && legacyRange(keys).movable))
}

/** Those that are given, and those that follow from the flags. */
const categoriesOf = (text: string, flags: readonly string[]): readonly string[] => {
  const found = new Set(words(text))
  const has = (flag: string): boolean => flags.includes(flag)
  if (has('write')) found.add('@write')
  if (has('readonly') && !found.has('@scripting')) found.add('@read')
  if (has('admin')) found.add('@admin').add('@dangerous')
  if (has('pubsub')) found.add('@pubsub')
  if (has('blocking')) found.add('@blocking')
  found.add(has('fast') ? '@fast' : '@slow')
  return CATEGORIES.filter(category => found.has(category))
}
