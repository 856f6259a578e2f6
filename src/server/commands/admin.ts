/** MEMORY, SAVE, SHUTDOWN, TIME. */
import { nextTurn, performance } from '../../runtime/timers.ts'
import { type Arguments, bytesAt, isWord } from '../protocol/request.ts'
import { integerAt } from './arguments.ts'
import type { Caller, Handler } from './caller.ts'
import { type Family, family } from './command.ts'
import { CommandError, SYNTAX } from './errors.ts'
import { answerLater } from './later.ts'

/** What a record takes in a block besides key and value: header and slot. */
const RECORD_BYTES = 12

const usage = ({ out, keys }: Caller, request: Arguments): void => {
  for (let i = 3; i < request.count; i += 2) {
    if (!isWord(request, i, 'samples') || i + 1 === request.count) throw new CommandError(SYNTAX)
    if (integerAt(request, i + 1) < 0n) throw new CommandError(SYNTAX)
  }
  const key = bytesAt(request, 2)
  const value = keys.get(key)
  if (value === undefined) out.null()
  else out.integer(key.length + value.length + RECORD_BYTES)
}

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
    memory: {
      arity: -2,
      flags: '',
      categories: '@slow',
      since: '4.0.0',
      complexity: 'Depends on subcommand.',
      summary: 'A container for memory diagnostics commands',
      subcommands: {
        usage: [
          -3,
          usage,
          {
            flags: 'readonly',
            keys: '2 RO',
            since: '4.0.0',
            complexity: 'O(N) where N is the number of samples.',
            summary: 'Estimate the memory usage of a key',
          },
        ],
      },
    },
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
  },
)
