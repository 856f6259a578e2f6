import { randomUUID } from 'node:crypto'

/** What a page may ask for: the channels, and the function of each. A page never names a key or a range by itself. */
export const notes = db => ({
  'notes:add': async text => {
    if (typeof text !== 'string' || text.length > 10_000)
      throw new TypeError('a note is a text of at most 10,000 characters')
    const key = `${new Date().toISOString()} ${randomUUID()}`
    await db.async.put(key, { text })
    return key
  },
  'notes:latest': () => [...db.entries({ reverse: true, limit: 50 })].map(([key, { text }]) => ({ key, text })),
  'notes:remove': key => db.async.delete(String(key)),
})
