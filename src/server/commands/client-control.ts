/** CLIENT REPLY, PAUSE, UNPAUSE, UNBLOCK, NO-TOUCH: what clients are sent, and when their commands run. */

import { type Arguments, isWord } from '../protocol/request.ts'
import { numberAt } from './arguments.ts'
import type { Caller } from './caller.ts'
import { CommandError, SYNTAX } from './errors.ts'
import { timeoutAt } from './replication.ts'
import type { Subcommands } from './subcommands.ts'

const reply = (caller: Caller, request: Arguments): void => {
  // The array of EXEC would have fewer elements than it says, as it has with Redis.
  if (!caller.mayBlock) throw new CommandError('ERR CLIENT REPLY is not allowed in transactions')
  if (isWord(request, 2, 'on')) {
    caller.replies('on')
    caller.out.ok()
  } else if (isWord(request, 2, 'off')) caller.replies('off')
  else if (isWord(request, 2, 'skip')) caller.replies('skip')
  else throw new CommandError(SYNTAX)
}

const pause = ({ out, server }: Caller, request: Arguments): void => {
  const isOfWrites = request.count > 3 && isWord(request, 3, 'write')
  if (request.count > 4)
    throw new CommandError("ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP.")
  if (request.count === 4 && !isOfWrites && !isWord(request, 3, 'all'))
    throw new CommandError('ERR CLIENT PAUSE mode must be WRITE or ALL')
  const timeout = timeoutAt(request, 2)
  // 0 ends at once.
  if (timeout !== Number.POSITIVE_INFINITY) server.pause.begin(isOfWrites ? 'writes' : 'all', Date.now() + timeout)
  out.ok()
}

const unblock = ({ out, server }: Caller, request: Arguments): void => {
  const isError = request.count > 3 && isWord(request, 3, 'error')
  if (request.count > 4)
    throw new CommandError("ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP.")
  if (request.count === 4 && !isError && !isWord(request, 3, 'timeout'))
    throw new CommandError('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR')
  const client = server.sessions.get(numberAt(request, 2))
  out.integer(client?.unblock(isError ? 'error' : 'timeout') ? 1 : 0)
}

export const control: Subcommands = {
  reply: [
    3,
    reply,
    { flags: 'noscript loading stale', since: '3.2.0', summary: 'Instruct the server whether to reply to commands' },
  ],
  pause: [
    -3,
    pause,
    {
      flags: 'admin noscript loading stale',
      since: '2.9.50',
      summary: 'Stop processing commands from clients for some time',
    },
  ],
  unpause: [
    2,
    ({ out, server }) => {
      server.pause.end()
      out.ok()
    },
    {
      flags: 'admin noscript loading stale',
      since: '6.2.0',
      complexity: 'O(N) Where N is the number of paused clients',
      summary: 'Resume processing of clients that were paused',
    },
  ],
  unblock: [
    -3,
    unblock,
    {
      flags: 'admin noscript loading stale',
      since: '5.0.0',
      complexity: 'O(log N) where N is the number of client connections',
      summary: 'Unblock a client blocked in a blocking command from a different connection',
    },
  ],
  // No time of access is kept.
  'no-touch': [
    3,
    ({ out }, request) => {
      if (!isWord(request, 2, 'on') && !isWord(request, 2, 'off')) throw new CommandError(SYNTAX)
      out.ok()
    },
    { flags: 'noscript loading stale', since: '7.2.0', summary: 'Accepted; no time of access is kept' },
  ],
}
