/** A command: what clients are told about it, when it may run, and what it does. */
import type { Arguments } from '../protocol/request.ts'
import type { Traits } from '../service/traits.ts'
import type { Caller, Handler } from './caller.ts'
import { type Facts, type FactTexts, factsOf, type SubcommandFacts } from './facts.ts'
import { runSubcommand, type Subcommands } from './subcommands.ts'
import { traitsOf } from './traits.ts'

/** When it may run. */
interface Times {
  /** After MULTI: waits for EXEC, runs at once, or is refused. */
  readonly afterMulti: 'queued' | 'runs' | 'refused'
  /** After BEGIN: part of the transaction, apart from it, refused, or its end. */
  readonly afterBegin: 'inside' | 'apart' | 'refused' | 'ends'
  /** Runs in RESP2 even where messages or changes come. */
  readonly whileSubscribed: boolean
  /** May stand behind IN: it works on records. */
  readonly afterIn: boolean
}

export interface Command extends Facts, Times {
  readonly name: string
  /** For clients that have not authenticated too. */
  readonly strangers: boolean
  /** Of CLIENT and others like it: what their second words may be. */
  readonly subcommands: Subcommands | undefined
  /** The facts of these, HELP included, by their whole names (`client|list`). */
  readonly within: readonly (readonly [name: string, facts: Facts])[]
  /** How it is counted, timed and shown; `traitsWithin`: its subcommands. */
  readonly traits: Traits
  readonly traitsWithin: ReadonlyMap<string, Traits> | undefined
  /** How many times IN stands before it in a request. */
  readonly depth: number
  readonly run: Handler
}

/**
 * What the file of a family says about a command. What an entry leaves out: there are no keys, the group is the
 * family's, the command is queued after MULTI, after BEGIN it is what the family's default says, or else part of the
 * transaction. It may not stand behind IN unless it or its family says so.
 */
export type Entry = FactTexts &
  Partial<Pick<Traits, 'isSecret'>> &
  Pick<Facts, 'arity' | 'since' | 'complexity' | 'summary'> &
  Partial<Pick<Facts, 'group'> & Times> &
  (
    | { readonly subcommands?: never; readonly run: Handler }
    // `run` is for the command without a second word.
    | {
        readonly subcommands: Subcommands
        /** The categories of all its subcommands. */
        readonly within?: string
        readonly run?: Handler
      }
  )

/** Commands that belong together, in the order in which COMMAND lists them. */
export type Family = readonly Command[]

/** The commands of a family by name; what an entry does not say, `defaults` says. */
export const family = (
  defaults: Pick<Facts, 'group'> & Partial<Pick<Times, 'afterBegin' | 'afterIn'>>,
  entries: Readonly<Record<string, Entry>>,
): Family =>
  Object.entries(entries).map(([name, entry]) => {
    const group = entry.group ?? defaults.group
    const facts = factsOf({ ...entry, group })
    const within = factsWithin(name, entry, group)
    return {
      ...facts,
      name,
      strangers: facts.flags.includes('no_auth'),
      afterMulti: entry.afterMulti ?? (facts.flags.includes('no_multi') ? 'refused' : 'queued'),
      afterBegin: entry.afterBegin ?? defaults.afterBegin ?? 'inside',
      whileSubscribed: entry.whileSubscribed ?? false,
      afterIn: entry.afterIn ?? defaults.afterIn ?? false,
      depth: 0,
      subcommands: entry.subcommands,
      within,
      traits: traitsOf(name, facts, entry.isSecret),
      traitsWithin: entry.subcommands && traitsWithin(within),
      run: runOf(name, entry),
    }
  })

const runOf = (name: string, { subcommands, run }: Entry): Handler => {
  if (subcommands === undefined) return run!
  return (caller: Caller, request: Arguments): void => {
    if (run !== undefined && request.count === 1) run(caller, request)
    else runSubcommand(name, subcommands, caller, request)
  }
}

const factsWithin = (name: string, entry: Entry, group: string): Command['within'] => {
  const { subcommands, since } = entry
  if (subcommands === undefined) return []
  const help: SubcommandFacts = { flags: 'loading stale', since, summary: 'Show the names of the subcommands' }
  const all: Subcommands = { ...subcommands, help: [2, () => {}, help] }
  return Object.entries(all).map(([word, [arity, , facts = UNTOLD]]) => [
    `${name}|${word}`,
    factsOf({ complexity: 'O(1)', ...facts, arity, group, categories: entry.within ?? '' }),
  ])
}

const traitsWithin = (within: Command['within']): ReadonlyMap<string, Traits> =>
  new Map(within.map(([name, facts]) => [name.split('|')[1]!, traitsOf(name, facts, undefined)]))

/** Of a subcommand that says nothing of itself. */
const UNTOLD: SubcommandFacts = { since: '1.0.0', summary: '' }
