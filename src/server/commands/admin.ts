/** INFO, MEMORY, SAVE, SHUTDOWN, TIME. */
import { nextTurn, performance } from '../../runtime/timers.ts'
import type { Session } from '../connection/session.ts'
import { type Arguments, bytesAt, isWord, textAt } from '../protocol/request.ts'
import { integerAt } from './arguments.ts'
import { CommandError, replyFor, SYNTAX } from './errors.ts'
import { infoText } from './info.ts'
import { runSubcommand, type Subcommands } from './subcommands.ts'
import type { Handler, Handlers } from './types.ts'

/** What a record takes in a block besides key and value: header and slot. */
const RECORD_BYTES = 12

const usage = ({ out, server }: Session, request: Arguments): void => {
  for (let i = 3; i < request.count; i += 2) {
    if (!isWord(request, i, 'samples') || i + 1 === request.count) throw new CommandError(SYNTAX)
    if (integerAt(request, i + 1) < 0n) throw new CommandError(SYNTAX)
  }
  const key = bytesAt(request, 2)
  const value = server.keys.get(key)
  if (value === undefined) out.null()
  else out.integer(key.length + value.length + RECORD_BYTES)
}

export const MEMORY_SUBCOMMANDS: Subcommands = { usage: [-3, usage] }

/** Brings the data file up to date with the log. Everything answered so far is durable already. */
const checkpoint = async ({ server }: Session): Promise<void> => {
  await server.db.checkpoint()
  server.lastSave = Math.floor(Date.now() / 1000)
}

const save: Handler = session => {
  session.later(async () => {
    try {
      await checkpoint(session)
      session.answer(out => out.ok())
    } catch (error) {
      session.answer(out => out.error(replyFor(error)))
    }
  })
}

const bgsave: Handler = (session, request) => {
  if (request.count > 2 || (request.count === 2 && !isWord(request, 1, 'schedule')))
    throw new CommandError(SYNTAX)
  nextTurn(() => {
    checkpoint(session).catch(error =>
      session.server.log.error('checkpoint failed', { error: String(error) }),
    )
  })
  session.out.simple('Background saving started')
}

const SHUTDOWN_WORDS = ['save', 'nosave', 'now', 'force']

const shutdown: Handler = (session, request) => {
  if (request.count === 2 && isWord(request, 1, 'abort'))
    throw new CommandError('ERR No shutdown in progress.')
  for (let i = 1; i < request.count; i++)
    if (!SHUTDOWN_WORDS.some(word => isWord(request, i, word))) throw new CommandError(SYNTAX)
  const given = (word: string): boolean =>
    Array.from({ length: request.count }).some((_, i) => isWord(request, i, word))
  if (given('abort') || (given('save') && given('nosave'))) throw new CommandError(SYNTAX)
  session.server.log.info('shutdown', { client: session.id })
  session.endSoon()
  nextTurn(() => void session.server.close())
}

export const admin: Handlers = {
  info: ({ out, server }, request) => {
    const sections: string[] = []
    for (let i = 1; i < request.count; i++) sections.push(textAt(request, i).toLowerCase())
    out.verbatim(infoText(server, sections))
  },
  memory: (session, request) => runSubcommand('memory', MEMORY_SUBCOMMANDS, session, request),
  save,
  bgsave,
  lastsave: ({ out, server }) => out.integer(server.lastSave),
  shutdown,
  time: ({ out }) => {
    const now = Date.now()
    out.array(2)
    out.text(String(Math.floor(now / 1000)))
    out.text(String((now % 1000) * 1000 + Math.floor((performance.now() * 1000) % 1000)))
  },
}
