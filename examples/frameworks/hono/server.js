import { serve } from '@hono/node-server'
import { open, XenonError } from 'xenondb'
import { createApp } from './app.js'

let db
try {
  // The process before this one may still be closing: a deployment, `node --watch`.
  db = open(process.env.DATABASE ?? 'data', { keyEncoding: 'tuple', valueEncoding: 'json', lockWait: 5_000 })
} catch (error) {
  if (!XenonError.is(error, 'XENON_LOCKED')) throw error
  console.error(error.message)
  process.exit(1)
}

const server = serve({ fetch: createApp(db).fetch, port: Number(process.env.PORT ?? 3000) }, ({ port }) =>
  console.log(`http://localhost:${port}`),
)

for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => {
    server.close(() => db.close())
    server.closeIdleConnections()
  })
