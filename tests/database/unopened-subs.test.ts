/** What expires in sub-databases that nobody opens, and what was dropped, goes in the background. */
import { expect, test } from 'vitest'
import type { Engine } from '../../src/engine/engine.ts'
import { type Database, memoryStorage, open } from '../../src/index.ts'
import { firstTimeIn } from '../../src/records/expiry.ts'
import { pause } from '../support/child.ts'
import { expectVerified } from '../support/database.ts'

/** Key spaces that hold records with a time, without opening them. */
const expiring = (db: Database): number => {
  const { engine } = db as unknown as { engine: Engine }
  const facts = Array.from({ length: engine.metadata.spaces }, (_, i) => engine.spaces.get(i + 1))
  return facts.filter(each => each !== undefined && Number.isFinite(firstTimeIn(engine.root, each.expiry))).length
}

const until = async (is: () => boolean): Promise<void> => {
  while (!is()) await pause(5)
}

test('expired records of sub-databases that nobody opens are removed after an open', async () => {
  let now = 1_000_000
  const storage = { ...memoryStorage(), now: () => now }
  const first = open('db', { storage })
  first.put('stays', '1')
  for (const name of ['a', 'b', 'c']) {
    const sub = first.sub(name)
    for (let i = 0; i < 300; i++) sub.put(`key ${i}`, 'x', { ttl: 1000 })
    sub.put('stays', 'x')
    sub.sub('inner').put('key', 'x', { ttl: name === 'a' ? 1000 : 500_000 })
  }
  // An index that nobody declares would become stale.
  first.sub('indexed').index('value', value => value)
  first.sub('indexed').put('key', 'x', { ttl: 1000 })
  first.close()
  const before = open('db', { storage })
  before.subs()
  expect(expiring(before)).toBe(7)
  before.close()
  now += 2000
  const between = open('db', { storage })
  await until(() => between.subs().length === 4 && expiring(between) === 3)
  expect([...between.sub('a').keys(), ...between.sub('b').sub('inner').keys()]).toEqual(['stays', 'key'])
  between.close()
  now += 500_000
  const db = open('db', { storage })
  await until(() => db.subs().length === 4 && expiring(db) === 1)
  expect(db.sub('indexed').count()).toBe(0)
  await expectVerified(db)
  db.close()
}, 60_000)

test('what was dropped or cleared before a close is freed after the next open', async () => {
  const storage = memoryStorage()
  const first = open('db', { storage, durability: 'process' })
  for (const name of ['dropped', 'cleared']) {
    const sub = first.sub(name)
    sub.batch(Array.from({ length: 3000 }, (_, i) => ({ type: 'put' as const, key: `${i}`, value: 'x'.repeat(200) })))
  }
  first.drop('dropped')
  first.sub('cleared').clear()
  first.close()
  const db = open('db', { storage })
  const { free } = db.stats().blocks
  await until(() => db.stats().blocks.free > free + 250)
  await expectVerified(db)
  db.close()
}, 60_000)
