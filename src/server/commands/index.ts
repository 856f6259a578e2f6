/** All commands by name. */
import type { Arguments } from '../protocol/request.ts'
import { admin } from './admin.ts'
import { bits } from './bits.ts'
import { client } from './client.ts'
import { cluster } from './cluster.ts'
import type { Command, Family } from './command.ts'
import { config } from './config.ts'
import { connection } from './connection.ts'
import { counters } from './counters.ts'
import { dump } from './dump.ts'
import { expiry } from './expiry.ts'
import { info } from './info.ts'
import { inspect } from './inspect.ts'
import { interactive } from './interactive.ts'
import { introspection } from './introspection.ts'
import { keys } from './keys.ts'
import { latency } from './latency.ts'
import { maintenance } from './maintenance.ts'
import { memory } from './memory.ts'
import { monitor } from './monitor.ts'
import { object } from './object.ts'
import { pubsub } from './pubsub.ts'
import { ranges } from './ranges.ts'
import { replication } from './replication.ts'
import { scripting } from './scripting.ts'
import { slowLog } from './slow-log.ts'
import { strings } from './strings.ts'
import { subs } from './subs.ts'
import { transactions } from './transactions.ts'

/** In the order in which COMMAND lists them. */
const families: readonly Family[] = [
  connection,
  strings,
  counters,
  bits,
  keys,
  dump,
  expiry,
  object,
  transactions,
  pubsub,
  scripting(request => findCommand(request)),
  info,
  introspection(() => commands),
  config,
  client,
  admin,
  slowLog,
  latency,
  monitor,
  memory,
  replication,
  cluster,
  interactive,
  ranges,
  subs,
  maintenance,
  inspect,
]

export const commands: ReadonlyMap<string, Command> = new Map(families.flat().map(command => [command.name, command]))

/** Sums over the small letters of the names, so that a lookup makes no string. */
const bySum: Map<number, Command[]> = new Map()
const sumOf = (bytes: Uint8Array, start: number, end: number): number => {
  let sum = end - start
  for (let at = start; at < end; at++) sum = (sum * 31 + (bytes[at]! | 32)) | 0
  return sum
}
for (const command of commands.values()) {
  const name = Buffer.from(command.name)
  const sum = sumOf(name, 0, name.length)
  bySum.set(sum, [...(bySum.get(sum) ?? []), command])
}

/** What was asked for last: most often it is asked for again. */
let last: Command = families[0]![0]!

export const findCommand = (request: Arguments): Command | undefined => {
  const { source } = request
  const start = request.starts[0]!
  const end = request.ends[0]!
  if (isNamed(last.name, source, start, end)) return last
  const found = bySum.get(end - start > 16 ? 0 : sumOf(source, start, end))
  if (found === undefined) return undefined
  for (const command of found) {
    if (!isNamed(command.name, source, start, end)) continue
    last = command
    return command
  }
  return undefined
}

const isNamed = (name: string, bytes: Uint8Array, start: number, end: number): boolean => {
  if (name.length !== end - start) return false
  for (let i = 0; i < name.length; i++) {
    const byte = bytes[start + i]!
    const small = byte >= 65 && byte <= 90 ? byte + 32 : byte
    if (small !== name.charCodeAt(i)) return false
  }
  return true
}
