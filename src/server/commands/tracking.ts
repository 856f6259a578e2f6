/** CLIENT TRACKING, CACHING, GETREDIR and TRACKINGINFO: caches of clients. */

import { type Arguments, isWord, textAt } from '../protocol/request.ts'
import type { TrackingState } from '../service/tracking.ts'
import { integerAt } from './arguments.ts'
import type { Caller, Handler } from './caller.ts'
import { CommandError, SYNTAX } from './errors.ts'
import type { Subcommands } from './subcommands.ts'

interface Asked {
  redirect: number
  broadcast: boolean
  optIn: boolean
  optOut: boolean
  noLoop: boolean
  prefixes: string[]
}

const askedFor = ({ server }: Caller, request: Arguments): Asked => {
  const asked: Asked = { redirect: 0, broadcast: false, optIn: false, optOut: false, noLoop: false, prefixes: [] }
  for (let i = 3; i < request.count; i++) {
    const isLast = i + 1 === request.count
    if (isWord(request, i, 'redirect') && !isLast) {
      if (asked.redirect !== 0) throw new CommandError('ERR A client can only redirect to a single other client')
      asked.redirect = Number(integerAt(request, ++i))
      if (!server.sessions.has(asked.redirect))
        throw new CommandError('ERR The client ID you want redirect to does not exist')
    } else if (isWord(request, i, 'bcast')) asked.broadcast = true
    else if (isWord(request, i, 'optin')) asked.optIn = true
    else if (isWord(request, i, 'optout')) asked.optOut = true
    else if (isWord(request, i, 'noloop')) asked.noLoop = true
    else if (isWord(request, i, 'prefix') && !isLast) asked.prefixes.push(textAt(request, ++i))
    else throw new CommandError(SYNTAX)
  }
  return asked
}

const DISABLE_FIRST = 'before disabling tracking for this client, and then re-enabling it with a different mode.'

/** @throws CommandError if this cannot be had together, or not beside what the client has. */
const requireCompatible = (asked: Asked, before: TrackingState | undefined): void => {
  const { broadcast, optIn, optOut, prefixes } = asked
  if (!broadcast && prefixes.length > 0) throw new CommandError('ERR PREFIX option requires BCAST mode to be enabled')
  if (before !== undefined && before.broadcast !== broadcast)
    throw new CommandError(`ERR You can't switch BCAST mode on/off ${DISABLE_FIRST}`)
  if (broadcast && (optIn || optOut)) throw new CommandError('ERR OPTIN and OPTOUT are not compatible with BCAST')
  if (optIn && optOut) throw new CommandError("ERR You can't specify both OPTIN mode and OPTOUT mode")
  if (before !== undefined && ((optIn && before.optOut) || (optOut && before.optIn)))
    throw new CommandError(`ERR You can't switch OPTIN/OPTOUT mode ${DISABLE_FIRST}`)
  for (const [at, prefix] of prefixes.entries()) {
    for (const other of before?.prefixes ?? [])
      if (overlap(prefix, other))
        throw new CommandError(
          `ERR Prefix '${prefix}' overlaps with an existing prefix '${other}'. Prefixes for a single client must not overlap.`,
        )
    for (const other of prefixes.slice(at + 1))
      if (overlap(prefix, other))
        throw new CommandError(
          `ERR Prefix '${prefix}' overlaps with another provided prefix '${other}'. Prefixes for a single client must not overlap.`,
        )
  }
}

const overlap = (a: string, b: string): boolean => a.startsWith(b) || b.startsWith(a)

const tracking: Handler = (caller, request) => {
  const { server, out } = caller
  const asked = askedFor(caller, request)
  if (isWord(request, 2, 'on')) {
    requireCompatible(asked, server.tracking.of(caller))
    server.tracking.enable(caller, asked, asked.prefixes)
  } else if (isWord(request, 2, 'off')) server.tracking.disable(caller)
  else throw new CommandError(SYNTAX)
  server.observe()
  out.ok()
}

const caching: Handler = (caller, request) => {
  const { tracking: all } = caller.server
  const state = all.of(caller)
  if (state === undefined)
    throw new CommandError(
      'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled',
    )
  const [yes, no] = [isWord(request, 2, 'yes'), isWord(request, 2, 'no')]
  if (!yes && !no) throw new CommandError(SYNTAX)
  if (yes && !state.optIn)
    throw new CommandError('ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.')
  if (no && !state.optOut)
    throw new CommandError('ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.')
  all.setCaching(caller, true)
  caller.out.ok()
}

const trackingInfo: Handler = (caller: Caller) => {
  const { out, server } = caller
  const state = server.tracking.of(caller)
  const flags = state === undefined ? ['off'] : flagsOf(state)
  out.map(3)
  out.text('flags')
  out.set(flags.length)
  for (const flag of flags) out.text(flag)
  out.text('redirect')
  out.integer(state?.redirect ?? -1)
  out.text('prefixes')
  const prefixes = [...(state?.prefixes ?? [])].sort()
  out.array(prefixes.length)
  for (const prefix of prefixes) out.bulk(Buffer.from(prefix, 'latin1'))
}

const flagsOf = ({ broadcast, optIn, optOut, caching: isGiven, noLoop, isBroken }: TrackingState): string[] => {
  const flags = ['on']
  if (broadcast) flags.push('bcast')
  if (optIn) flags.push('optin', ...(isGiven ? ['caching-yes'] : []))
  if (optOut) flags.push('optout', ...(isGiven ? ['caching-no'] : []))
  if (noLoop) flags.push('noloop')
  if (isBroken) flags.push('broken_redirect')
  return flags
}

const FLAGS = 'noscript loading stale'

/** Subcommands of CLIENT. */
export const trackingSubcommands: Subcommands = {
  tracking: [
    -3,
    tracking,
    {
      flags: FLAGS,
      since: '6.0.0',
      complexity: 'O(1). Some options may introduce additional complexity.',
      summary: 'Enable or disable server assisted client side caching support',
    },
  ],
  caching: [
    3,
    caching,
    {
      flags: FLAGS,
      since: '6.0.0',
      summary: 'Instruct the server about tracking or not keys in the next request',
    },
  ],
  getredir: [
    2,
    caller => caller.out.integer(caller.server.tracking.of(caller)?.redirect ?? -1),
    { flags: FLAGS, since: '6.0.0', summary: 'Get tracking notifications redirection client ID if any' },
  ],
  trackinginfo: [
    2,
    trackingInfo,
    {
      flags: FLAGS,
      since: '6.2.0',
      summary: 'Return information about server assisted client side caching for the current connection',
    },
  ],
}
