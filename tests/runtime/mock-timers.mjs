// Uses a database under the mocked timers of node:test, which nobody advances. Imports the built package.
import { mock } from 'node:test'
import { memoryStorage, open } from '../../dist/index.js'

const db = open('db', { storage: memoryStorage(), lockTimeout: 100 })
mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate', 'Date'] })
await db.async.put('a', '1', { ttl: 1000 })
await Promise.all(
  [
    ['a', 'b'],
    ['b', 'a'],
  ].map(([first, second]) =>
    db.async.transact(async tx => {
      await tx.put(first, 'x', { ttl: 1000 })
      for (let i = 0; i < 5; i++) await Promise.resolve()
      await tx.put(second, 'x')
    }),
  ),
)
db.put('a', 'x', { ttl: 1000 })
await db.compact()
mock.timers.tick(1001)
const { ok } = await db.verify()
console.log(
  `${ok ? 'done' : 'damaged'}: ${db.stats().transactions.deadlocks} deadlock, ${db.has('a') ? 'there' : 'expired'}`,
)
db.close()
