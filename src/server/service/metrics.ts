/** /metrics for Prometheus and /health, on a port of their own that only this machine reaches. */
import { createServer } from 'node:http'
import type { Database } from '../../database/database.ts'

/** What a server counts. */
export interface Figures {
  readonly db: Database<Uint8Array>
  readonly sessions: { readonly size: number }
  readonly connectionsReceived: number
  readonly connectionsRefused: number
  readonly commandsProcessed: number
  readonly bytesSent: number
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
  const registry = await registryOf(server)
  const http = createServer((request, response) => {
    const path = request.url?.split('?')[0]
    const answer = (status: number, type: string, body: string): void => {
      response.writeHead(status, { 'content-type': type })
      response.end(request.method === 'HEAD' ? '' : body)
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') answer(405, 'text/plain', 'GET only\n')
    else if (path === '/health') {
      const healthy = server.failure === undefined && !server.db.closed
      answer(
        healthy ? 200 : 503,
        'application/json',
        `${JSON.stringify({ status: healthy ? (server.diskFull ? 'disk full' : 'ok') : 'failed' })}\n`,
      )
    } else if (path === '/metrics')
      registry.metrics().then(
        text => answer(200, registry.contentType, text),
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

/** The values are read when somebody asks for them. */
const registryOf = async (server: Figures): Promise<import('prom-client').Registry> => {
  const { Counter, Gauge, Registry, collectDefaultMetrics } = await import('prom-client')
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name: `xenondb_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(read())
      },
    })
  }
  const counter = (name: string, help: string, read: () => number): void => {
    new Counter({
      name: `xenondb_${name}_total`,
      help,
      registers: [registry],
      collect() {
        this.reset()
        this.inc(read())
      },
    })
  }
  const stats = (): ReturnType<typeof server.db.stats> => server.db.stats()
  gauge('clients', 'Connected clients', () => server.sessions.size)
  gauge('records', 'Records stored', () => stats().records)
  gauge('data_bytes', 'Bytes of the data file', () => stats().dataBytes)
  gauge('log_bytes_in_use', 'Bytes of log that recovery would need', () => stats().logBytesInUse)
  gauge('cache_dirty_blocks', 'Blocks changed in memory', () => stats().cache.dirty)
  gauge('disk_full', 'Writes are refused, since the disk is full', () => (server.diskFull ? 1 : 0))
  gauge('disk_free_bytes', 'Bytes free on the file system of the database', () => stats().disk.free ?? -1)
  counter('disk_refused_writes', 'Writes refused for want of room', () => stats().disk.refused)
  counter('commands', 'Commands processed', () => server.commandsProcessed)
  counter('connections', 'Connections accepted', () => server.connectionsReceived)
  counter('connections_refused', 'Connections refused', () => server.connectionsRefused)
  counter('sent_bytes', 'Bytes of replies', () => server.bytesSent)
  counter('commits', 'Transactions committed', () => stats().transactions.commits)
  counter('fsyncs', 'fdatasync calls', () => stats().fsyncs)
  counter('cache_hits', 'Block accesses that found their block in memory', () => stats().cache.hits)
  counter('cache_misses', 'Block accesses that read it', () => stats().cache.misses)
  counter('deadlocks', 'Deadlocks resolved', () => stats().transactions.deadlocks)
  return registry
}
