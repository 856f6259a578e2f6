/** What is wrong with a request, whoever sends it. */
import type { Command } from '../commands/command.ts'
import { wrongArity } from '../commands/errors.ts'
import { checkSubcommand } from '../commands/subcommands.ts'
import { type Arguments, isWord, shownAt } from '../protocol/request.ts'

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
