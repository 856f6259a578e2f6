/** /metrics for Prometheus and /health, on a port of their own that only this machine reaches. */
import { createServer } from 'node:http'
import type { Database } from '../../database/database.ts'
import { figuresOf } from '../../metrics/figures.ts'
import { exposition, type Figure, metricsContentType } from '../../metrics/text.ts'
import type { ClientMemory } from './client-memory.ts'
import type { Cluster } from './cluster.ts'
import type { Counts } from './counts.ts'

/** What a server counts. */
export interface Figures {
  readonly db: Database<unknown, unknown>
  readonly sessions: { readonly size: number }
  readonly counts: Counts
  readonly memory: ClientMemory
  /** Why the storage has failed. */
  readonly failure: unknown
  /** Writes are refused for want of room. */
  readonly diskFull: boolean
  /** What it is a node of, if it is one. */
  readonly cluster: Cluster | undefined
}

export interface MetricsServer {
  readonly address: { host: string; port: number }
  close(): Promise<void>
}

const HOST = '127.0.0.1'

export const serveMetrics = async (server: Figures, port: number): Promise<MetricsServer> => {
  const ofProcess = await processMetrics()
  const http = createServer((request, response) => {
    const path = request.url?.split('?')[0]
    const answer = (status: number, type: string, body: string): void => {
      response.writeHead(status, { 'content-type': type })
      response.end(request.method === 'HEAD' ? '' : body)
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') answer(405, 'text/plain', 'GET only\n')
    else if (path === '/health') {
      const { status, body } = healthOf(server)
      answer(status, 'application/json', `${JSON.stringify(body)}\n`)
    } else if (path === '/metrics')
      ofProcess().then(
        text => answer(200, metricsContentType, `${text}${ownText(server)}`),
        error => answer(500, 'text/plain', `${String(error)}\n`),
      )
    else answer(404, 'text/plain', 'there is /metrics and /health\n')
  })
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject)
    http.listen(port, HOST, resolve)
  })
  const { port: bound } = http.address() as { port: number }
  return {
    address: { host: HOST, port: bound },
    close: () =>
      new Promise(resolve => {
        http.close(() => resolve())
        http.closeAllConnections()
      }),
  }
}

const healthOf = (server: Figures): { status: number; body: object } => {
  if (server.failure !== undefined || server.db.closed) return { status: 503, body: { status: 'failed' } }
  const { cluster } = server
  const problem = cluster && problemOf(cluster)
  if (problem !== undefined) return { status: 503, body: problem }
  const warnings = server.db.health().warnings.map(({ code, message }) => ({ code, message }))
  const status = server.diskFull ? 'disk full' : 'ok'
  return { status: 200, body: warnings.length === 0 ? { status } : { status, warnings } }
}

/** A node that follows and has heard nothing of its log for so long is stuck, or cut off. */
const STUCK_MS = 30_000

/** Why a node should get no clients. */
const problemOf = ({ status, isLeader }: Cluster): object | undefined => {
  const { state, reason, behindMs } = status
  if (state === 'halted' || state === 'suspect') return { status: state, reason }
  if (state === 'start' || state === 'check' || state === 'restore') return { status: 'starting', state }
  return isLeader || behindMs <= STUCK_MS ? undefined : { status: 'stuck', behindMs: Math.round(behindMs) }
}

const STATES = ['start', 'check', 'restore', 'follow', 'candidate', 'lead', 'suspect', 'halted', 'stopped']

/** What a node of a cluster tells. */
const ofCluster = ({ status }: Cluster): Figure[] => {
  const { counts } = status
  const gauge = (name: string, help: string, value: number): Figure => ({
    name: `cluster_${name}`,
    type: 'gauge',
    help,
    value,
  })
  const counter = (name: string, help: string, value: number): Figure => ({
    name: `cluster_${name}_total`,
    type: 'counter',
    help,
    value,
  })
  return [
    ...STATES.map(state => ({
      ...gauge('state', 'State of the node: 1 for the one that it is in', status.state === state ? 1 : 0),
      labels: { state },
    })),
    gauge('epoch', 'Number of the reign that the node knows of', status.epoch),
    gauge('sequence', 'Last message of the log that the node has applied', status.sequence),
    gauge('lag_messages', 'Messages of the log that it has not applied', status.lag),
    gauge('behind_seconds', 'Time since it had all that the log had', status.behindMs / 1000),
    gauge('lease_left_seconds', 'Time for which it may answer reads as the leader', status.leaseLeft / 1000),
    gauge('log_connected', '1: connected to the log', status.isConnected ? 1 : 0),
    gauge('queued_commands', 'Commands that wait for a group', status.queued),
    counter('groups', 'Groups that it has committed as the leader', counts.groups),
    counter('commands', 'Commands in these groups', counts.commands),
    counter('appends', 'Messages that it has appended', counts.appends),
    counter('append_attempts', 'Attempts to append them', counts.attempts),
    counter('append_seconds', 'Time from the first attempt of each to its outcome', counts.appendMs / 1000),
    counter('applied', 'Messages that it has applied from the log', counts.applied),
    counter('superseded', 'Groups that were rolled back since another message took their place', counts.superseded),
    counter('full', 'Commands that were refused since the log was full', counts.full),
  ]
}

/** Asks for the text of what the process itself tells, by the package `prom-client`; a comment where that is missing. */
const processMetrics = async (): Promise<() => Promise<string>> => {
  let client: typeof import('prom-client')
  try {
    client = await import('prom-client')
  } catch (error) {
    if (!isMissing(error)) throw error
    return async () => '# Figures of the process are left out: npm install prom-client\n'
  }
  const registry = new client.Registry()
  client.collectDefaultMetrics({ register: registry })
  return () => registry.metrics()
}

/** By `import`, and by `require`. */
const isMissing = (error: unknown): boolean =>
  ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'].includes((error as { code?: string }).code ?? '')

/** What the database and the server tell. */
const ownText = (server: Figures): string => {
  const ofDatabase = figuresOf(server.db).map(figure =>
    figure.name === 'disk_full' ? { ...figure, value: server.diskFull ? 1 : 0 } : figure,
  )
  const counter = (name: string, help: string, value: number): Figure => ({
    name: `${name}_total`,
    type: 'counter',
    help,
    value,
  })
  const { counts, memory } = server
  const ofServer: Figure[] = [
    { name: 'clients', type: 'gauge', help: 'Connected clients', value: server.sessions.size },
    counter('commands', 'Commands processed', counts.commands),
    counter('connections', 'Connections accepted', counts.connections),
    counter('connections_refused', 'Connections refused', counts.refused),
    counter('clients_evicted', 'Clients closed since all together held too much memory', counts.evictedClients),
    {
      name: 'client_memory_bytes',
      type: 'gauge',
      help: 'Bytes of requests and replies of clients',
      value: memory.used,
    },
    counter('received_bytes', 'Bytes of requests', counts.received),
    counter('sent_bytes', 'Bytes of replies', counts.sent),
    counter('key_hits', 'Keys that commands have looked for and found', counts.hits),
    counter('key_misses', 'Keys that commands have looked for and not found', counts.misses),
  ]
  const ofNode = server.cluster === undefined ? [] : ofCluster(server.cluster)
  return exposition([...ofDatabase, ...ofServer, ...ofNode], 'xenondb', {})
}
