/** A command: what clients are told about it, when it may run, and what it does. */
import type { Arguments } from '../protocol/request.ts'
import type { Caller, Handler } from './caller.ts'
import { runSubcommand, type Subcommands } from './subcommands.ts'

/** What COMMAND tells of a command, as Redis 7 does, and when it may run. */
interface Facts {
  /** Number of arguments with the name; negative: at least so many. */
  readonly arity: number
  /** Where keys stand in a request: the first, the last (negative: from the end), and the step between them. */
  readonly keys: readonly [first: number, last: number, step: number]
  /** The group of its documentation. */
  readonly group: string
  /** The version of Redis that had it first, or of xenondb for what Redis lacks. */
  readonly since: string
  readonly complexity: string
  readonly summary: string
  /** After MULTI: waits for EXEC, runs at once, or is refused. */
  readonly afterMulti: 'queued' | 'runs' | 'refused'
  /** After BEGIN: part of the transaction, apart from it, refused, or its end. */
  readonly afterBegin: 'inside' | 'apart' | 'refused' | 'ends'
  /** Runs after WATCHRANGE in RESP2, too. */
  readonly afterWatchRange: boolean
  /** May stand behind IN: it works on records. */
  readonly afterIn: boolean
}

export interface Command extends Facts {
  readonly name: string
  readonly flags: readonly string[]
  readonly categories: readonly string[]
  /** For clients that have not authenticated too. */
  readonly strangers: boolean
  /** Of CLIENT and others like it: what their second words may be. */
  readonly subcommands: Subcommands | undefined
  /** How many times IN stands before it in a request. */
  readonly depth: number
  readonly run: Handler
}

type Optional = 'keys' | 'group' | 'afterMulti' | 'afterBegin' | 'afterWatchRange' | 'afterIn'

/**
 * What the file of a family says about a command. What an entry leaves out: there are no keys, the group is the
 * family's, the command is queued after MULTI, after BEGIN it is what the family's default says, or else part of the
 * transaction. It may not stand behind IN unless it or its family says so.
 */
export type Entry = Omit<Facts, Optional> &
  Partial<Pick<Facts, Optional>> & {
    /** Words with spaces between; `no_auth` and `no_multi` mean here what they say. */
    readonly flags: string
    readonly categories: string
  } & (
    | { readonly subcommands?: never; readonly run: Handler }
    // `run` is for the command without a second word.
    | { readonly subcommands: Subcommands; readonly run?: Handler }
  )

/** Commands that belong together, in the order in which COMMAND lists them. */
export type Family = readonly Command[]

/** The commands of a family by name; what an entry does not say, `defaults` says. */
export const family = (
  defaults: Pick<Facts, 'group'> & Partial<Pick<Facts, 'afterBegin' | 'afterIn'>>,
  entries: Readonly<Record<string, Entry>>,
): Family =>
  Object.entries(entries).map(([name, entry]) => {
    const flags = words(entry.flags)
    return {
      name,
      arity: entry.arity,
      keys: entry.keys ?? [0, 0, 0],
      flags,
      categories: words(entry.categories),
      group: entry.group ?? defaults.group,
      since: entry.since,
      complexity: entry.complexity,
      summary: entry.summary,
      strangers: flags.includes('no_auth'),
      afterMulti: entry.afterMulti ?? (flags.includes('no_multi') ? 'refused' : 'queued'),
      afterBegin: entry.afterBegin ?? defaults.afterBegin ?? 'inside',
      afterWatchRange: entry.afterWatchRange ?? false,
      afterIn: entry.afterIn ?? defaults.afterIn ?? false,
      depth: 0,
      subcommands: entry.subcommands,
      run: runOf(name, entry),
    }
  })

const words = (text: string): readonly string[] => text.split(' ').filter(word => word !== '')

const runOf = (name: string, { subcommands, run }: Entry): Handler => {
  if (subcommands === undefined) return run
  return (caller: Caller, request: Arguments): void => {
    if (run !== undefined && request.count === 1) run(caller, request)
    else runSubcommand(name, subcommands, caller, request)
  }
}
