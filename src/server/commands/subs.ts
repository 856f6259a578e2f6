/**
 * IN and SUB: sub-databases, which Redis lacks. No connection is "in" one: each request says where it belongs, so that
 * requests for several of them may follow each other on one connection, and one that is sent again means the same.
 */
import { isUtf8 } from 'node:buffer'
import { type Arguments, behind, bytesAt, isWord } from '../protocol/request.ts'
import type { Caller } from './caller.ts'
import { type Command, type Family, family } from './command.ts'
import { CONTAINER } from './databases.ts'
import { CommandError, SYNTAX, wrongArity } from './errors.ts'
import type { Subcommands } from './subcommands.ts'

/** Most sub-databases inside each other that a request can name. */
const MOST = 32

const nameAt = (request: Arguments, index: number): string => {
  if (!isUtf8(bytesAt(request, index))) throw new CommandError('ERR the name of a sub-database must be UTF-8')
  return request.source.toString('utf8', request.starts[index], request.ends[index])
}

/** Of a request that begins with IN: how many of them stand there. */
export const depthOf = (request: Arguments): number => {
  let depth = 0
  while (2 * depth + 1 < request.count && isWord(request, 2 * depth, 'in')) depth++
  return depth
}

/** What is wrong with so many IN, and what stands behind them. */
export const inProblem = (asked: Arguments, depth: number): string | undefined => {
  if (asked.count === 0) return wrongArity('in')
  return depth > MOST ? `ERR IN may stand ${MOST} times before a command` : undefined
}

/** The names that stand behind so many IN. */
const pathOf = (request: Arguments, depth: number): string[] => {
  const path: string[] = []
  for (let i = 0; i < depth; i++) path.push(nameAt(request, 2 * i + 1))
  return path
}

/** Commands by how many IN stand before them. */
const inside: Map<Command, (Command | undefined)[]> = new Map()

/** A command as it is with so many IN before it. */
export const insideOf = (command: Command, depth: number): Command => {
  const known = inside.get(command) ?? []
  inside.set(command, known)
  const { run } = command
  known[depth] ??= {
    ...command,
    depth,
    run: (caller, request) => {
      const path = pathOf(request, depth)
      caller.within(path, () => {
        if (path[depth - 1] === CONTAINER && command.flags.includes('write'))
          caller.server.databases.requireOrdinary(caller.keys)
        run(caller, behind(request, 2 * depth))
      })
    },
  }
  return known[depth]
}

/** SUB OPEN name [KEYS encoding] [VALUES encoding] */
const open = (caller: Caller, request: Arguments): void => {
  const given: { keyEncoding?: string; valueEncoding?: string } = {}
  for (let i = 3; i < request.count; i += 2) {
    if (i + 1 === request.count) throw new CommandError(SYNTAX)
    if (isWord(request, i, 'keys')) given.keyEncoding = nameAt(request, i + 1)
    else if (isWord(request, i, 'values')) given.valueEncoding = nameAt(request, i + 1)
    else throw new CommandError(SYNTAX)
  }
  const { keyEncoding, valueEncoding } = caller.keys.declareSub(nameAt(request, 2), given)
  const { out } = caller
  out.array(2)
  out.text(keyEncoding)
  out.bulk(Buffer.from(valueEncoding))
}

const list = ({ out, keys }: Caller): void => {
  const names = keys.db.subs()
  out.array(names.length)
  for (const name of names) out.bulk(Buffer.from(name))
}

const drop = ({ out, keys, server }: Caller, request: Arguments): void => {
  const name = nameAt(request, 2)
  if (keys === server.keys && name === CONTAINER)
    throw new CommandError(`ERR '${CONTAINER}' has the databases that SELECT chooses from; FLUSHDB empties one`)
  out.integer(keys.drop(name) ? 1 : 0)
}

const subcommands: Subcommands = {
  open: [-3, open],
  list: [2, list],
  drop: [3, drop],
}

export const subs: Family = family(
  { group: 'generic', afterBegin: 'apart' },
  {
    in: {
      arity: -3,
      flags: 'noscript movablekeys',
      categories: '@keyspace',
      since: '1.0.0',
      complexity: 'That of the command behind it',
      summary: 'Run a command in a sub-database (xenondb)',
      // A session runs what stands behind it (`insideOf`).
      run() {
        throw new CommandError(wrongArity('in'))
      },
    },
    sub: {
      arity: -2,
      flags: 'noscript no_multi',
      categories: '@keyspace @slow',
      since: '1.0.0',
      complexity: 'O(N) where N is the number of sub-databases',
      summary: 'A container for commands that open, list and drop sub-databases (xenondb)',
      afterIn: true,
      subcommands,
    },
  },
)
