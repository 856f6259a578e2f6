/** Commands such as CLIENT and CONFIG, whose second word says what to do. */
import { CommandError, wrongArity } from '../errors.ts'
import { type Arguments, textAt } from '../request.ts'
import type { Session } from '../session.ts'
import type { Handler } from './types.ts'

/** Number of arguments (as in `Command.arity`), and what to do. */
export type Subcommands = Readonly<Record<string, readonly [number, Handler]>>

export const runSubcommand = (
  container: string,
  subcommands: Subcommands,
  session: Session,
  request: Arguments,
): void => {
  const asked = textAt(request, 1)
  const name = asked.toLowerCase()
  if (name === 'help' && request.count === 2) {
    help(container, subcommands, session)
    return
  }
  const found = Object.hasOwn(subcommands, name) ? subcommands[name] : undefined
  if (found === undefined)
    throw new CommandError(
      `ERR unknown subcommand '${asked.slice(0, 128)}'. Try ${container.toUpperCase()} HELP.`,
    )
  const [arity, run] = found
  if (arity > 0 ? request.count !== arity : request.count < -arity)
    throw new CommandError(wrongArity(`${container}|${name}`))
  run(session, request)
}

const help = (container: string, subcommands: Subcommands, { out }: Session): void => {
  const names = Object.keys(subcommands)
  out.array(names.length + 2)
  out.simple(`${container.toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`)
  for (const name of names) out.simple(name.toUpperCase())
  out.simple('HELP')
}
