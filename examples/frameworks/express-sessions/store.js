import session from 'express-session'

const ONE_DAY = 86_400_000

/**
 * Sessions of `express-session` in xenondb, one record each, which expires with its cookie. What is saved is durable
 * before the answer goes out, and all logins of a moment share one wait for the disk.
 */
export class XenonStore extends session.Store {
  #sessions
  #ttl

  /** `ttl`: milliseconds that a session lasts whose cookie has no `maxAge`. */
  constructor(db, { name = 'sessions', ttl = ONE_DAY } = {}) {
    super()
    this.#sessions = db.sub(name, { valueEncoding: 'json' })
    this.#ttl = ttl
  }

  get(id, done) {
    answer(this.#sessions.async.get(id), done)
  }

  set(id, data, done = noop) {
    const ttl = this.#ttlOf(data)
    answer(ttl > 0 ? this.#sessions.async.put(id, data, { ttl }) : this.#sessions.async.delete(id).then(noop), done)
  }

  /** The session was used and not changed: it lasts from now on again. */
  touch(id, data, done = noop) {
    const ttl = this.#ttlOf(data)
    answer((ttl > 0 ? this.#sessions.async.expire(id, ttl) : this.#sessions.async.delete(id)).then(noop), done)
  }

  destroy(id, done = noop) {
    answer(this.#sessions.async.delete(id).then(noop), done)
  }

  all(done) {
    answer(this.#all(), done)
  }

  length(done) {
    answer(this.#sessions.async.count(), done)
  }

  clear(done = noop) {
    answer(this.#sessions.async.clear(), done)
  }

  async #all() {
    const found = []
    for await (const [id, data] of this.#sessions.async.entries()) found.push({ id, ...data })
    return found
  }

  #ttlOf({ cookie }) {
    const { maxAge, expires } = cookie ?? {}
    if (typeof maxAge === 'number') return maxAge
    return expires ? new Date(expires).getTime() - Date.now() : this.#ttl
  }
}

const noop = () => {}

/** A promise's end for a callback, which runs outside the promise: what it throws is not an error of the store. */
function answer(promise, done) {
  promise.then(
    value => process.nextTick(done, null, value),
    error => process.nextTick(done, error),
  )
}
