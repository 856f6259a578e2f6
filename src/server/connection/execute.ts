/** Which command a request means, whether it may run now, and how: at once, queued by MULTI, or inside BEGIN. */

import { wrongArity } from '../commands/errors.ts'
import { type Command, findCommand } from '../commands/index.ts'
import { checkSubcommand } from '../commands/subcommands.ts'
import { discardQueue } from '../commands/transactions.ts'
import { type Arguments, argumentBytes, isWord, keep, shownAt } from '../protocol/request.ts'
import { call } from './calls.ts'
import type { Session } from './session.ts'

export const execute = (session: Session, request: Arguments): void => {
  const command = findCommand(request)
  session.server.commandsProcessed++
  if (command === undefined) {
    // A browser was led here by a page of somebody else: nothing of what it sends must be executed.
    if (isWord(request, 0, 'post') || isWord(request, 0, 'host:')) {
      session.destroy('HTTP')
      return
    }
    reject(session, unknownCommand(request))
    return
  }
  session.lastCommand = command.name
  const { count } = request
  if (command.arity > 0 ? count !== command.arity : count < -command.arity) {
    if (command.name === 'exec') abortExec(session)
    else reject(session, wrongArity(command.name))
    return
  }
  const { subcommands } = command
  const problem = subcommands === undefined ? undefined : checkSubcommand(command.name, subcommands, request)
  if (problem !== undefined) {
    reject(session, problem)
    return
  }
  if (!session.authenticated && !command.strangers) {
    reject(session, 'NOAUTH Authentication required.')
    return
  }
  if (session.queue !== undefined && !command.immediate) {
    enqueue(session, command, request)
    return
  }
  if (session.subscription !== undefined && !session.resp3 && !command.whileWatching) {
    session.out.error(
      `ERR Can't execute '${command.name}': only PING / QUIT / RESET are allowed after WATCHRANGE in RESP2`,
    )
    return
  }
  const { interactive } = session
  if (interactive !== undefined && command.inTransaction !== 'apart') {
    if (interactive.problem !== undefined && command.inTransaction !== 'end')
      session.out.error(`ABORTED the transaction was rolled back (${interactive.problem}); say ROLLBACK`)
    else if (command.inTransaction === 'no')
      session.out.error(`ERR ${command.name.toUpperCase()} is not allowed between BEGIN and COMMIT`)
    else if (command.inTransaction === 'end') call(session, command, request)
    else interactive.run(session, command, keep(request))
    return
  }
  call(session, command, request)
}

const reject = (session: Session, message: string): void => {
  if (session.queue !== undefined) session.queue.failed = true
  session.out.error(message)
}

const abortExec = (session: Session): void => {
  discardQueue(session)
  session.out.error(
    "EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command",
  )
}

const enqueue = (session: Session, command: Command, request: Arguments): void => {
  const { queue } = session
  if (queue === undefined) return
  if (command.notQueued) {
    reject(session, 'ERR Command not allowed inside a transaction')
    return
  }
  queue.bytes += argumentBytes(request) + 16 * request.count
  if (queue.bytes > session.server.settings.maxQueryBytes) {
    queue.calls = []
    reject(session, 'ERR the commands queued since MULTI are too large')
    return
  }
  if (!queue.failed) queue.calls.push({ command, request: keep(request) })
  session.out.simple('QUEUED')
}

const unknownCommand = (request: Arguments): string => {
  let args = ''
  for (let i = 1; i < request.count && args.length < 128; i++)
    args += `'${shownAt(request, i).slice(0, 128 - args.length)}' `
  return `ERR unknown command '${shownAt(request, 0).slice(0, 128)}', with args beginning with: ${args}`
}
