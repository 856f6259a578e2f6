/** CONFIG: what is fixed by whoever started the server can be read, limits can be changed; no command sets a path. */

import { matches } from '../protocol/glob.ts'
import { type Arguments, bytesAt, textAt } from '../protocol/request.ts'
import { CLASS_LETTERS, formatClasses, parseClasses } from '../service/key-events.ts'
import type { LogLevel } from '../service/log.ts'
import { LEAST_CLIENT_MEMORY } from '../service/options.ts'
import type { Caller } from './caller.ts'
import { type Family, family } from './command.ts'
import { CommandError } from './errors.ts'
import type { Host } from './host.ts'
import type { Subcommands } from './subcommands.ts'

interface Parameter {
  get(server: Host): string
  /** Checks and returns what makes the change; it throws the reason (a text) if it cannot be made. */
  set?(value: string, server: Host): () => void
}

const number =
  (least: number, most: (server: Host) => number, apply: (server: Host, value: number) => void) =>
  (value: string, server: Host): (() => void) => {
    if (!/^-?\d{1,15}$/.test(value)) throw "argument couldn't be parsed into an integer"
    return within(Number(value), least, most(server), parsed => apply(server, parsed))
  }

const within = (value: number, least: number, most: number, apply: (value: number) => void): (() => void) => {
  if (value < least || value > most) throw `argument must be between ${least} and ${most} inclusive`
  return () => apply(value)
}

/** The units of redis.conf. */
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1000,
  kb: 1024,
  m: 1000 ** 2,
  mb: 1024 ** 2,
  g: 1000 ** 3,
  gb: 1024 ** 3,
}

/** A number of bytes, maybe with its unit. */
const memory = (text: string): number | undefined => {
  const [, digits, unit] = /^(\d{1,15})([a-z]*)$/i.exec(text) ?? []
  const factor = UNITS[unit?.toLowerCase() ?? 'none']
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor
}

/** What the options of these names must be at least. */
const LEAST_BYTES = 1024

/** A limit in bytes, which can be lowered, and raised again up to what the operator has allowed. */
const bytes = (
  name: 'maxArgumentBytes' | 'maxQueryBytes' | 'maxClientMemoryBytes',
  least: number = LEAST_BYTES,
): Parameter => ({
  get: ({ settings }) => String(settings[name]),
  set: (value, { settings, bounds }) => {
    const given = memory(value)
    if (given === undefined) throw 'argument must be a memory value'
    return within(given, least, bounds[name], parsed => {
      settings[name] = parsed
    })
  },
})

/** Redis's names of the levels. */
const LEVELS: Readonly<Record<string, LogLevel>> = {
  debug: 'debug',
  verbose: 'debug',
  notice: 'info',
  warning: 'warn',
  nothing: 'silent',
}

const LARGEST = Number.MAX_SAFE_INTEGER

/** Of the classes of Redis, that of subscribers is set apart; clients that are none have `maxOutputBytes` for a reply. */
const outputLimits = ({ settings }: Host): string => {
  const { maxSubscriberOutputBytes, softSubscriberOutputBytes, softSubscriberOutputTime } = settings
  const given = (value: number): number => (value === Number.POSITIVE_INFINITY ? 0 : value)
  const seconds = Math.floor(given(softSubscriberOutputTime) / 1000)
  const normal = settings.maxOutputBytes + settings.pauseOutputBytes
  return `normal ${normal} 0 0 slave 0 0 0 pubsub ${given(maxSubscriberOutputBytes)} ${given(softSubscriberOutputBytes)} ${seconds}`
}

/** A number of bytes; 0: no bound. */
const bound = (text: string): number | undefined => {
  const parsed = memory(text)
  return parsed === 0 ? Number.POSITIVE_INFINITY : parsed
}

const setOutputLimits = (value: string, { settings }: Host): (() => void) => {
  const words = value.split(' ')
  if (words.length % 4 !== 0) throw 'Wrong number of arguments in buffer limit configuration.'
  const changes: (() => void)[] = []
  for (let i = 0; i < words.length; i += 4) {
    const name = words[i]!.toLowerCase()
    if (!['normal', 'replica', 'slave', 'pubsub'].includes(name))
      throw 'Invalid client class specified in buffer limit configuration.'
    const [hard, soft] = [bound(words[i + 1]!), bound(words[i + 2]!)]
    const seconds = words[i + 3]!
    if (hard === undefined || soft === undefined || !/^\d{1,9}$/.test(seconds))
      throw 'Error in hard, soft or soft_seconds setting in buffer limit configuration.'
    if (name !== 'pubsub') throw `the limits of class ${name} are fixed when the server starts`
    changes.push(() => {
      settings.maxSubscriberOutputBytes = hard
      settings.softSubscriberOutputBytes = soft
      settings.softSubscriberOutputTime = Number(seconds) * 1000
    })
  }
  return () => {
    for (const change of changes) change()
  }
}

/** How long a script may take: here it is stopped then. */
const timeOfScripts: Parameter = {
  get: ({ settings: { scriptTimeLimit } }) =>
    String(scriptTimeLimit === Number.POSITIVE_INFINITY ? 0 : Math.ceil(scriptTimeLimit)),
  set: number(
    0,
    ({ bounds }) => Math.min(LARGEST, bounds.scriptTimeLimit),
    ({ settings, bounds }, value) => {
      settings.scriptTimeLimit = value === 0 ? bounds.scriptTimeLimit : value
    },
  ),
}

const fixed = (value: string): Parameter => ({ get: () => value })

const parameters: Readonly<Record<string, Parameter>> = {
  appendfsync: {
    get: ({ db }) => (db.durability === 'power' ? 'always' : db.durability === 'process' ? 'everysec' : 'no'),
  },
  appendonly: fixed('yes'),
  'busy-reply-threshold': timeOfScripts,
  bind: { get: ({ settings }) => (settings.socket === undefined ? settings.host : '') },
  databases: { get: ({ databases }) => String(databases.count) },
  durability: { get: ({ db }) => db.durability },
  'hash-max-listpack-entries': fixed('128'),
  loglevel: {
    get: ({ log }) => Object.keys(LEVELS).find(name => LEVELS[name] === log.level) ?? 'warning',
    set: (value, { log }) => {
      const level = LEVELS[value.toLowerCase()]
      if (level === undefined) throw `argument(s) must be one of the following: ${Object.keys(LEVELS).join(', ')}`
      return () => {
        log.level = level
      }
    },
  },
  'lua-time-limit': timeOfScripts,
  maxclients: {
    get: ({ settings }) => String(settings.maxClients),
    set: number(
      1,
      ({ bounds }) => bounds.maxClients,
      ({ settings }, value) => {
        settings.maxClients = value
      },
    ),
  },
  maxmemory: fixed('0'),
  'maxmemory-policy': fixed('noeviction'),
  'notify-keyspace-events': {
    get: ({ observation }) => formatClasses(observation.events.classes),
    set: (value, server) => {
      const classes = parseClasses(value)
      if (classes === undefined) throw `Invalid event class character. Use '${CLASS_LETTERS}'.`
      return () => {
        server.observation.events.classes = classes
        server.observe()
      }
    },
  },
  'tracking-table-max-keys': {
    get: ({ settings }) => String(settings.trackingTableMaxKeys),
    set: number(
      0,
      () => Number.MAX_SAFE_INTEGER,
      ({ settings }, value) => {
        settings.trackingTableMaxKeys = value
      },
    ),
  },
  port: { get: ({ address }) => String(address !== undefined && 'port' in address ? address.port : 0) },
  'maxmemory-clients': bytes('maxClientMemoryBytes', LEAST_CLIENT_MEMORY),
  'proto-max-bulk-len': bytes('maxArgumentBytes'),
  'client-output-buffer-limit': { get: outputLimits, set: setOutputLimits },
  'client-query-buffer-limit': bytes('maxQueryBytes'),
  requirepass: { get: () => '' },
  save: fixed(''),
  'latency-monitor-threshold': {
    get: ({ settings }) => String(settings.latencyMonitorThreshold),
    set: number(
      0,
      () => LARGEST,
      ({ settings, activity }, value) => {
        settings.latencyMonitorThreshold = value
        activity.refresh()
      },
    ),
  },
  'slowlog-log-slower-than': {
    get: ({ settings }) => String(settings.slowlogLogSlowerThan),
    set: number(
      -1,
      () => LARGEST,
      ({ settings, activity }, value) => {
        settings.slowlogLogSlowerThan = value
        activity.refresh()
      },
    ),
  },
  'slowlog-max-len': {
    get: ({ settings }) => String(settings.slowlogMaxLen),
    set: number(
      0,
      () => 1_000_000,
      ({ settings, activity }, value) => {
        settings.slowlogMaxLen = value
        activity.refresh()
      },
    ),
  },
  timeout: {
    // 0: never.
    get: ({ settings: { idleTimeout } }) =>
      String(idleTimeout === Number.POSITIVE_INFINITY ? 0 : Math.floor(idleTimeout / 1000)),
    set: (value, server) => {
      const most = server.bounds.idleTimeout
      const [least, longest] = most === Number.POSITIVE_INFINITY ? [0, 2_000_000] : [1, Math.floor(most / 1000)]
      const apply = ({ settings }: Host, seconds: number): void => {
        settings.idleTimeout = seconds === 0 ? Number.POSITIVE_INFINITY : seconds * 1000
      }
      return number(least, () => longest, apply)(value, server)
    },
  },
  unixsocket: { get: ({ settings }) => settings.socket ?? '' },
}
const names = Object.keys(parameters).sort()

const get = ({ out, server }: Caller, request: Arguments): void => {
  const found = new Set<string>()
  for (let i = 2; i < request.count; i++) {
    const pattern = Buffer.from(textAt(request, i).toLowerCase(), 'latin1')
    for (const name of names) if (matches(pattern, Buffer.from(name))) found.add(name)
  }
  out.map(found.size)
  for (const name of found) {
    out.text(name)
    out.text(parameters[name]!.get(server))
  }
}

const set = ({ out, server }: Caller, request: Arguments): void => {
  if (request.count % 2 !== 0) throw new CommandError('ERR syntax error')
  const failed = (name: string, reason: string): CommandError =>
    new CommandError(`ERR CONFIG SET failed (possibly related to argument '${name}') - ${reason}`)
  const asked = new Map<string, (value: string, server: Host) => () => void>()
  for (let i = 2; i < request.count; i += 2) {
    const name = textAt(request, i).toLowerCase()
    if (!Object.hasOwn(parameters, name))
      throw new CommandError(`ERR Unknown option or number of arguments for CONFIG SET - '${textAt(request, i)}'`)
    const { set: change } = parameters[name]!
    if (change === undefined) throw failed(name, "can't set immutable config")
    if (asked.has(name)) throw failed(name, 'duplicate parameter')
    asked.set(name, change)
  }
  // All values are looked at before the first is set.
  const changes = [...asked].map(([name, change], i) => {
    try {
      return change(Buffer.from(bytesAt(request, 2 * i + 3)).toString(), server)
    } catch (reason) {
      throw typeof reason === 'string' ? failed(name, reason) : reason
    }
  })
  for (const apply of changes) apply()
  out.ok()
}

const subcommands: Subcommands = {
  get: [
    -3,
    get,
    {
      flags: 'admin noscript loading stale',
      since: '2.0.0',
      complexity: 'O(N) when N is the number of configuration parameters provided',
      summary: 'Get the values of configuration parameters',
    },
  ],
  set: [
    -4,
    set,
    {
      flags: 'admin noscript loading stale',
      tips: 'request_policy:all_nodes response_policy:all_succeeded',
      since: '2.0.0',
      complexity: 'O(N) when N is the number of configuration parameters provided',
      summary: 'Set configuration parameters to the given values',
    },
  ],
  resetstat: [
    2,
    ({ out, server }) => {
      server.resetCounts()
      out.ok()
    },
    { flags: 'admin noscript loading stale', since: '2.0.0', summary: 'Reset the stats returned by INFO' },
  ],
  rewrite: [
    2,
    () => {
      throw new CommandError('ERR The server is running without a config file')
    },
    {
      flags: 'admin noscript loading stale',
      since: '2.8.0',
      summary: 'Rewrite the configuration file with the in memory configuration',
    },
  ],
}

export const config: Family = family(
  { group: 'server', afterBegin: 'apart' },
  {
    config: {
      arity: -2,
      flags: '',
      categories: '@slow',
      since: '2.0.0',
      complexity: 'Depends on subcommand.',
      summary: 'A container for server configuration commands',
      subcommands,
    },
  },
)
