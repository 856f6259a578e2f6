/**
 * The explorer over HTTP, for a browser of this machine: listens on 127.0.0.1, and answers whoever knows the token that
 * stands first in every path. A page of another site cannot guess the token, cannot reach the port under a name of its
 * own (Host), and is refused by its Origin; nothing that is stored in a database is ever sent as markup or script.
 *
 *     GET  /TOKEN/            the page, and the files that it is made of
 *     POST /TOKEN/api/CALL    a call of `api.ts`: JSON in; JSON out, or a message of `pack.ts`
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { basename, dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { XenonError } from '../errors.ts'
import type { Explorer } from './api.ts'
import { hasArrays, pack } from './pack.ts'

const HOST = '127.0.0.1'
const TOKEN_BYTES = 24
/** Longest body of a call. */
const MOST_BYTES = 4194304
const REQUEST_MS = 30_000

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

const SAFE: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

export interface ExplorerServer {
  /** The address of the page, its token included. */
  readonly url: string
  close(): Promise<void>
}

/**
 * Serves the page and the calls on a port of 127.0.0.1, 0: any free one.
 * @throws XenonError `XENON_NOT_FOUND` if the package was built without the page; an error of the system
 */
export const serveExplorer = async (explorer: Explorer, port: number): Promise<ExplorerServer> => {
  const files = pageFiles()
  const token = randomBytes(TOKEN_BYTES).toString('base64url')
  const server = createServer({ requestTimeout: REQUEST_MS }, (request, response) => {
    answer(explorer, files, token, request, response).catch(error => {
      send(response, 500, 'text/plain', `${(error as Error).message}\n`)
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, HOST, resolve)
  })
  return {
    url: `http://${HOST}:${portOf(server)}/${token}/`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const portOf = (server: Server): number => (server.address() as { port: number }).port

const answer = async (
  explorer: Explorer,
  files: ReadonlyMap<string, Uint8Array>,
  token: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  const refusal = refusalOf(request)
  if (refusal !== undefined) return send(response, 403, 'text/plain', `${refusal}\n`)
  const [, given = '', ...rest] = (request.url ?? '').split('?')[0]!.split('/')
  if (!isSame(given, token))
    return send(response, 403, 'text/plain', 'the address must hold the token that xenondb explore has printed\n')
  const path = rest.join('/')
  if (path.startsWith('api/')) return await answerCall(explorer, path.slice(4), request, response)
  const file = files.get(path === '' ? 'index.html' : path)
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'text/plain', 'GET only\n')
  if (file === undefined) return send(response, 404, 'text/plain', 'there is no such file\n')
  send(response, 200, TYPES[extname(path === '' ? 'index.html' : path)] ?? 'application/octet-stream', file)
}

/** Why a request is none of our page's: it came under another name, or from another site. */
const refusalOf = ({ headers, socket }: IncomingMessage): string | undefined => {
  const own = [HOST, 'localhost'].map(host => `${host}:${socket.localPort}`)
  if (headers.host === undefined || !own.includes(headers.host)) return 'this is for 127.0.0.1 and localhost only'
  const { origin } = headers
  if (origin !== undefined && origin !== `http://${headers.host}`) return 'not for pages of other origins'
  const site = headers['sec-fetch-site']
  // Typed, or from a terminal: "none".
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return 'not for pages of other sites'
  return undefined
}

const isSame = (given: string, token: string): boolean => {
  const [a, b] = [Buffer.from(given), Buffer.from(token)]
  return a.length === b.length && timingSafeEqual(a, b)
}

const answerCall = async (
  explorer: Explorer,
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  const isJson = request.headers['content-type']?.split(';')[0] === 'application/json'
  if (request.method !== 'POST' || !isJson) return send(response, 405, 'text/plain', 'POST of application/json only\n')
  const body = await bodyOf(request)
  if (body === undefined) {
    // The rest of them is not read, so nothing else can come over this connection.
    response.setHeader('connection', 'close')
    return send(response, 413, 'text/plain', 'the parameters are too long\n')
  }
  try {
    const found = await explorer.call(name, parsed(body))
    if (hasArrays(found)) send(response, 200, 'application/octet-stream', pack(found))
    else send(response, 200, 'application/json', JSON.stringify(found))
  } catch (error) {
    const code = error instanceof XenonError ? error.code : 'XENON_INVALID_ARGUMENT'
    const message = (error as Error).message
    const block = (error as { block?: unknown }).block
    send(response, code === 'XENON_READ_ONLY' ? 403 : 400, 'application/json', JSON.stringify({ code, message, block }))
  }
}

const parsed = (body: string): unknown => {
  try {
    return body === '' ? {} : JSON.parse(body)
  } catch {
    throw new XenonError('XENON_INVALID_ARGUMENT', 'the parameters are no JSON')
  }
}

const bodyOf = async (request: IncomingMessage): Promise<string | undefined> => {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length
    if (length > MOST_BYTES) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

const send = (response: ServerResponse, status: number, type: string, body: string | Uint8Array): void => {
  if (response.headersSent) return
  response.writeHead(status, { ...SAFE, 'content-type': type, 'content-length': Buffer.byteLength(body) })
  response.end(response.req.method === 'HEAD' ? undefined : body)
}

/** The files of the page by their names, as the build has made them. */
const pageFiles = (): ReadonlyMap<string, Uint8Array> => {
  let folder = dirname(fileURLToPath(import.meta.url))
  for (let up = 0; up < 4; up++, folder = dirname(folder)) {
    const place = basename(folder) === 'dist' ? join(folder, 'explorer') : join(folder, 'dist', 'explorer')
    if (existsSync(join(place, 'index.html'))) return filesIn(place)
  }
  throw new XenonError('XENON_NOT_FOUND', 'the page of the explorer was not built; npm run build makes it')
}

const filesIn = (folder: string): ReadonlyMap<string, Uint8Array> => {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => extname(name) in TYPES)
  return new Map(names.map(name => [name.replaceAll('\\', '/'), readFileSync(join(folder, name))]))
}
