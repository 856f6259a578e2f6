/** SUBSCRIBE, PUBLISH and their kin. */

import { matches } from '../protocol/glob.ts'
import { type Arguments, bytesAt, shownAt, textAt } from '../protocol/request.ts'
import { bytesFor, type Channels, type Subscriptions } from '../service/channels.ts'
import type { Caller, Handler } from './caller.ts'
import { type Entry, type Family, family } from './command.ts'
import { CommandError } from './errors.ts'
import type { Subcommands } from './subcommands.ts'

/** A kind of subscriptions: where they are kept, and how many of the caller its replies tell. */
interface Kind {
  of(channels: Channels): Subscriptions
  count(caller: Caller): number
}

/** Channels and patterns are counted together. */
const countPlain = (caller: Caller): number => {
  const { channels, patterns } = caller.server.channels
  return channels.of(caller).size + patterns.of(caller).size
}

const CHANNELS: Kind = { of: ({ channels }) => channels, count: countPlain }
const PATTERNS: Kind = { of: ({ patterns }) => patterns, count: countPlain }
const SHARD_CHANNELS: Kind = {
  of: ({ shardChannels }) => shardChannels,
  count: caller => caller.server.channels.shardChannels.of(caller).size,
}

const subscribe =
  (word: string, kind: Kind): Handler =>
  (caller, request) => {
    const { channels, settings } = caller.server
    let memory = channels.memoryOf(caller)
    for (let i = 1; i < request.count; i++) memory += bytesFor(request.ends[i]! - request.starts[i]!)
    if (memory > settings.maxQueryBytes)
      throw new CommandError('ERR the subscriptions of this client would take too much memory; use a pattern')
    for (let i = 1; i < request.count; i++) {
      caller.subscribe(kind.of(channels), textAt(request, i))
      confirm(caller, word, bytesAt(request, i), kind)
    }
  }

const unsubscribe =
  (word: string, kind: Kind): Handler =>
  (caller, request) => {
    const subscriptions = kind.of(caller.server.channels)
    const names = request.count === 1 ? [...subscriptions.of(caller)] : namesIn(request)
    for (const name of names) {
      caller.unsubscribe(subscriptions, name)
      confirm(caller, word, Buffer.from(name, 'latin1'), kind)
    }
    if (names.length === 0) confirm(caller, word, undefined, kind)
  }

const namesIn = (request: Arguments): string[] =>
  Array.from({ length: request.count - 1 }, (_, i) => textAt(request, i + 1))

const confirm = (caller: Caller, word: string, name: Uint8Array | undefined, kind: Kind): void => {
  const { out } = caller
  caller.isPushing()
  out.push(3)
  out.text(word)
  if (name === undefined) out.null()
  else out.bulk(name)
  out.integer(kind.count(caller))
}

const list =
  (kind: Kind): Handler =>
  ({ out, server }, request) => {
    if (request.count > 3)
      throw new CommandError(
        `ERR unknown subcommand or wrong number of arguments for '${shownAt(request, 1).slice(0, 128)}'. Try PUBSUB HELP.`,
      )
    const pattern = request.count === 3 ? bytesAt(request, 2) : undefined
    const names = [...kind.of(server.channels).names].map(name => Buffer.from(name, 'latin1'))
    const found = pattern === undefined ? names : names.filter(name => matches(pattern, name))
    out.array(found.length)
    for (const name of found) out.bulk(name)
  }

const countEach =
  (kind: Kind): Handler =>
  ({ out, server }, request) => {
    out.array(2 * (request.count - 2))
    for (let i = 2; i < request.count; i++) {
      out.bulk(bytesAt(request, i))
      out.integer(kind.of(server.channels).to(textAt(request, i)).size)
    }
  }

const FLAGS = 'pubsub loading stale'

const subcommands: Subcommands = {
  channels: [
    -2,
    list(CHANNELS),
    {
      flags: FLAGS,
      since: '2.8.0',
      complexity:
        'O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns)',
      summary: 'List active channels',
    },
  ],
  numpat: [
    2,
    ({ out, server }) => out.integer(server.channels.patterns.size),
    { flags: FLAGS, since: '2.8.0', summary: 'Get the count of unique patterns pattern subscriptions' },
  ],
  numsub: [
    -2,
    countEach(CHANNELS),
    {
      flags: FLAGS,
      since: '2.8.0',
      complexity: 'O(N) for the NUMSUB subcommand, where N is the number of requested channels',
      summary: 'Get the count of subscribers for channels',
    },
  ],
  shardchannels: [
    -2,
    list(SHARD_CHANNELS),
    {
      flags: FLAGS,
      since: '7.0.0',
      complexity:
        'O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short shard channels).',
      summary: 'List active shard channels',
    },
  ],
  shardnumsub: [
    -2,
    countEach(SHARD_CHANNELS),
    {
      flags: FLAGS,
      since: '7.0.0',
      complexity: 'O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels',
      summary: 'Get the count of subscribers for shard channels',
    },
  ],
}

/** What these commands have in common. */
const subscribing = { flags: 'pubsub noscript loading stale', categories: '', whileSubscribed: true }
const publishing: Pick<Entry, 'arity' | 'flags' | 'categories'> = {
  arity: 3,
  flags: 'pubsub loading stale fast',
  categories: '',
}

export const pubsub: Family = family(
  { group: 'pubsub', afterBegin: 'apart' },
  {
    subscribe: {
      ...subscribing,
      arity: -2,
      since: '2.0.0',
      complexity: 'O(N) where N is the number of channels to subscribe to.',
      summary: 'Listen for messages published to the given channels',
      run: subscribe('subscribe', CHANNELS),
    },
    unsubscribe: {
      ...subscribing,
      arity: -1,
      since: '2.0.0',
      complexity: 'O(N) where N is the number of clients already subscribed to a channel.',
      summary: 'Stop listening for messages posted to the given channels',
      run: unsubscribe('unsubscribe', CHANNELS),
    },
    psubscribe: {
      ...subscribing,
      arity: -2,
      since: '2.0.0',
      complexity: 'O(N) where N is the number of patterns the client is already subscribed to.',
      summary: 'Listen for messages published to channels matching the given patterns',
      run: subscribe('psubscribe', PATTERNS),
    },
    punsubscribe: {
      ...subscribing,
      arity: -1,
      since: '2.0.0',
      complexity:
        'O(N+M) where N is the number of patterns the client is already subscribed and M is the number of total patterns subscribed in the system (by any client).',
      summary: 'Stop listening for messages posted to channels matching the given patterns',
      run: unsubscribe('punsubscribe', PATTERNS),
    },
    ssubscribe: {
      ...subscribing,
      arity: -2,
      keys: '1..-1 not_key',
      since: '7.0.0',
      complexity: 'O(N) where N is the number of shard channels to subscribe to.',
      summary: 'Listen for messages published to the given shard channels',
      run: subscribe('ssubscribe', SHARD_CHANNELS),
    },
    sunsubscribe: {
      ...subscribing,
      arity: -1,
      keys: '1..-1 not_key',
      since: '7.0.0',
      complexity: 'O(N) where N is the number of clients already subscribed to a shard channel.',
      summary: 'Stop listening for messages posted to the given shard channels',
      run: unsubscribe('sunsubscribe', SHARD_CHANNELS),
    },
    publish: {
      ...publishing,
      since: '2.0.0',
      complexity:
        'O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).',
      summary: 'Post a message to a channel',
      run: ({ out, server }, request) => out.integer(server.channels.publish(bytesAt(request, 1), bytesAt(request, 2))),
    },
    spublish: {
      ...publishing,
      keys: '1 not_key',
      since: '7.0.0',
      complexity: 'O(N) where N is the number of clients subscribed to the receiving shard channel.',
      summary: 'Post a message to a shard channel',
      run: ({ out, server }, request) =>
        out.integer(server.channels.publishToShard(bytesAt(request, 1), bytesAt(request, 2))),
    },
    pubsub: {
      arity: -2,
      flags: '',
      categories: '@slow',
      since: '2.8.0',
      complexity: 'Depends on subcommand.',
      summary: 'A container for Pub/Sub commands',
      subcommands,
    },
  },
)
