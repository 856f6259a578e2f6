/** What is wrong with a request, whoever sends it. */
import type { Command } from '../commands/command.ts'
import { CommandError, wrongArity } from '../commands/errors.ts'
import type { Host } from '../commands/host.ts'
import { checkSubcommand } from '../commands/subcommands.ts'
import { type Arguments, isWord, shownAt, textAt } from '../protocol/request.ts'

/** A number of arguments that the command does not take, or a second word that it does not know. */
export const problemOf = ({ name, arity, subcommands }: Command, request: Arguments): string | undefined => {
  const { count } = request
  if (arity > 0 ? count !== arity : count < -arity) return wrongArity(name)
  return subcommands === undefined ? undefined : checkSubcommand(name, subcommands, request)
}

/** A browser was led here by a page of somebody else: nothing of what it sends must be executed. */
export const isFromBrowser = (request: Arguments): boolean => isWord(request, 0, 'post') || isWord(request, 0, 'host:')

export const unknownCommand = (request: Arguments): string => {
  let args = ''
  for (let i = 1; i < request.count && args.length < 128; i++)
    args += `'${shownAt(request, i).slice(0, 128 - args.length)}' `
  return `ERR unknown command '${shownAt(request, 0).slice(0, 128)}', with args beginning with: ${args}`
}

/** As Redis has it, which lets SUBSCRIBE and PSUBSCRIBE pass in an EXEC. */
export const checkQueued = ({ name }: Command): void => {
  if (name === 'ssubscribe') throw new CommandError("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
}

/** Commands that may lead to changes, or tell others something, without `write` among their flags. */
const MAY_WRITE: ReadonlySet<string> = new Set(['publish', 'spublish', 'eval', 'evalsha', 'fcall', 'commit'])

/** CLIENT PAUSE WRITE is to hold it; `queue`: what EXEC runs. */
export const mayWrite = (
  command: Command,
  request: Arguments,
  queue: { readonly calls: readonly { readonly command: Command; readonly request: Arguments }[] } | undefined,
  scripts: Host['scripts'],
): boolean => {
  if (command.name === 'exec')
    return queue?.calls.some(call => mayWrite(call.command, call.request, undefined, scripts)) ?? false
  if (command.flags.includes('write')) return true
  return MAY_WRITE.has(command.name) && !(command.name.startsWith('eval') && onlyReads(command, request, scripts))
}

/** A script says so in its first line. */
const onlyReads = ({ name }: Command, request: Arguments, scripts: Host['scripts']): boolean => {
  const given = textAt(request, 1)
  try {
    const script = name === 'eval' ? scripts.of(given) : scripts.find(given.toLowerCase())
    return script?.flags?.includes('no-writes') ?? false
  } catch {
    // What is wrong with it, it is told when it runs.
    return false
  }
}

/** EXEC, and what runs inside of BEGIN, is taken back with its reply; another change has happened. */
export const tooLong = (limit: number, command: Command | undefined): string => {
  const done = command?.flags.includes('write') ? 'the command was executed' : 'nothing was changed'
  return `ERR the reply takes more than ${limit} bytes, so ${done}; ask for less at a time (SCAN, RANGE ... LIMIT)`
}

/** In RESP2 a reply could not be told from a message. */
export const refusedFor = ({ name, subcommands }: Command, request: Arguments): string => {
  const full = subcommands === undefined || request.count === 1 ? name : `${name}|${textAt(request, 1).toLowerCase()}`
  return `ERR Can't execute '${full}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`
}

/** With more arguments a command may take long, however quick it is with one. */
export const FEW_ARGUMENTS = 4
