/** SAVE, SHUTDOWN, TIME, DEBUG, LOLWUT. */
import { nextTurn, performance } from '../../runtime/timers.ts'
import { isWord } from '../protocol/request.ts'
import type { Caller, Handler } from './caller.ts'
import { type Family, family } from './command.ts'
import { CommandError, SYNTAX } from './errors.ts'
import { VERSION } from './info.ts'
import { answerLater } from './later.ts'

/** Brings the data file up to date with the log. Everything answered so far is durable already. */
const checkpoint = async ({ server }: Caller): Promise<void> => {
  const { changes } = server.counts
  await server.db.checkpoint()
  server.counts.saved = changes
  server.lastSave = Math.floor(Date.now() / 1000)
}

const bgsave: Handler = (caller, request) => {
  if (request.count > 2 || (request.count === 2 && !isWord(request, 1, 'schedule'))) throw new CommandError(SYNTAX)
  nextTurn(() => {
    checkpoint(caller).catch(error => caller.server.log.error('checkpoint failed', { error: String(error) }))
  })
  caller.out.simple('Background saving started')
}

const SHUTDOWN_WORDS = ['save', 'nosave', 'now', 'force']

const shutdown: Handler = (caller, request) => {
  if (request.count === 2 && isWord(request, 1, 'abort')) throw new CommandError('ERR No shutdown in progress.')
  for (let i = 1; i < request.count; i++)
    if (!SHUTDOWN_WORDS.some(word => isWord(request, i, word))) throw new CommandError(SYNTAX)
  const given = (word: string): boolean =>
    Array.from({ length: request.count }).some((_, i) => isWord(request, i, word))
  if (given('abort') || (given('save') && given('nosave'))) throw new CommandError(SYNTAX)
  if (caller.server.isAside)
    throw new CommandError('ERR the program that has the database open ends this server when it closes the database')
  caller.server.log.info('shutdown', { client: caller.id })
  caller.endSoon()
  nextTurn(() => void caller.server.close())
}

export const admin: Family = family(
  { group: 'server', afterBegin: 'apart' },
  {
    save: {
      arity: 1,
      flags: 'admin noscript no_async_loading no_multi',
      categories: '@admin @slow @dangerous',
      since: '1.0.0',
      complexity: 'O(N) where N is the total number of keys in all databases',
      summary: 'Synchronously save the dataset to disk',
      run: caller =>
        answerLater(caller, async () => {
          await checkpoint(caller)
          return out => out.ok()
        }),
    },
    bgsave: {
      arity: -1,
      flags: 'admin noscript no_async_loading',
      categories: '@admin @slow @dangerous',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Asynchronously save the dataset to disk',
      run: bgsave,
    },
    lastsave: {
      arity: 1,
      flags: 'loading stale fast',
      categories: '@admin @fast @dangerous',
      tips: 'nondeterministic_output',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Get the UNIX time stamp of the last successful save to disk',
      run: ({ out, server }) => out.integer(server.lastSave),
    },
    shutdown: {
      arity: -1,
      flags: 'admin noscript loading stale no_multi allow_busy',
      categories: '@admin @slow @dangerous',
      since: '1.0.0',
      complexity:
        'O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)',
      summary: 'Synchronously save the dataset to disk and then shut down the server',
      run: shutdown,
    },
    time: {
      arity: 1,
      flags: 'loading stale fast',
      categories: '@fast',
      tips: 'nondeterministic_output',
      since: '2.6.0',
      complexity: 'O(1)',
      summary: 'Return the current server time',
      run({ out }) {
        const now = Date.now()
        out.array(2)
        out.text(String(Math.floor(now / 1000)))
        out.text(String((now % 1000) * 1000 + Math.floor((performance.now() * 1000) % 1000)))
      },
    },
    debug: {
      arity: -2,
      flags: 'admin noscript loading stale',
      categories: '',
      since: '1.0.0',
      complexity: 'Depends on subcommand.',
      summary: 'A container for debugging commands',
      run() {
        throw new CommandError('ERR DEBUG command not allowed. This server has nothing that it could do.')
      },
    },
    lolwut: {
      arity: -1,
      flags: 'readonly fast',
      categories: '',
      since: '5.0.0',
      complexity: '',
      summary: 'Display some computer art and the Redis version',
      run: ({ out }) => out.verbatim(`Redis ver. ${VERSION}\n`),
    },
  },
)
