/** What compiles and what does not. `types.test.ts` compiles it; it is never run. */
import type { Client } from '../../dist/client/index.js'
import { connect } from '../../dist/client/index.js'
import type { AsyncIndexReads, Database, IndexReads, OpenOptions, Sub, TupleKey, ValueCodec } from '../../dist/index.js'
import { jsonCodec, open } from '../../dist/index.js'

interface User {
  name: string
}

/** Exactly the same type, `any` and `unknown` told from each other. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>): void => {}

declare const users: ValueCodec<User>
declare const maybe: boolean | undefined

// Of open: what the options say.
const text = open('db')
same<typeof text, Database<string, string>>(true)
const plain = open('db', { durability: 'none' })
same<typeof plain, Database<string, string>>(true)
const json = open('db', { valueEncoding: 'json' })
same<typeof json, Database<unknown, string>>(true)
const packed = open('db', { valueEncoding: 'msgpack', keyEncoding: 'binary' })
same<typeof packed, Database<unknown, Uint8Array>>(true)
const bytes = open('db', { valueEncoding: 'binary' })
same<typeof bytes, Database<Uint8Array, string>>(true)
const tuples = open('db', { keyEncoding: 'tuple' })
same<typeof tuples, Database<string, TupleKey>>(true)
const own = open('db', { valueEncoding: users })
same<typeof own, Database<User, string>>(true)
const ownBytes = open('db', { valueEncoding: users, keyEncoding: 'binary' })
same<typeof ownBytes, Database<User, Uint8Array>>(true)
const checked = open('db', { valueEncoding: jsonCodec((value): User => ({ name: String(value) })) })
same<typeof checked, Database<User, string>>(true)

// Of open: a named type.
same<Database<User>, Database<User, string>>(true)
const named: Database<User> = open<User>('db', { valueEncoding: 'json' })
const codec: Database<User> = open<User>('db', { valueEncoding: users })
const keyed: Database<User, ['user', number]> = open<User, ['user', number]>('db', {
  valueEncoding: 'json',
  keyEncoding: 'tuple',
})
const words: Database<'a' | 'b'> = open<'a' | 'b'>('db')
// biome-ignore lint/suspicious/noExplicitAny: whoever asks for it gets it
const anything = open<any>('db')
const raw: Database<Uint8Array, Uint8Array> = open<Uint8Array>('db', {
  valueEncoding: 'binary',
  keyEncoding: 'binary',
})

// @ts-expect-error: values that are no text need an encoding
open<User>('db')
// @ts-expect-error: so they do with other options
open<User>('db', { durability: 'none' })
// @ts-expect-error: text is no user
open<User>('db', { valueEncoding: 'utf8' })
// @ts-expect-error: bytes are no user
open<User>('db', { valueEncoding: 'binary' })
// @ts-expect-error: no such encoding
open('db', { valueEncoding: 'yaml' })
// @ts-expect-error: no such option
open('db', { value: 'json' })
// @ts-expect-error: unknown is no string
const wrongValue: string | undefined = json.get('a')
// @ts-expect-error: a number is no key of text
text.get(7)
// @ts-expect-error: a value of the wrong type
own.put('a', { nome: 'Ada' })

// Options that come from elsewhere.
declare const options: OpenOptions<User>
const wide: Database<User, string> = open<User, string>('db', options)
open('db', { readOnly: maybe, ordered: undefined, valueEncoding: undefined, keyEncoding: undefined })
text.put('a', '1', { ttl: undefined })
text.keys({ gte: undefined, limit: undefined, reverse: maybe, onDecodeError: undefined })
text.begin({ readOnly: maybe })
text.watch('a', { signal: undefined })

// Of sub: its own encodings.
const sub = text.sub('s')
same<typeof sub, Sub<string, string>>(true)
const jsonSub = text.sub('s', { valueEncoding: 'json' })
same<typeof jsonSub, Sub<unknown, string>>(true)
const bytesSub = text.sub('s', { valueEncoding: 'binary', keyEncoding: 'binary' })
same<typeof bytesSub, Sub<Uint8Array, Uint8Array>>(true)
const ownSub = text.sub('s', { valueEncoding: users, keyEncoding: 'tuple' })
same<typeof ownSub, Sub<User, TupleKey>>(true)
const namedSub = text.sub<User>('s', { valueEncoding: 'json' })
same<typeof namedSub, Sub<User, string>>(true)

// Ranges: what becomes of values that cannot be decoded.
json.values({ onDecodeError: error => console.log(error.key, error.encoding, error.cause) })
// @ts-expect-error: no such word
json.values({ onDecodeError: 'ignore' })

// Of connect: as of open.
export const clients = async (): Promise<void> => {
  const client = await connect()
  same<typeof client, Client<string, string>>(true)
  const client2 = await connect({ valueEncoding: 'json', port: undefined })
  same<typeof client2, Client<unknown, string>>(true)
  const client3: Client<User> = await connect<User>({ valueEncoding: 'json' })
  // @ts-expect-error: values that are no text need an encoding
  await connect<User>({ port: 1 })
  const store = await client3.sub('s', { valueEncoding: 'binary' })
  const value: Uint8Array | undefined = await store.get('a')
  const far = await json.async.sub('s', { valueEncoding: 'json' })
  // @ts-expect-error: unknown is no string
  const wrongFar: string | undefined = await far.get('a')
  console.log(value, wrongFar)
}

console.log(anything, codec, keyed, named, raw, wide, words, wrongValue)

// Of an index: what `in` gives has promises where the transaction has.
const byName = named.index('name', user => user.name)
same<ReturnType<typeof byName.get>, User | undefined>(true)
const insideSync = byName.in(named.begin())
same<typeof insideSync, IndexReads<User, string, string>>(true)
const insideSnapshot = byName.in(text.snapshot())
same<typeof insideSnapshot, IndexReads<User, string, string>>(true)
const insideAsync = named.async.begin().then(tx => byName.in(tx))
same<typeof insideAsync, Promise<AsyncIndexReads<User, string, string>>>(true)
// @ts-expect-error: a database is no transaction
byName.in(named)
