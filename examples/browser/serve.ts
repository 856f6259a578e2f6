/**
 * Serves the to-do list of this folder: `npm run example:browser`. Its two scripts are bundled by esbuild, as an
 * application's would be: the page, and the worker of `xenondb/browser` beside it.
 */
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const TYPES: Readonly<Record<string, string>> = { html: 'text/html; charset=utf-8', js: 'text/javascript' }

const bundled = async (entry: string): Promise<Uint8Array> => {
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, minify: true, format: 'esm', write: false })
  return outputFiles[0]!.contents
}

/** Resolves once it listens on the port, on this machine alone. */
export const serve = async (port: number): Promise<Server> => {
  // From build/examples/browser, too.
  const folder = join(process.cwd(), 'examples', 'browser')
  const files = new Map<string, string | Uint8Array>([
    ['index.html', readFileSync(join(folder, 'index.html'))],
    ['offline.js', readFileSync(join(folder, 'offline.js'))],
    ['page.js', await bundled(join(folder, 'page.js'))],
    ['worker.js', await bundled(fileURLToPath(import.meta.resolve('xenondb/browser/worker')))],
  ])
  const server = createServer(({ url = '/' }, response) => {
    const name = url === '/' ? 'index.html' : url.slice(1)
    const content = files.get(name)
    response.writeHead(content === undefined ? 404 : 200, {
      'content-type': TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'text/plain',
    })
    response.end(content ?? 'not here')
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return server
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await serve(Number(process.env.PORT ?? 8080))
  const { port } = server.address() as { port: number }
  console.log(`a to-do list for any number of tabs: http://localhost:${port}`)
}
