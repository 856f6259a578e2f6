/** COMMAND. */

import { type Arguments, textAt } from '../protocol/request.ts'
import type { Caller } from './caller.ts'
import { type Command, type Family, family } from './command.ts'

const describe = ({ out }: Caller, { name, arity, flags, keys, categories }: Command): void => {
  out.array(10)
  out.text(name)
  out.integer(arity)
  out.set(flags.length)
  for (const flag of flags) out.simple(flag)
  for (const position of keys) out.integer(position)
  out.set(categories.length)
  for (const category of categories) out.simple(category)
  // Tips, key specifications, subcommands.
  for (let i = 0; i < 3; i++) out.array(0)
}

const document = ({ out }: Caller, { name, summary, since, group, complexity }: Command): void => {
  out.text(name)
  const entries = Object.entries({ summary, since, group, complexity })
  out.map(entries.length)
  for (const [key, value] of entries) {
    out.text(key)
    out.text(value)
  }
}

/** The commands that tell of all commands, themselves included. */
export const introspection = (all: () => ReadonlyMap<string, Command>): Family => {
  const describeAll = (caller: Caller): void => {
    caller.out.array(all().size)
    for (const command of all().values()) describe(caller, command)
  }
  const asked = (request: Arguments): (Command | undefined)[] => {
    const found: (Command | undefined)[] = []
    for (let i = 2; i < request.count; i++) found.push(all().get(textAt(request, i).toLowerCase()))
    return found
  }
  return family(
    { group: 'server', afterBegin: 'apart' },
    {
      command: {
        arity: -1,
        flags: 'loading stale',
        categories: '@slow @connection',
        since: '2.8.13',
        complexity: 'O(N) where N is the total number of Redis commands',
        summary: 'Get array of Redis command details',
        run: describeAll,
        subcommands: {
          count: [2, ({ out }) => out.integer(all().size)],
          info: [
            -2,
            (caller, request) => {
              if (request.count === 2) {
                describeAll(caller)
                return
              }
              const found = asked(request)
              caller.out.array(found.length)
              for (const command of found) {
                if (command === undefined) caller.out.null()
                else describe(caller, command)
              }
            },
          ],
          docs: [
            -2,
            (caller, request) => {
              const found =
                request.count === 2 ? [...all().values()] : asked(request).filter(command => command !== undefined)
              caller.out.map(found.length)
              for (const command of found) document(caller, command)
            },
          ],
          list: [
            2,
            ({ out }) => {
              out.array(all().size)
              for (const name of all().keys()) out.text(name)
            },
          ],
        },
      },
    },
  )
}
