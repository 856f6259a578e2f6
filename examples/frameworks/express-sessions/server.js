import express from 'express'
import session from 'express-session'
import { open } from 'xenondb'
import { XenonStore } from './store.js'

const db = open(process.env.DATABASE ?? 'data', { lockWait: 2_000 })
const app = express()
app.use(express.json())
app.use(
  session({
    store: new XenonStore(db),
    secret: process.env.SECRET,
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: Number(process.env.MAX_AGE ?? 7 * 86_400_000) },
  }),
)

app.post('/login', (request, response, next) => {
  // A new id, so that nobody has fixed it before.
  request.session.regenerate(error => {
    if (error) return next(error)
    request.session.user = request.body.user
    // Whoever has the answer finds the session there.
    request.session.save(error => (error ? next(error) : response.json({ user: request.body.user })))
  })
})

app.get('/me', (request, response) => {
  if (request.session.user === undefined) return response.status(401).end()
  response.json({ user: request.session.user })
})

app.post('/logout', (request, response, next) => {
  request.session.destroy(error => (error ? next(error) : response.status(204).end()))
})

const server = app.listen(Number(process.env.PORT ?? 3000), () =>
  console.log(`http://localhost:${server.address().port}`),
)

for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => {
    server.close(() => db.close())
    server.closeIdleConnections()
  })
