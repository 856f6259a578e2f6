/** What console.log shows: one line, of whatever has a database behind it. */
import { inspect } from 'node:util'
import { MessageChannel } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { connect } from '../../src/client/index.ts'
import { createServer } from '../../src/server/index.ts'
import { PortDatabase, servePort } from '../../src/worker/index.ts'
import { withMemoryDatabase } from '../support/database.ts'

test('databases, what lies in them, and clients show as one line', () =>
  withMemoryDatabase({}, async ({ db, directory }) => {
    db.put('a', '1')
    expect(inspect(db)).toBe(`Database { directory: '${directory}', records: 1 }`)
    expect(inspect({ db })).toBe(`{ db: Database { directory: '${directory}', records: 1 } }`)
    const sub = db.sub("it's\n")
    expect(inspect(sub)).toBe(`Sub { name: 'it\\'s\\n', directory: '${directory}' }`)
    db.transaction(tx => {
      expect(inspect(tx)).toMatch(/^Transaction { id: \d+, isolation: 'serializable', ended: false }$/)
    })
    const snapshot = db.snapshot()
    expect(inspect(snapshot)).toBe('Snapshot { closed: false }')
    snapshot.close()
    expect(inspect(db.async)).toBe('AsyncDatabase { closed: false }')
    const server = createServer(db, { port: 0 })
    const { port } = (await server.listen()) as { port: number }
    const client = await connect({ port })
    expect(inspect(client)).toBe(`Client { server: '127.0.0.1:${port}', connected: true }`)
    expect(inspect(await client.sub('users'))).toBe(`ClientSub { name: 'users', server: '127.0.0.1:${port}' }`)
    await client.close()
    expect(inspect(client)).toBe(`Client { server: '127.0.0.1:${port}', closed: true }`)
    await server.close()
    db.close()
    expect(inspect(db)).toBe(`Database { directory: '${directory}', closed: true }`)
    // The class itself, and what a debugger shows of it, is none.
    expect(() => inspect(Object.getPrototypeOf(db))).not.toThrow()
  }))

test('what is no range is refused by every face', () =>
  withMemoryDatabase({}, async ({ db }) => {
    db.put('a', '1')
    const server = createServer(db, { port: 0 })
    const { port } = (await server.listen()) as { port: number }
    const client = await connect({ port })
    const snapshot = db.snapshot()
    const index = db.index('self', value => value)
    const { port1, port2 } = new MessageChannel()
    const stop = servePort(db, port1)
    const far = new PortDatabase<string>(port2)
    const tx = db.begin()
    const refusal = { code: 'XENON_INVALID_ARGUMENT', message: expect.stringContaining('a range must be an object') }
    for (const given of [/a/, new Date(), new Map(), new Set(), ['a'], new URL('http://a'), 7, () => {}]) {
      const range = given as never
      for (const read of [db, snapshot, tx, db.sub('users')]) {
        expect(() => read.keys(range)).toThrow(expect.objectContaining(refusal))
        expect(() => read.entries(range)).toThrow(expect.objectContaining(refusal))
        expect(() => read.count(range)).toThrow(expect.objectContaining(refusal))
      }
      expect(() => db.clear(range)).toThrow(expect.objectContaining(refusal))
      expect(() => db.watch(range)).toThrow(expect.objectContaining(refusal))
      await expect(collect(client.keys(range))).rejects.toMatchObject(refusal)
      await expect(client.count(range)).rejects.toMatchObject(refusal)
      await expect(db.async.clear(range)).rejects.toMatchObject(refusal)
      // An array is a range of index keys, and a number a key.
      if (typeof given === 'object' && !Array.isArray(given))
        expect(() => index.entries(range)).toThrow(expect.objectContaining(refusal))
      if (typeof given === 'object') await expect(collect(far.keys(range))).rejects.toMatchObject(refusal)
    }
    // A range may come from elsewhere, and need not inherit from anything.
    expect([...db.keys(Object.assign(Object.create(null), { gte: 'a' }))]).toEqual(['a'])
    tx.rollback()
    snapshot.close()
    await far.close()
    stop()
    port1.close()
    await client.close()
    await server.close()
  }))

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
