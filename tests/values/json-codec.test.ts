/** JSON that is checked as it is read. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import { type Database, DecodeError, jsonCodec, memoryStorage, open } from '../../src/index.ts'
import { expectVerified } from '../support/database.ts'
import { expectCode, thrownBy, wrong } from '../support/errors.ts'

const User = z.object({ name: z.string(), born: z.number().default(1900) })
type User = z.infer<typeof User>

test('gives what a schema makes of it, of the type that the schema says', async () => {
  const storage = memoryStorage()
  const db = open('db', { storage, valueEncoding: jsonCodec(User.parse) })
  const typed: Database<User> = db
  typed.put('ada', { name: 'Ada', born: 1815 })
  expect(db.get('ada')?.born).toBe(1815)
  db.close()
  const plain = open('db', { storage, valueEncoding: 'json' })
  expect(plain.get('ada')).toEqual({ name: 'Ada', born: 1815 })
  plain.put('bob', { name: 'Bob', more: true })
  plain.put('eve', { name: 7 })
  plain.close()
  const again = open('db', { storage, valueEncoding: jsonCodec(User.parse) })
  expect(again.get('bob')).toEqual({ name: 'Bob', born: 1900 })
  const error = thrownBy(() => again.get('eve')) as DecodeError
  expect(error).toBeInstanceOf(DecodeError)
  expect(error).toMatchObject({ code: 'XENON_DECODE', key: 'eve', encoding: 'json' })
  expect(error.cause).toBeInstanceOf(z.ZodError)
  expect([...again.values({ onDecodeError: 'skip' })].map(({ name }) => name)).toEqual(['Ada', 'Bob'])
  expectCode(() => again.put('x', wrong(undefined)), 'XENON_ENCODE')
  await expectVerified(again, 3)
  again.close()
})

test('takes a function that answers at once', async () => {
  for (const given of [undefined, {}, async () => 1, function* () {}])
    expectCode(() => jsonCodec(wrong(given)), 'XENON_INVALID_ARGUMENT')
  const db = open('db', { storage: memoryStorage(), valueEncoding: jsonCodec(value => Promise.resolve(value)) })
  db.put('a', Promise.resolve(1))
  expectCode(() => db.get('a'), 'XENON_INVALID_ARGUMENT')
  db.close()
})
