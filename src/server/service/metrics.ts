/** /metrics for Prometheus and /health, on a port of their own that only this machine reaches. */
import { createServer } from 'node:http'
import type { Database } from '../../database/database.ts'
import { figuresOf } from '../../metrics/figures.ts'
import { exposition, type Figure, metricsContentType } from '../../metrics/text.ts'
import type { ClientMemory } from './client-memory.ts'
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
  const warnings = server.db.health().warnings.map(({ code, message }) => ({ code, message }))
  const status = server.diskFull ? 'disk full' : 'ok'
  return { status: 200, body: warnings.length === 0 ? { status } : { status, warnings } }
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
  return exposition([...ofDatabase, ...ofServer], 'xenondb', {})
}
