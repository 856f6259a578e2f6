/**
 * How the nats-servers themselves are configured: whether each is new enough, and has what it acknowledges on its disk.
 * JetStream's own answers do not say that. Those of the system account do (`$SYS.REQ.SERVER.PING.VARZ`, which every
 * server of the cluster answers), and so does each server's monitor.
 */
import { reasonOf } from '../../errors.ts'
import type { NatsLink } from './connection.ts'

export interface NatsServer {
  readonly name: string
  readonly version: string
  /** `jetstream.config.sync_always`: `sync_interval` says 120 s even then. */
  readonly syncsAlways: boolean | undefined
  /** Bytes of the largest message that it takes; undefined if nobody could say. */
  readonly maxPayload: number | undefined
}

/** 2.9 lost acknowledged data in 5 of 6 runs in which servers were killed. */
const OLDEST = '2.10.27'
/** Atomic batches, and fixes for servers that come back from an outage. */
const RECOMMENDED = '2.15.0'

interface Varz {
  server_name?: string
  name?: string
  version?: string
  max_payload?: number
  jetstream?: { config?: { sync_always?: boolean } }
}

/** Asks all servers by the system account; waits `ms` for the slowest. */
export async function serversBySystem(link: NatsLink, ms: number): Promise<NatsServer[]> {
  const found = new Map<string, NatsServer>()
  const answers = await link.connection.requestMany('$SYS.REQ.SERVER.PING.VARZ', '', {
    strategy: 'stall',
    maxWait: ms,
    stall: Math.min(ms, 300),
  })
  for await (const answer of answers) {
    if (answer.data.length === 0) continue
    const { server, data } = answer.json<{ server?: { name?: string }; data?: Varz }>()
    if (data !== undefined) add(found, data, server?.name)
  }
  return [...found.values()]
}

/** Asks each monitor (`http://HOST:PORT`); those that do not answer are told of in `warnings`. */
export async function serversByMonitors(
  monitors: readonly string[],
  ms: number,
  warnings: string[],
): Promise<NatsServer[]> {
  const found = new Map<string, NatsServer>()
  const ask = async (monitor: string): Promise<void> => {
    try {
      const url = `${monitor.replace(/\/$/, '')}/varz`
      const answer = await fetch(url, { signal: AbortSignal.timeout(ms) })
      add(found, (await answer.json()) as Varz, monitor)
    } catch (error) {
      warnings.push(`the monitor ${monitor} does not answer: ${reasonOf(error)}`)
    }
  }
  await Promise.all(monitors.map(ask))
  return [...found.values()]
}

function add(found: Map<string, NatsServer>, varz: Varz, otherwise: string | undefined): void {
  const name = varz.server_name ?? varz.name ?? otherwise ?? '?'
  const config = varz.jetstream?.config
  // A server without JetStream carries connections alone: it holds nothing that could be lost.
  if (config === undefined) return
  const syncsAlways = config.sync_always === true
  found.set(name, { name, version: varz.version ?? '0', syncsAlways, maxPayload: varz.max_payload })
}

/** Adds what is wrong with the servers, and what an operator should know. */
export function judgeServers(servers: readonly NatsServer[], problems: string[], warnings: string[]): void {
  for (const { name, version, syncsAlways } of servers) {
    if (!isAtLeast(version, OLDEST))
      problems.push(
        `nats-server ${name} is ${version}, which can lose acknowledged data: upgrade it to ${OLDEST} or newer`,
      )
    else if (!isAtLeast(version, RECOMMENDED))
      warnings.push(`nats-server ${name} is ${version}: ${RECOMMENDED} or newer is recommended`)
    if (syncsAlways === false)
      problems.push(
        `nats-server ${name} acknowledges what is not on its disk yet: write "sync_interval: always" into the block "jetstream" of its configuration, and start it again`,
      )
  }
  const sizes = new Set(servers.map(({ maxPayload }) => maxPayload).filter(size => size !== undefined))
  if (sizes.size > 1)
    warnings.push(
      `the servers take messages of different sizes (max_payload): ${[...sizes].join(', ')} bytes; the least counts`,
    )
}

/** Compares versions such as `2.10.27`; what follows the three numbers does not count. */
export function isAtLeast(version: string, least: string): boolean {
  const [a, b] = [version, least].map(text => (text.match(/\d+/g) ?? []).slice(0, 3).map(Number))
  for (let i = 0; i < 3; i++) if ((a![i] ?? 0) !== (b![i] ?? 0)) return (a![i] ?? 0) > (b![i] ?? 0)
  return true
}
