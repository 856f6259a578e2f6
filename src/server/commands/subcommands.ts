/** Commands such as CLIENT and CONFIG, whose second word says what to do. */

import { type Arguments, shownAt, textAt } from '../protocol/request.ts'
import type { Caller, Handler } from './caller.ts'
import { wrongArity } from './errors.ts'
import type { SubcommandFacts } from './facts.ts'

/** Number of arguments (as in the `arity` of a command), what to do, and what COMMAND tells of it. */
export type Subcommands = Readonly<Record<string, readonly [arity: number, run: Handler, facts?: SubcommandFacts]>>

/** Whether the second word is known and has the right number of arguments: what is wrong otherwise. */
export const checkSubcommand = (
  container: string,
  subcommands: Subcommands,
  request: Arguments,
): string | undefined => {
  if (request.count === 1) return undefined
  const asked = textAt(request, 1)
  const name = asked.toLowerCase()
  if (name === 'help') return request.count === 2 ? undefined : wrongArity(`${container}|help`)
  if (!Object.hasOwn(subcommands, name))
    return `ERR unknown subcommand '${shownAt(request, 1).slice(0, 128)}'. Try ${container.toUpperCase()} HELP.`
  const [arity] = subcommands[name]!
  const wrong = arity > 0 ? request.count !== arity : request.count < -arity
  return wrong ? wrongArity(`${container}|${name}`) : undefined
}

/** Runs what `checkSubcommand` has found right. */
export const runSubcommand = (
  container: string,
  subcommands: Subcommands,
  caller: Caller,
  request: Arguments,
): void => {
  const name = textAt(request, 1).toLowerCase()
  caller.lastCommand = `${container}|${name}`
  if (name === 'help') help(container, subcommands, caller)
  else subcommands[name]![1](caller, request)
}

const help = (container: string, subcommands: Subcommands, { out }: Caller): void => {
  const names = Object.keys(subcommands)
  out.array(names.length + 2)
  out.simple(`${container.toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`)
  for (const name of names) out.simple(name.toUpperCase())
  out.simple('HELP')
}
