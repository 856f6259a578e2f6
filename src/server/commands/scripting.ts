/** EVAL, EVALSHA, their variants for reading alone, SCRIPT. */
import { XenonError } from '../../errors.ts'
import { type Arguments, isWord, textAt } from '../protocol/request.ts'
import { ScriptProblem, ScriptStopped } from '../scripting/engine.ts'
import type { CommandHost } from '../scripting/redis.ts'
import { type Script, ScriptRefused } from '../scripting/scripts.ts'
import { integerAt } from './arguments.ts'
import type { Caller, Handler } from './caller.ts'
import { type Command, type Family, family } from './command.ts'
import { CommandError, replyFor } from './errors.ts'
import { slotOfKeys } from './routing.ts'
import { checkSubcommand, type Subcommands } from './subcommands.ts'
import { traitsFor } from './traits.ts'

type Find = (request: Arguments) => Command | undefined

const NOT_ALLOWED = 'ERR This Redis command is not allowed from script'

/** Commands that Redis marks as not for scripts by their subcommands, and those of ours that answer later. */
const OUTSIDE: ReadonlySet<string> = new Set(['client', 'config', 'latency', 'script', 'in'])

/** Failures that a script may go on after: nothing was changed. Others end it, with everything taken back. */
const HARMLESS: ReadonlySet<string> = new Set(['XENON_READ_ONLY', 'XENON_NOT_FOUND', 'XENON_INVALID_ARGUMENT'])

/** Scripts for reading alone may not; a server for reading alone lets everybody. */
const TELLS_OTHERS: ReadonlySet<string> = new Set(['publish', 'spublish'])

/** What a script may call; found out once for each command. */
const allowed: Map<Command, boolean> = new Map()
const isAllowed = (command: Command): boolean => {
  let result = allowed.get(command)
  if (result === undefined) {
    result = !command.flags.includes('noscript') && !OUTSIDE.has(command.name)
    allowed.set(command, result)
  }
  return result
}

/** Runs the commands of one script: their replies lie behind what is written already, until the next one. */
class Run implements CommandHost {
  resp3 = false
  private readonly caller: Caller
  private readonly find: Find
  private readonly readOnly: boolean
  private readonly start: number

  constructor(caller: Caller, find: Find, readOnly: boolean) {
    this.caller = caller
    this.find = find
    this.readOnly = readOnly
    this.start = caller.out.length
  }

  call(request: Arguments): Buffer {
    const { caller, start } = this
    const { out } = caller
    const command = this.find(request)
    this.require(command, request)
    this.requireHere(command, request)
    const { resp3 } = out
    out.truncate(start)
    out.resp3 = this.resp3
    const { activity } = caller.server
    const began = activity.last
    let failed = true
    try {
      const { observation } = caller.server
      if (observation.isOn) observation.during(caller, command, request)
      else command.run(caller, request)
      failed = false
    } finally {
      out.resp3 = resp3
      const { address, name, database } = caller
      const source = { address, name, database, isScript: true }
      activity.executed(source, traitsFor(command, request), request, began, failed)
    }
    if (out.length === start) throw new CommandError(NOT_ALLOWED)
    return out.since(start)
  }

  private require(command: Command | undefined, request: Arguments): asserts command is Command {
    if (command === undefined) throw new CommandError('ERR Unknown Redis command called from script')
    const { arity, flags, subcommands } = command
    const { count } = request
    if (arity > 0 ? count !== arity : count < -arity)
      throw new CommandError('ERR Wrong number of args calling Redis command from script')
    if (!isAllowed(command)) throw new CommandError(NOT_ALLOWED)
    const problem = subcommands && checkSubcommand(command.name, subcommands, request)
    if (problem !== undefined)
      throw new CommandError(
        problem.startsWith('ERR unknown')
          ? 'ERR Unknown Redis command called from script'
          : 'ERR Wrong number of args calling Redis command from script',
      )
    if (command.afterBegin === 'refused' && this.caller.keys.transaction !== undefined)
      throw new CommandError(`ERR ${command.name.toUpperCase()} is not allowed between BEGIN and COMMIT`)
    const { server } = this.caller
    const { settings } = server
    if (!this.readOnly && !settings.readOnly) return
    const isRefused = flags.includes('write') || (this.readOnly && TELLS_OTHERS.has(command.name))
    if (!isRefused) {
      if (settings.readOnly && flags.includes('admin')) throw server.onlyReads
      return
    }
    if (this.readOnly) throw new CommandError('ERR Write commands are not allowed from read-only scripts.')
    throw server.onlyReads
  }

  /** In a cluster, of keys that the script has not declared: they must be this node's. */
  private requireHere(command: Command, request: Arguments): void {
    const { cluster } = this.caller.server
    const slot = cluster && slotOfKeys(command, request)
    if (cluster === undefined || slot === undefined) return
    if (slot === 'cross' || cluster.shardOf(slot) !== cluster.shard || !cluster.hasSlot(slot) || cluster.isHeld(slot))
      throw new CommandError('ERR Script attempted to access a non local key in a cluster node')
  }

  errorOf(error: unknown): string | undefined {
    if (error instanceof CommandError) return error.message
    return error instanceof XenonError && HARMLESS.has(error.code) ? replyFor(error) : undefined
  }

  setResp3(resp3: boolean): void {
    this.resp3 = resp3
  }

  log(level: number, message: string): void {
    const { log } = this.caller.server
    const fields = { client: this.caller.id, message }
    if (level < 2) log.debug('script', fields)
    else if (level === 2) log.info('script', fields)
    else log.warn('script', fields)
  }
}

/** A script's problem as an error of its command. */
const asCommandError = (error: unknown): unknown => {
  if (error instanceof ScriptProblem)
    return new CommandError(`ERR Error compiling script (new function): ${error.message}`)
  if (error instanceof ScriptRefused) return new CommandError(`ERR ${error.message}`)
  if (error instanceof ScriptStopped) return new CommandError(`ERR ${error.message}, so nothing of it was done`)
  return error
}

const noScript = (): CommandError => new CommandError('NOSCRIPT No matching script. Please use EVAL.')

const scriptOf = ({ server }: Caller, request: Arguments, bySha: boolean): Script => {
  const given = textAt(request, 1)
  if (!bySha) return server.scripts.of(given)
  const script = server.scripts.find(given.toLowerCase())
  if (script === undefined) throw noScript()
  return script
}

const evaluate = (caller: Caller, request: Arguments, find: Find, bySha: boolean, asksReadOnly: boolean): void => {
  const { server, out } = caller
  // Before the commands of the script.
  server.activity.show(caller, request)
  // Before anything else, as in Redis.
  if (bySha && textAt(request, 1).length !== 40) throw noScript()
  const keys = integerAt(request, 2)
  if (keys > request.count - 3) throw new CommandError("ERR Number of keys can't be greater than number of args")
  if (keys < 0n) throw new CommandError("ERR Number of keys can't be negative")
  const { database } = caller
  try {
    const { sha, body, flags } = scriptOf(caller, request, bySha)
    const mayWrite = flags === undefined || !flags.includes('no-writes')
    if (asksReadOnly && flags !== undefined && mayWrite)
      throw new CommandError('ERR Can not execute a script with write flag using *_ro command.')
    const readOnly = asksReadOnly || !mayWrite
    const host = new Run(caller, find, readOnly)
    const run = (): void => server.scripts.run({ sha, body, request, firstKey: 3, keys: Number(keys), host, out })
    // What the client is sent for it must not stand in the midst of the replies that the script gets.
    if (readOnly || server.db.readOnly) server.observation.announcements.together(run)
    else server.databases.together(server.sessions, () => server.keys.together(run))
  } catch (error) {
    throw asCommandError(error)
  } finally {
    if (caller.database !== database) caller.select(database)
  }
}

const evaluator =
  (find: Find, bySha: boolean, readOnly: boolean): Handler =>
  (caller, request) =>
    evaluate(caller, request, find, bySha, readOnly)

const subcommands: Subcommands = {
  debug: [
    3,
    ({ out }, request) => {
      const known = ['yes', 'sync', 'no'].find(word => isWord(request, 2, word))
      if (known === undefined) throw new CommandError('ERR Use SCRIPT DEBUG YES/SYNC/NO')
      if (known !== 'no') throw new CommandError('ERR there is no debugger of scripts here (xenondb)')
      out.ok()
    },
    {
      flags: 'noscript',
      since: '3.2.0',
      summary: 'Set the debug mode for executed scripts.',
    },
  ],
  exists: [
    -3,
    ({ out, server }, request) => {
      out.array(request.count - 2)
      for (let i = 2; i < request.count; i++) out.integer(server.scripts.find(textAt(request, i)) === undefined ? 0 : 1)
    },
    {
      flags: 'noscript',
      tips: 'request_policy:all_shards response_policy:agg_logical_and',
      since: '2.6.0',
      summary: 'Check existence of scripts in the script cache.',
      complexity:
        'O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).',
    },
  ],
  flush: [
    -2,
    ({ out, server }, request) => {
      if (request.count > 3 || (request.count === 3 && !isWord(request, 2, 'sync') && !isWord(request, 2, 'async')))
        throw new CommandError('ERR SCRIPT FLUSH only support SYNC|ASYNC option')
      server.scripts.flush()
      out.ok()
    },
    {
      flags: 'noscript',
      tips: 'request_policy:all_nodes response_policy:all_succeeded',
      since: '2.6.0',
      summary: 'Remove all the scripts from the script cache.',
      complexity: 'O(N) with N being the number of scripts in cache',
    },
  ],
  kill: [
    2,
    () => {
      // A script runs to its end before anything else is looked at.
      throw new CommandError('NOTBUSY No scripts in execution right now.')
    },
    {
      flags: 'noscript allow_busy',
      tips: 'request_policy:all_shards response_policy:one_succeeded',
      since: '2.6.0',
      summary: 'Kill the script currently in execution.',
    },
  ],
  load: [
    3,
    ({ out, server }, request) => {
      try {
        out.text(server.scripts.of(textAt(request, 2), true).sha)
      } catch (error) {
        throw asCommandError(error)
      }
    },
    {
      flags: 'noscript stale',
      tips: 'request_policy:all_nodes response_policy:all_succeeded',
      since: '2.6.0',
      summary: 'Load the specified Lua script into the script cache.',
      complexity: 'O(N) with N being the length in bytes of the script body.',
    },
  ],
}

const KEYS = '2# RW access update'
const READ_KEYS = '2# RO access'
const WORST = 'We cannot tell how the keys will be used so we assume the worst'

/** @param find The command that a request names: a script may call any. */
export const scripting = (find: Find): Family =>
  family(
    { group: 'scripting' },
    {
      eval: {
        arity: -3,
        keys: `${KEYS} (${WORST}, RW and UPDATE)`,
        flags: 'noscript stale skip_monitor no_mandatory_keys movablekeys',
        categories: '@slow @scripting',
        since: '2.6.0',
        complexity: 'Depends on the script that is executed.',
        summary: 'Execute a Lua script server side',
        run: evaluator(find, false, false),
      },
      evalsha: {
        arity: -3,
        keys: KEYS,
        flags: 'noscript stale skip_monitor no_mandatory_keys movablekeys',
        categories: '@slow @scripting',
        since: '2.6.0',
        complexity: 'Depends on the script that is executed.',
        summary: 'Execute a Lua script server side',
        run: evaluator(find, true, false),
      },
      eval_ro: {
        arity: -3,
        keys: `${READ_KEYS} (${WORST}, RO and ACCESS)`,
        flags: 'noscript stale skip_monitor no_mandatory_keys movablekeys readonly',
        categories: '@slow @scripting',
        since: '7.0.0',
        complexity: 'Depends on the script that is executed.',
        summary: 'Execute a read-only Lua script server side',
        run: evaluator(find, false, true),
      },
      evalsha_ro: {
        arity: -3,
        keys: READ_KEYS,
        flags: 'noscript stale skip_monitor no_mandatory_keys movablekeys readonly',
        categories: '@slow @scripting',
        since: '7.0.0',
        complexity: 'Depends on the script that is executed.',
        summary: 'Execute a read-only Lua script server side',
        run: evaluator(find, true, true),
      },
      script: {
        arity: -2,
        flags: '',
        categories: '@slow',
        since: '2.6.0',
        complexity: 'Depends on subcommand.',
        summary: 'A container for Lua scripts management commands',
        within: '@scripting',
        subcommands,
      },
    },
  )
