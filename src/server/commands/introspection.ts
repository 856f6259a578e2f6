/** COMMAND: what the entries of the families say, as Redis 7 tells it. */

import { matches } from '../protocol/glob.ts'
import type { ReplyWriter } from '../protocol/reply.ts'
import { type Arguments, behind, bytesAt, isWord, textAt } from '../protocol/request.ts'
import type { Caller } from './caller.ts'
import { type Command, type Family, family } from './command.ts'
import { document } from './documentation.ts'
import { CommandError, SYNTAX } from './errors.ts'
import type { Facts } from './facts.ts'
import { type KeySpec, keyFlags, keyPositions, legacyRange } from './key-specs.ts'

/** A command or a subcommand, by its whole name. */
interface Described {
  readonly name: string
  readonly facts: Facts
  readonly within: readonly Described[]
}

const described = (command: Command): Described => ({
  name: command.name,
  facts: command,
  within: command.within.map(([name, facts]) => ({ name, facts, within: [] })),
})

const describe = (out: ReplyWriter, { name, facts, within }: Described): void => {
  out.array(10)
  out.text(name)
  out.integer(facts.arity)
  writeWords(out, facts.flags)
  for (const position of legacyRange(facts.keys).range) out.integer(position)
  writeWords(out, facts.categories)
  out.set(facts.tips.length)
  for (const tip of facts.tips) out.text(tip)
  out.set(facts.keys.length)
  for (const spec of facts.keys) describeKeys(out, spec)
  // As Redis has it: a set if there are none.
  if (within.length === 0) out.set(0)
  else out.array(within.length)
  for (const each of within) describe(out, each)
}

const writeWords = (out: ReplyWriter, words: readonly string[]): void => {
  out.set(words.length)
  for (const word of words) out.simple(word)
}

const describeKeys = (out: ReplyWriter, { first, last, step, flags, notes }: KeySpec): void => {
  out.map(notes === undefined ? 3 : 4)
  if (notes !== undefined) {
    out.text('notes')
    out.text(notes)
  }
  out.text('flags')
  writeWords(out, flags)
  describeStep(out, 'begin_search', 'index', { index: first })
  if (last === 'counted') describeStep(out, 'find_keys', 'keynum', { keynumidx: 0, firstkey: 1, keystep: step })
  else describeStep(out, 'find_keys', 'range', { lastkey: last < 0 ? last : last - first, keystep: step, limit: 0 })
}

const describeStep = (out: ReplyWriter, name: string, type: string, spec: Readonly<Record<string, number>>): void => {
  out.text(name)
  out.map(2)
  out.text('type')
  out.text(type)
  out.text('spec')
  const entries = Object.entries(spec)
  out.map(entries.length)
  for (const [field, value] of entries) {
    out.text(field)
    out.integer(value)
  }
}

/** COMMAND GETKEYS and GETKEYSANDFLAGS of a request that stands behind the first two words. */
const listKeys = (out: ReplyWriter, found: Described | undefined, asked: Arguments, withFlags: boolean): void => {
  if (found === undefined) throw new CommandError('ERR Invalid command specified')
  const { arity, keys, flags, keyFlags: flagsFor } = found.facts
  if (keys.length === 0) throw new CommandError('ERR The command has no key arguments')
  if (arity > 0 ? asked.count !== arity : asked.count < -arity)
    throw new CommandError('ERR Invalid number of arguments specified for command')
  const positions = keyPositions(keys, asked) ?? []
  if (positions.length === 0 && !flags.includes('no_mandatory_keys'))
    throw new CommandError('ERR Invalid arguments specified for command')
  const given = flagsFor === undefined ? undefined : keyFlags(flagsFor(asked))
  out.array(positions.length)
  for (const position of positions) {
    if (withFlags) out.array(2)
    out.bulk(bytesAt(asked, position.index))
    if (withFlags) writeWords(out, given ?? position.flags)
  }
}

/** The filter of COMMAND LIST; no command is a module's. */
const filterOf = (request: Arguments): ((each: Described) => boolean) => {
  if (request.count === 2) return () => true
  if (request.count !== 5 || !isWord(request, 2, 'filterby')) throw new CommandError(SYNTAX)
  const wanted = textAt(request, 4)
  if (isWord(request, 3, 'module')) return () => false
  if (isWord(request, 3, 'aclcat')) return ({ facts }) => facts.categories.includes(`@${wanted.toLowerCase()}`)
  if (!isWord(request, 3, 'pattern')) throw new CommandError(SYNTAX)
  const pattern = Buffer.from(wanted.toLowerCase(), 'latin1')
  return ({ name }) => matches(pattern, Buffer.from(name))
}

/** The commands that tell of all commands, themselves included. */
export const introspection = (all: () => ReadonlyMap<string, Command>): Family => {
  const everything = (): Described[] => [...all().values()].map(described)
  /** By its name, which may be that of a subcommand (`client|list`). */
  const find = (name: string): Described | undefined => {
    const [first, second, third] = name.toLowerCase().split('|')
    const command = all().get(first!)
    if (command === undefined || third !== undefined) return undefined
    const found = described(command)
    return second === undefined ? found : found.within.find(each => each.name === `${first}|${second}`)
  }
  /** The command of a request that stands behind the first two words. */
  const commandOf = (asked: Arguments): Described | undefined => {
    const found = find(textAt(asked, 0))
    if (found === undefined || found.within.length === 0 || asked.count === 1) return found
    return find(`${found.name}|${textAt(asked, 1)}`)
  }
  const describeAll = ({ out }: Caller): void => {
    const found = everything()
    out.array(found.length)
    for (const each of found) describe(out, each)
  }
  const named = (request: Arguments): (Described | undefined)[] => {
    const found: (Described | undefined)[] = []
    for (let i = 2; i < request.count; i++) found.push(find(textAt(request, i)))
    return found
  }
  const keysOf =
    (withFlags: boolean) =>
    ({ out }: Caller, request: Arguments): void => {
      const asked = behind(request, 2)
      listKeys(out, commandOf(asked), asked, withFlags)
    }
  return family(
    { group: 'server', afterBegin: 'apart' },
    {
      command: {
        arity: -1,
        flags: 'loading stale',
        categories: '@slow @connection',
        tips: 'nondeterministic_output_order',
        since: '2.8.13',
        complexity: 'O(N) where N is the total number of Redis commands',
        summary: 'Get array of Redis command details',
        run: describeAll,
        within: '@connection',
        subcommands: {
          count: [
            2,
            ({ out }) => out.integer(all().size),
            { flags: 'loading stale', since: '2.8.13', summary: 'Get total number of Redis commands' },
          ],
          info: [
            -2,
            (caller, request) => {
              if (request.count === 2) {
                describeAll(caller)
                return
              }
              const { out } = caller
              const found = named(request)
              out.array(found.length)
              for (const each of found) {
                if (each === undefined) out.null()
                else describe(out, each)
              }
            },
            {
              flags: 'loading stale',
              tips: 'nondeterministic_output_order',
              since: '2.8.13',
              complexity: 'O(N) where N is the number of commands to look up',
              summary: 'Get array of specific Redis command details, or all when no argument is given.',
            },
          ],
          docs: [
            -2,
            ({ out }, request) => {
              const found = request.count === 2 ? everything() : named(request).filter(each => each !== undefined)
              out.map(found.length)
              for (const each of found) document(out, each)
            },
            {
              flags: 'loading stale',
              tips: 'nondeterministic_output_order',
              since: '7.0.0',
              complexity: 'O(N) where N is the number of commands to look up',
              summary: 'Get array of specific Redis command documentation',
            },
          ],
          list: [
            -2,
            ({ out }, request) => {
              const names = everything()
                .flatMap(each => [each, ...each.within])
                .filter(filterOf(request))
                .map(({ name }) => name)
              out.array(names.length)
              for (const name of names) out.text(name)
            },
            {
              flags: 'loading stale',
              tips: 'nondeterministic_output_order',
              since: '7.0.0',
              complexity: 'O(N) where N is the total number of Redis commands',
              summary: 'Get an array of Redis command names',
            },
          ],
          getkeys: [
            -4,
            keysOf(false),
            {
              flags: 'loading stale',
              since: '2.8.13',
              complexity: 'O(N) where N is the number of arguments to the command',
              summary: 'Extract keys given a full Redis command',
            },
          ],
          getkeysandflags: [
            -4,
            keysOf(true),
            {
              flags: 'loading stale',
              since: '7.0.0',
              complexity: 'O(N) where N is the number of arguments to the command',
              summary: 'Extract keys and access flags given a full Redis command',
            },
          ],
        },
      },
    },
  )
}
