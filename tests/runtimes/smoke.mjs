// Every part of the package once, on whatever runs this: `node smoke.mjs DIRECTORY`, beside a `node_modules` with
// xenondb, abstract-level, keyv and msgpackr. Prints a line for each part that fails, and how many ran; its exit status
// is 1 if one failed. It tries what differs between runtimes; what is the same everywhere, other tests know better.
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'

/** What the worker thread does: adds to the counter that its parent serves. */
async function work() {
  const { PortDatabase } = await import('xenondb/worker')
  const db = new PortDatabase(parentPort)
  for (let i = 0; i < 10; i++)
    await db.transact(async tx => {
      await tx.put('counter', ((await tx.get('counter')) ?? 0) + 1)
    })
  await db.close()
}

async function main(directory) {
  mkdirSync(directory, { recursive: true })
  let failed = 0
  for (const [name, run] of Object.entries(parts)) {
    try {
      await within(20_000, run(join(resolve(directory), name.replace(/\W/g, '-'))))
    } catch (error) {
      failed++
      console.log(`FAILED ${name}: ${error?.stack ?? error}`)
    }
  }
  console.log(`${Object.keys(parts).length - failed} of ${Object.keys(parts).length} parts pass`)
  // Not the end by itself: a handle that keeps the process alive would be a failure, and is seen by the test's timeout.
  process.exitCode = failed === 0 ? 0 : 1
}

/** The outcome of a promise; rejects after so many milliseconds. */
async function within(milliseconds, promise) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done in ${milliseconds} ms`)), milliseconds)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Opens a database, does the work, looks whether every byte of it is sound, and closes it. */
async function withDatabase(directory, options, use) {
  const { open } = await import('xenondb')
  // Not every part needs to wait for the disk.
  const db = open(directory, { durability: 'process', ...options })
  try {
    const result = await use(db)
    assert.deepEqual((await db.verify()).problems, [])
    return result
  } finally {
    db.close()
  }
}

async function refused(code, call) {
  let met
  try {
    await call()
  } catch (error) {
    met = error
  }
  assert.equal(met?.code, code)
  return met
}

const parts = {
  'open, put, get, delete, open again': async directory => {
    const { open, XenonError } = await import('xenondb')
    await withDatabase(directory, {}, db => {
      db.put('ada', 'Ada Lovelace')
      assert.equal(db.get('ada'), 'Ada Lovelace')
      assert.equal(db.get('nobody'), undefined)
      assert.equal(db.has('ada'), true)
      db.put('gone', 'soon')
      assert.equal(db.delete('gone'), true)
      assert.equal(db.delete('gone'), false)
    })
    await withDatabase(directory, {}, db => assert.deepEqual([...db], [['ada', 'Ada Lovelace']]))
    const reader = open(directory, { readOnly: true })
    assert.equal(reader.get('ada'), 'Ada Lovelace')
    reader.close()
    const error = await refused('XENON_INVALID_ARGUMENT', () => open(directory, { wrong: 1 }))
    assert.equal(XenonError.is(error, 'XENON_INVALID_ARGUMENT'), true)
    assert.equal(error.name, 'InvalidArgumentError')
  },

  'the lock': async directory => {
    const { open } = await import('xenondb')
    const db = open(directory)
    const error = await refused('XENON_LOCKED', () => open(directory))
    assert.match(error.message, /open/)
    db.close()
    open(directory).close()
  },

  'a dead owner is taken over': async directory => {
    const { open } = await import('xenondb')
    open(directory).close()
    // Above every pid that Linux and macOS give.
    writeFileSync(join(directory, 'lock'), '{"pid":2147483646,"nonce":"0123456789abcdef01234567"}\n')
    open(directory).close()
  },

  'values of all encodings': async directory => {
    const values = {
      utf8: ['text', 'Größe 𝄞'],
      json: [{ a: [1, null, 'x'] }],
      binary: [new Uint8Array([0, 255, 7])],
      msgpack: [new Map([['a', 1n]]), new Date(0)],
    }
    for (const [valueEncoding, each] of Object.entries(values))
      await withDatabase(`${directory}-${valueEncoding}`, { valueEncoding }, db => {
        each.forEach((value, i) => {
          db.put(`k${i}`, value)
        })
        each.forEach((value, i) => {
          assert.deepEqual(db.get(`k${i}`), value)
        })
      })
  },

  compression: async directory => {
    const text = 'the same again and again, '.repeat(2000)
    for (const compression of ['deflate', 'snappy', 'brotli'])
      await withDatabase(`${directory}-${compression}`, { compression }, db => {
        db.put('a', text)
        assert.equal(db.get('a'), text)
      })
  },

  'batch, many, large values, pages': async directory => {
    await withDatabase(directory, {}, db => {
      db.batch(Array.from({ length: 3000 }, (_, i) => ({ type: 'put', key: key(i), value: `${i}` })))
      assert.deepEqual(db.getMany([key(1), 'none', key(2999)]), ['1', undefined, '2999'])
      const large = 'x'.repeat(3_000_000)
      db.put('large', large)
      assert.equal(db.get('large'), large)
      const first = db.page('key', 10)
      assert.equal(first.entries.length, 10)
      const second = db.page('key', 10, first.cursor)
      assert.equal(second.entries[0][0], key(10))
    })
  },

  ranges: async directory => {
    await withDatabase(directory, {}, db => {
      for (let i = 0; i < 100; i++) db.put(key(i), `${i}`)
      assert.deepEqual(db.keys({ gte: key(5), lt: key(8) }).toArray(), [key(5), key(6), key(7)])
      assert.deepEqual(
        [...db.values('key')].map(Number),
        Array.from({ length: 100 }, (_, i) => i),
      )
      assert.deepEqual(db.keys({ reverse: true }).take(2).toArray(), [key(99), key(98)])
      assert.equal(
        db
          .entries()
          .map(([, value]) => Number(value))
          .filter(number => number % 2 === 0)
          .toArray().length,
        50,
      )
      assert.equal(db.count({ gte: key(50) }), 50)
      db.clear({ lt: key(90) })
      assert.equal(db.count(), 10)
      let walked = 0
      for (db.reset(); db.next(); ) walked += db.readCurrent().key.startsWith('key') ? 1 : 0
      assert.equal(walked, 10)
    })
  },

  transactions: async directory => {
    await withDatabase(directory, {}, async db => {
      db.transaction(tx => {
        tx.put('a', '1')
        tx.put('b', '2')
      })
      assert.throws(
        () =>
          db.transaction(tx => {
            tx.delete('a')
            throw new Error('no')
          }),
        /no/,
      )
      const tx = db.begin()
      tx.put('a', '3')
      const savepoint = tx.savepoint()
      tx.put('b', '4')
      tx.rollbackTo(savepoint)
      await refused('XENON_LOCK_CONFLICT', () => db.put('a', '5'))
      tx.commit()
      assert.deepEqual([...db.values()], ['3', '2'])
      await Promise.all(
        Array.from({ length: 20 }, () =>
          db.async.transact(async tx => {
            await tx.put('count', `${Number((await tx.get('count')) ?? 0) + 1}`)
          }),
        ),
      )
      assert.equal(db.get('count'), '20')
      {
        const open = db.begin()
        open.put('a', 'unfinished')
        open[Symbol.dispose ?? 'rollback']()
      }
      assert.equal(db.get('a'), '3')
    })
  },

  'db.async': async directory => {
    await withDatabase(directory, { valueEncoding: 'json', durability: 'power' }, async db => {
      const store = db.async
      await Promise.all(Array.from({ length: 200 }, (_, i) => store.put(key(i), i)))
      assert.equal(await store.get(key(7)), 7)
      const keys = []
      for await (const each of store.keys({ lt: key(3) })) keys.push(each)
      assert.deepEqual(keys, [key(0), key(1), key(2)])
      assert.equal(await store.count(), 200)
      assert.equal(await store.delete(key(7)), true)
      const tx = db.begin()
      tx.put(key(1), 'mine')
      await refused('XENON_LOCK_CONFLICT', () => store.put(key(1), 1, { lockTimeout: 20 }))
      const waiting = store.put(key(1), 'next')
      tx.commit()
      await waiting
      assert.equal(await store.get(key(1)), 'next')
      await db.flush()
    })
  },

  'sub-databases': async directory => {
    await withDatabase(directory, {}, async db => {
      const users = db.sub('users', { valueEncoding: 'json' })
      const roles = users.sub('roles')
      db.transaction(tx => {
        tx.put('root', '1')
        tx.in(users).put('ada', { age: 36 })
        tx.in(roles).put('ada', 'admin')
      })
      assert.equal(users.get('ada').age, 36)
      assert.equal(await roles.async.get('ada'), 'admin')
      assert.deepEqual(db.subs(), ['users'])
      const far = await db.async.sub('users', { valueEncoding: 'json' })
      assert.equal((await far.get('ada')).age, 36)
      db.drop('users')
      assert.deepEqual(db.subs(), [])
    })
  },

  'tuple keys': async directory => {
    await withDatabase(directory, { keyEncoding: 'tuple' }, db => {
      const keys = [
        ['user', -1.5],
        ['user', 7n],
        ['user', 42, 'login'],
        ['user', 'ü', new Uint8Array([1])],
      ]
      for (const each of keys.toReversed?.() ?? [...keys].reverse()) db.put(each, 'x')
      assert.deepEqual(db.keys(['user', 42]).toArray(), [['user', 42, 'login']])
      assert.equal(db.keys(['user']).toArray().length, 4)
    })
  },

  indexes: async directory => {
    await withDatabase(directory, { valueEncoding: 'json' }, async db => {
      for (let i = 0; i < 50; i++) db.put(key(i), { group: `g${i % 5}` })
      const byGroup = db.index('group', value => value.group)
      await byGroup.ready
      assert.equal(byGroup.count('g3'), 10)
      db.put(key(0), { group: 'g3' })
      assert.equal(byGroup.count('g3'), 11)
      assert.equal(byGroup.get('g0').group, 'g0')
    })
  },

  'time to live': async directory => {
    await withDatabase(directory, {}, async db => {
      db.put('short', 'x', { ttl: 30 })
      db.put('long', 'x', { ttl: 60_000 })
      assert.ok(db.ttl('long') > 50_000)
      assert.equal(db.persist('long'), true)
      await sleep(80)
      assert.equal(db.get('short'), undefined)
      assert.deepEqual([...db.keys()], ['long'])
    })
  },

  snapshots: async directory => {
    await withDatabase(directory, {}, db => {
      for (let i = 0; i < 100; i++) db.put(key(i), 'before')
      const snapshot = db.snapshot()
      for (let i = 0; i < 100; i++) db.put(key(i), 'after')
      assert.equal(snapshot.get(key(50)), 'before')
      assert.deepEqual(new Set(snapshot.values()), new Set(['before']))
      snapshot.close()
    })
  },

  watch: async directory => {
    await withDatabase(directory, {}, async db => {
      const watcher = db.watch('w')
      const seen = []
      const reading = (async () => {
        for await (const change of watcher) {
          seen.push(change.key)
          if (seen.length === 2) break
        }
      })()
      db.put('w1', 'x')
      db.put('other', 'x')
      await db.async.put('w2', 'x')
      await reading
      assert.deepEqual(seen, ['w1', 'w2'])
    })
  },

  'backup, restore, compact, convert, salvage, stats': async directory => {
    const { convert, open, restore, salvage } = await import('xenondb')
    await withDatabase(directory, {}, async db => {
      db.batch(Array.from({ length: 2000 }, (_, i) => ({ type: 'put', key: key(i), value: 'x'.repeat(50) })))
      db.clear({ lt: key(1900) })
      const { directory: copy } = await db.backup(`${directory}-backups`, { keep: 2, verify: true })
      assert.ok(copy.startsWith(`${directory}-backups`))
      await db.compact()
      await db.checkpoint()
      assert.equal(db.stats().records, 100)
      assert.equal(db.health().warnings.length, 0)
    })
    await restore(`${directory}-backups`, `${directory}-restored`)
    await withDatabase(`${directory}-restored`, {}, db => assert.equal(db.count(), 100))
    await convert(`${directory}-restored`, { ordered: false })
    assert.equal((await salvage(`${directory}-restored`, `${directory}-salvaged`)).records, 100)
    const db = open(`${directory}-salvaged`)
    assert.equal(db.get(key(1950)), 'x'.repeat(50))
    db.close()
  },

  durabilities: async directory => {
    for (const durability of ['power', 'process', 'none'])
      await withDatabase(`${directory}-${durability}`, { durability }, async db => {
        db.put('a', durability)
        await db.flush()
      })
  },

  'memory storage, the faulty disk': async () => {
    const { memoryStorage } = await import('xenondb')
    const { FaultDisk, mutantNames, Random } = await import('xenondb/testing')
    await withDatabase('memory', { storage: memoryStorage() }, db => db.put('a', '1'))
    assert.ok(mutantNames.length > 10)
    assert.equal(typeof FaultDisk, 'function')
    assert.equal(typeof Random, 'function')
  },

  'a worker thread': async directory => {
    const { servePort } = await import('xenondb/worker')
    await withDatabase(directory, { valueEncoding: 'json' }, async db => {
      const worker = new Worker(new URL(import.meta.url))
      const end = servePort(db, worker)
      await new Promise((resolve, reject) => {
        worker.once('exit', code => (code === 0 ? resolve() : reject(new Error(`the worker ended with ${code}`))))
        worker.once('error', reject)
      })
      end()
      assert.equal(db.get('counter'), 10)
    })
  },

  'a message channel': async directory => {
    const { PortDatabase, servePort } = await import('xenondb/worker')
    await withDatabase(directory, {}, async db => {
      const { port1, port2 } = new MessageChannel()
      servePort(db, port1)
      const port = new PortDatabase(port2)
      await port.put('a', '1')
      assert.equal(await port.get('a'), '1')
      await refused('XENON_INVALID_ARGUMENT', () => port.put('', '1'))
      await port.close()
    })
  },

  'server and client over a Unix socket': directory =>
    withServer(directory, { socket: `${directory}.sock` }, address => ({ socket: address.socket })),

  'server and client over TCP': directory =>
    withServer(directory, { port: 0, metricsPort: 0 }, ({ host, port }) => ({ host, port })),

  'openShared, two handles': async directory => {
    const { openShared } = await import('xenondb/shared')
    const first = await openShared(directory)
    const second = await openShared(directory)
    assert.equal(first.role, 'owner')
    await Promise.all([first.put('a', '1'), second.put('b', '2')])
    assert.deepEqual([await first.get('b'), await second.get('a')], ['2', '1'])
    await second.transact(async tx => {
      await tx.put('c', `${Number(await tx.get('a')) + Number(await tx.get('b'))}`)
    })
    const keys = []
    for await (const each of first.keys()) keys.push(each)
    assert.deepEqual(keys, ['a', 'b', 'c'])
    // The second takes over.
    await first.close()
    assert.equal(await second.get('c'), '3')
    assert.equal(second.role, 'owner')
    await second.close()
    await withDatabase(directory, {}, db => assert.equal(db.count(), 3))
  },

  'abstract-level': async directory => {
    const { XenonLevel } = await import('xenondb/level')
    const level = new XenonLevel(directory, { valueEncoding: 'json' })
    await level.put('a', { b: 1 })
    await level.batch([{ type: 'put', key: 'c', value: 2 }])
    assert.deepEqual(await level.iterator().all(), [
      ['a', { b: 1 }],
      ['c', 2],
    ])
    await level.close()
  },

  Keyv: async directory => {
    const { default: Keyv } = await import('keyv')
    const { KeyvXenon } = await import('xenondb/keyv')
    const keyv = new Keyv({ store: new KeyvXenon(directory) })
    await keyv.set('answer', { value: 42 }, 60_000)
    assert.deepEqual(await keyv.get('answer'), { value: 42 })
    await keyv.disconnect()
  },

  'the C names': async directory => {
    const c = await import('xenondb/c')
    const db = c.db_open(directory)
    c.db_put(db, 'ada', '1')
    const tx = c.tx_init(db)
    c.tx_put(tx, 'alan', '2')
    c.tx_commit(tx)
    const values = []
    for (c.db_reset(db); c.db_next(db); ) values.push(c.db_read_current(db).value)
    assert.deepEqual(values.sort(), ['1', '2'])
    c.db_close(db)
  },

  metrics: async directory => {
    const { metricsText } = await import('xenondb/metrics')
    await withDatabase(directory, {}, db => assert.match(metricsText(db), /xenondb_records 0\n/))
  },

  'CommonJS require': async directory => {
    const require = createRequire(import.meta.url)
    const { open, XenonError } = require('xenondb')
    const { db_put } = require('xenondb/c')
    const db = open(directory)
    db_put(db, 'a', '1')
    assert.equal(db.get('a'), '1')
    db.close()
    await refused('XENON_CLOSED', () => db.get('a'))
    assert.equal(typeof XenonError, 'function')
    for (const name of ['level', 'keyv', 'server', 'client', 'worker', 'shared', 'metrics', 'testing'])
      assert.ok(Object.keys(require(`xenondb/${name}`)).length > 0, name)
  },
}

async function withServer(directory, options, placeOf) {
  const { createServer } = await import('xenondb/server')
  const { connect } = await import('xenondb/client')
  await withDatabase(directory, {}, async db => {
    const server = createServer(db, options)
    const address = await server.listen()
    const client = await connect(placeOf(address))
    await client.put('a', '1')
    assert.equal(await client.get('a'), '1')
    await Promise.all(Array.from({ length: 100 }, (_, i) => client.put(key(i), `${i}`)))
    const keys = []
    for await (const each of client.keys('key')) keys.push(each)
    assert.equal(keys.length, 100)
    await client.transact(async tx => {
      await tx.put('a', `${Number(await tx.get('a')) + 1}`)
    })
    assert.equal(db.get('a'), '2')
    const large = 'x'.repeat(2_000_000)
    await client.put('large', large)
    assert.equal(await client.get('large'), large)
    if (server.metricsAddress !== undefined) {
      const { host, port } = server.metricsAddress
      const text = await (await fetch(`http://${host}:${port}/metrics`)).text()
      assert.match(text, /xenondb_records 102\n/)
    }
    assert.match(String(await client.command('INFO')), /total_system_memory/)
    await client.close()
    await server.close()
  })
}

function key(i) {
  return `key${String(i).padStart(6, '0')}`
}

function sleep(milliseconds) {
  return new Promise(resolve => setTimeout(resolve, milliseconds))
}

if (isMainThread) await main(process.argv[2])
else await work()
