/** CLIENT. */

import type { Session } from '../connection/session.ts'
import { type Arguments, isWord, textAt } from '../protocol/request.ts'
import { integerAt } from './arguments.ts'
import { CommandError, SYNTAX } from './errors.ts'
import { runSubcommand, type Subcommands } from './subcommands.ts'
import type { Handlers } from './types.ts'

/** A name must not break the lines of CLIENT LIST. */
export const requireClientName = (name: string): string => {
  if (!/^[!-~]*$/.test(name))
    throw new CommandError('ERR Client names cannot contain spaces, newlines or special characters.')
  return name
}

const describe = (session: Session): string => {
  const now = Date.now()
  const flags = `${session.queue === undefined ? '' : 'x'}${session.dirty ? 'd' : ''}${session.busy ? 'b' : ''}`
  const fields = {
    id: session.id,
    addr: session.address,
    laddr: session.localAddress,
    fd: -1,
    name: session.name,
    age: Math.floor((now - session.created) / 1000),
    idle: Math.max(0, Math.floor((now - session.lastActive) / 1000)),
    flags: flags === '' ? 'N' : flags,
    db: 0,
    sub: 0,
    psub: 0,
    ssub: 0,
    multi: session.queue?.calls.length ?? -1,
    qbuf: session.parser.waiting,
    'qbuf-free': 0,
    'argv-mem': 0,
    'multi-mem': session.queue?.bytes ?? 0,
    rbs: 0,
    rbp: 0,
    obl: 0,
    oll: 0,
    omem: session.unsent,
    'tot-mem': session.parser.waiting + session.unsent,
    events: 'r',
    cmd: session.lastCommand,
    user: 'default',
    redir: -1,
    resp: session.resp3 ? 3 : 2,
    'lib-name': session.library,
    'lib-ver': session.libraryVersion,
  }
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
}

const list = ({ out, server }: Session, request: Arguments): void => {
  let sessions = [...server.sessions.values()]
  if (request.count > 2) {
    if (isWord(request, 2, 'type') && request.count === 4) {
      const type = textAt(request, 3).toLowerCase()
      if (!['normal', 'master', 'replica', 'slave', 'pubsub'].includes(type))
        throw new CommandError(`ERR Unknown client type '${textAt(request, 3)}'`)
      if (type !== 'normal') sessions = []
    } else if (isWord(request, 2, 'id') && request.count > 3) {
      const ids = new Set<number>()
      for (let i = 3; i < request.count; i++) ids.add(Number(integerAt(request, i, 'ERR Invalid client ID')))
      sessions = sessions.filter(({ id }) => ids.has(id))
    } else throw new CommandError(SYNTAX)
  }
  out.verbatim(sessions.map(session => `${describe(session)}\n`).join(''))
}

interface Filters {
  id?: number
  addr?: string
  laddr?: string
  user?: string
  type?: string
  skipMe: boolean
}

const kill = (session: Session, request: Arguments): void => {
  const { server, out } = session
  if (request.count === 3) {
    const address = textAt(request, 2)
    const found = [...server.sessions.values()].find(each => each.address === address)
    if (found === undefined) throw new CommandError('ERR No such client')
    end(session, found)
    out.ok()
    return
  }
  const filters = filtersOf(request)
  const found = [...server.sessions.values()].filter(
    each =>
      (filters.id === undefined || each.id === filters.id) &&
      (filters.addr === undefined || each.address === filters.addr) &&
      (filters.laddr === undefined || each.localAddress === filters.laddr) &&
      (filters.type === undefined || filters.type === 'normal') &&
      !(filters.skipMe && each === session),
  )
  for (const each of found) end(session, each)
  out.integer(found.length)
}

const filtersOf = (request: Arguments): Filters => {
  const filters: Filters = { skipMe: true }
  for (let i = 2; i < request.count; i += 2) {
    if (i + 1 === request.count) throw new CommandError(SYNTAX)
    const value = textAt(request, i + 1)
    if (isWord(request, i, 'id')) {
      filters.id = Number(integerAt(request, i + 1, 'ERR client-id should be greater than 0'))
      if (filters.id < 1) throw new CommandError('ERR client-id should be greater than 0')
    } else if (isWord(request, i, 'addr')) filters.addr = value
    else if (isWord(request, i, 'laddr')) filters.laddr = value
    else if (isWord(request, i, 'user')) {
      if (value !== 'default') throw new CommandError(`ERR No such user '${value}'`)
    } else if (isWord(request, i, 'type')) {
      const type = value.toLowerCase()
      if (!['normal', 'master', 'replica', 'slave', 'pubsub'].includes(type))
        throw new CommandError(`ERR Unknown client type '${value}'`)
      filters.type = type
    } else if (isWord(request, i, 'skipme')) {
      if (!/^(yes|no)$/i.test(value)) throw new CommandError(SYNTAX)
      filters.skipMe = /^yes$/i.test(value)
    } else throw new CommandError(SYNTAX)
  }
  return filters
}

/** Whoever kills himself is answered first. */
const end = (killer: Session, victim: Session): void => {
  if (killer === victim) victim.endSoon()
  else victim.destroy('CLIENT KILL')
}

const setInfo = (session: Session, request: Arguments): void => {
  const value = textAt(request, 3)
  const isName = isWord(request, 2, 'lib-name')
  if (!isName && !isWord(request, 2, 'lib-ver'))
    throw new CommandError(`ERR Unrecognized option '${textAt(request, 2)}'`)
  if (!/^[!-~]*$/.test(value))
    throw new CommandError(
      `ERR ${isName ? 'lib-name' : 'lib-ver'} cannot contain spaces, newlines or special characters.`,
    )
  if (isName) session.library = value
  else session.libraryVersion = value
  session.out.ok()
}

export const CLIENT_SUBCOMMANDS: Subcommands = {
  id: [2, ({ out, id }) => out.integer(id)],
  getname: [2, ({ out, name }) => (name === '' ? out.null() : out.text(name))],
  setname: [
    3,
    (session, request) => {
      session.name = requireClientName(textAt(request, 2))
      session.out.ok()
    },
  ],
  setinfo: [4, setInfo],
  info: [2, session => session.out.verbatim(`${describe(session)}\n`)],
  list: [-2, list],
  kill: [-3, kill],
  'no-evict': [
    3,
    (session, request) => {
      if (!isWord(request, 2, 'on') && !isWord(request, 2, 'off')) throw new CommandError(SYNTAX)
      session.noEvict = isWord(request, 2, 'on')
      session.out.ok()
    },
  ],
}

export const clientCommands: Handlers = {
  client: (session, request) => runSubcommand('client', CLIENT_SUBCOMMANDS, session, request),
}
