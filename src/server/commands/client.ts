/** CLIENT. */

import { type Arguments, isWord, textAt } from '../protocol/request.ts'
import { integerAt } from './arguments.ts'
import type { Caller } from './caller.ts'
import { control } from './client-control.ts'
import { type Family, family } from './command.ts'
import { CommandError, SYNTAX } from './errors.ts'
import type { Client, Host } from './host.ts'
import type { Subcommands } from './subcommands.ts'
import { trackingSubcommands } from './tracking.ts'

/** A name must not break the lines of CLIENT LIST. */
export const requireClientName = (name: string): string => {
  if (!/^[!-~]*$/.test(name))
    throw new CommandError('ERR Client names cannot contain spaces, newlines or special characters.')
  return name
}

/** As CLIENT LIST and CLIENT KILL tell them apart. */
const typeOf = ({ isSubscribed }: Client): string => (isSubscribed ? 'pubsub' : 'normal')

const describe = (client: Client, { channels, tracking, activity }: Host): string => {
  const now = Date.now()
  const state = tracking.of(client)
  const flags = [
    ['O', activity.monitors.has(client)],
    ['P', client.isSubscribed],
    ['x', client.queue !== undefined],
    ['b', client.busy],
    ['t', state !== undefined],
    ['R', state?.isBroken],
    ['B', state?.broadcast],
    ['d', client.dirty],
  ]
    .map(([flag, isSet]) => (isSet ? flag : ''))
    .join('')
  const fields = {
    id: client.id,
    addr: client.address,
    laddr: client.localAddress,
    fd: -1,
    name: client.name,
    age: Math.floor((now - client.created) / 1000),
    idle: Math.max(0, Math.floor((now - client.lastActive) / 1000)),
    flags: flags === '' ? 'N' : flags,
    db: client.database,
    sub: channels.channels.of(client).size,
    psub: channels.patterns.of(client).size,
    ssub: channels.shardChannels.of(client).size,
    multi: client.queue?.count ?? -1,
    qbuf: client.unread,
    'qbuf-free': 0,
    'argv-mem': 0,
    'multi-mem': client.queue?.bytes ?? 0,
    rbs: 0,
    rbp: 0,
    obl: 0,
    oll: 0,
    omem: client.unsent,
    'tot-mem': client.unread + client.unsent,
    events: 'r',
    cmd: client.lastCommand,
    user: 'default',
    redir: state?.redirect ?? -1,
    resp: client.resp3 ? 3 : 2,
    'lib-name': client.library,
    'lib-ver': client.libraryVersion,
  }
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
}

const list = ({ out, server }: Caller, request: Arguments): void => {
  let clients = [...server.sessions.values()]
  if (request.count > 2) {
    if (isWord(request, 2, 'type') && request.count === 4) {
      const type = textAt(request, 3).toLowerCase()
      if (!['normal', 'master', 'replica', 'slave', 'pubsub'].includes(type))
        throw new CommandError(`ERR Unknown client type '${textAt(request, 3)}'`)
      clients = clients.filter(each => typeOf(each) === type)
    } else if (isWord(request, 2, 'id') && request.count > 3) {
      const ids = new Set<number>()
      for (let i = 3; i < request.count; i++) ids.add(Number(integerAt(request, i, 'ERR Invalid client ID')))
      clients = clients.filter(({ id }) => ids.has(id))
    } else throw new CommandError(SYNTAX)
  }
  out.verbatim(clients.map(client => `${describe(client, server)}\n`).join(''))
}

interface Filters {
  id?: number
  addr?: string
  laddr?: string
  user?: string
  type?: string
  skipMe: boolean
}

const kill = (caller: Caller, request: Arguments): void => {
  const { server, out } = caller
  if (request.count === 3) {
    const address = textAt(request, 2)
    const found = [...server.sessions.values()].find(each => each.address === address)
    if (found === undefined) throw new CommandError('ERR No such client')
    end(caller, found)
    out.ok()
    return
  }
  const filters = filtersOf(request)
  const found = [...server.sessions.values()].filter(
    each =>
      (filters.id === undefined || each.id === filters.id) &&
      (filters.addr === undefined || each.address === filters.addr) &&
      (filters.laddr === undefined || each.localAddress === filters.laddr) &&
      (filters.type === undefined || filters.type === typeOf(each)) &&
      !(filters.skipMe && each === caller),
  )
  for (const each of found) end(caller, each)
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
const end = (killer: Caller, victim: Client): void => {
  if (killer === victim) victim.endSoon()
  else victim.destroy('CLIENT KILL')
}

const setInfo = (caller: Caller, request: Arguments): void => {
  const value = textAt(request, 3)
  const isName = isWord(request, 2, 'lib-name')
  if (!isName && !isWord(request, 2, 'lib-ver'))
    throw new CommandError(`ERR Unrecognized option '${textAt(request, 2)}'`)
  if (!/^[!-~]*$/.test(value))
    throw new CommandError(
      `ERR ${isName ? 'lib-name' : 'lib-ver'} cannot contain spaces, newlines or special characters.`,
    )
  if (isName) caller.library = value
  else caller.libraryVersion = value
  caller.out.ok()
}

const subcommands: Subcommands = {
  ...trackingSubcommands,
  id: [
    2,
    ({ out, id }) => out.integer(id),
    { flags: 'noscript loading stale', since: '5.0.0', summary: 'Returns the client ID for the current connection' },
  ],
  getname: [
    2,
    ({ out, name }) => (name === '' ? out.null() : out.text(name)),
    { flags: 'noscript loading stale', since: '2.6.9', summary: 'Get the current connection name' },
  ],
  setname: [
    3,
    (caller, request) => {
      caller.name = requireClientName(textAt(request, 2))
      caller.out.ok()
    },
    { flags: 'noscript loading stale', since: '2.6.9', summary: 'Set the current connection name' },
  ],
  setinfo: [4, setInfo],
  info: [
    2,
    caller => caller.out.verbatim(`${describe(caller, caller.server)}\n`),
    {
      flags: 'noscript loading stale',
      tips: 'nondeterministic_output',
      since: '6.2.0',
      summary: 'Returns information about the current client connection.',
    },
  ],
  list: [
    -2,
    list,
    {
      flags: 'admin noscript loading stale',
      tips: 'nondeterministic_output',
      since: '2.4.0',
      complexity: 'O(N) where N is the number of client connections',
      summary: 'Get the list of client connections',
    },
  ],
  kill: [
    -3,
    kill,
    {
      flags: 'admin noscript loading stale',
      since: '2.4.0',
      complexity: 'O(N) where N is the number of client connections',
      summary: 'Kill the connection of a client',
    },
  ],
  ...control,
  // No client is evicted.
  'no-evict': [
    3,
    ({ out }, request) => {
      if (!isWord(request, 2, 'on') && !isWord(request, 2, 'off')) throw new CommandError(SYNTAX)
      out.ok()
    },
    {
      flags: 'admin noscript loading stale',
      since: '7.0.0',
      summary: 'Set client eviction mode for the current connection',
    },
  ],
}

export const client: Family = family(
  { group: 'connection', afterBegin: 'apart' },
  {
    client: {
      arity: -2,
      flags: '',
      categories: '@slow',
      since: '2.4.0',
      complexity: 'Depends on subcommand.',
      summary: 'A container for client connection commands',
      within: '@connection',
      subcommands,
    },
  },
)
