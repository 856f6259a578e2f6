/** The indexes that the contract suite reads: `declare(db, where)` is called where the database is open. */
const parsed = value => (value instanceof Uint8Array ? JSON.parse(new TextDecoder().decode(value)) : value)

/** `where`: 'root', or the name of a sub-database. Values are JSON, or their bytes. */
export const declareIndexes = (db, where) => {
  const store = where === 'root' ? db : db.sub(where, { valueEncoding: 'json' })
  store.index('city', value => parsed(value).city)
  store.index('tag', value => parsed(value).tags)
  store.index('email', value => parsed(value).email, { unique: true })
}
