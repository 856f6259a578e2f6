import { Hono } from 'hono'
import { XenonError } from 'xenondb'

/** The routes; the database is handed over, so that a test may hand over one of its own. */
export function createApp(db) {
  const app = new Hono()

  app.put('/bookmarks/:user/:name', async c => {
    const { user, name } = c.req.param()
    await db.async.put([user, name], await c.req.json())
    return c.body(null, 204)
  })

  app.get('/bookmarks/:user/:name', async c => {
    const { user, name } = c.req.param()
    const found = await db.async.get([user, name])
    return found === undefined ? c.notFound() : c.json(found)
  })

  app.get('/bookmarks/:user', c => {
    const found = [...db.entries({ prefix: [c.req.param('user')], limit: 100 })]
    return c.json(found.map(([[, name], bookmark]) => ({ name, ...bookmark })))
  })

  app.onError((error, c) => {
    // What the caller sent can never be a record: an empty name, say.
    if (XenonError.is(error, 'XENON_INVALID_ARGUMENT') || XenonError.is(error, 'XENON_KEY_TOO_LARGE'))
      return c.json({ error: error.message }, 400)
    console.error(error)
    return c.json({ error: 'internal error' }, 500)
  })

  return app
}
