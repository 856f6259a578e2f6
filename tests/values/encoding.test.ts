import { describe, expect, test } from 'vitest'
import { Values } from '../../src/client/values.ts'
import type { Key } from '../../src/index.ts'
import { BINARY_KEYS, UTF8_KEYS } from '../../src/values/key-codec.ts'
import { withMemoryDatabase } from '../support/database.ts'
import { expectCode, failureOf, thrownBy, wrong } from '../support/errors.ts'

const INVALID = 'XENON_INVALID_ARGUMENT'
const utf8 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

describe('utf8 values', () => {
  test('come back equal', () =>
    withMemoryDatabase({}, ({ db, reopen }) => {
      const values = [
        '',
        'a',
        'é',
        '語',
        '😀',
        '\0',
        'a\0b',
        '\u{feff}bom',
        '\ufffd',
        'x'.repeat(5000),
        '語'.repeat(3000),
      ]
      for (const [i, value] of values.entries()) db.put(`${i}`, value)
      for (const [i, value] of values.entries()) expect(db.get(`${i}`)).toBe(value)
      for (const [i, value] of values.entries()) expect(reopen().get(`${i}`)).toBe(value)
    }))

  test('of the wrong type are refused, and the old value stays', () =>
    withMemoryDatabase({}, async ({ db }) => {
      db.put('key', 'old')
      for (const value of [undefined, null, 5, true, {}, [], new Uint8Array(3), Symbol('x'), () => 'x', 5n]) {
        expectCode(() => db.put('key', wrong(value)), INVALID)
        expect(await failureOf(() => db.async.put('key', wrong(value)))).toMatchObject({ code: INVALID })
        expectCode(() => db.batch([{ type: 'put', key: 'key', value: wrong(value) }]), INVALID)
        expectCode(() => db.transaction(tx => tx.put('key', wrong(value))), INVALID)
        expect(db.get('key')).toBe('old')
      }
    }))

  test('with a lone surrogate are refused', () =>
    withMemoryDatabase({}, ({ db }) => {
      for (const value of ['\ud800', 'a\udc00', '\ud800\ud800', `${'x'.repeat(5000)}\ud83d`]) {
        expectCode(() => db.put('key', value), INVALID)
      }
      expect(db.has('key')).toBe(false)
      db.put('key', '\ud83d\ude00')
      expect(db.get('key')).toBe('😀')
    }))
})

describe('json values', () => {
  test('come back equal', () =>
    withMemoryDatabase<unknown>({ valueEncoding: 'json' }, ({ db, reopen }) => {
      const values: unknown[] = [
        null,
        true,
        false,
        0,
        -1.5,
        1e300,
        '',
        'text',
        '\ud800',
        [],
        {},
        [1, [2, [3]]],
        { a: { b: [null] }, é: '語' },
        JSON.parse('{"__proto__": 1, "constructor": 2}'),
        Array.from({ length: 5000 }, (_, i) => i),
      ]
      for (const [i, value] of values.entries()) db.put(`${i}`, value)
      for (const [i, value] of values.entries()) expect(db.get(`${i}`)).toStrictEqual(value)
      const again = reopen()
      for (const [i, value] of values.entries()) expect(again.get(`${i}`)).toStrictEqual(value)
      expect(again.getMany(['0', 'absent'])).toEqual([null, undefined])
    }))

  test('are copies: neither what was put nor what was given back is shared', () =>
    withMemoryDatabase<{ list: number[] }>({ valueEncoding: 'json' }, ({ db }) => {
      const value = { list: [1] }
      db.put('key', value)
      value.list.push(2)
      db.get('key')!.list.push(3)
      expect(db.get('key')).toEqual({ list: [1] })
    }))

  test('that JSON cannot say are refused', () =>
    withMemoryDatabase<unknown>({ valueEncoding: 'json' }, ({ db }) => {
      const circle: unknown[] = []
      circle.push(circle)
      for (const value of [undefined, () => 1, Symbol('x'), 5n, circle]) {
        expectCode(() => db.put('key', value), 'XENON_ENCODE')
      }
      expect(db.has('key')).toBe(false)
    }))
})

describe('binary values', () => {
  test('come back equal, from a Buffer, a part of a buffer, and shared memory', () =>
    withMemoryDatabase<Uint8Array>({ valueEncoding: 'binary' }, ({ db, reopen }) => {
      const whole = Uint8Array.from({ length: 1000 }, (_, i) => i)
      const shared = new Uint8Array(new SharedArrayBuffer(100))
      shared.set(whole.subarray(50, 150))
      db.put('empty', new Uint8Array())
      db.put('all bytes', whole.slice(0, 256))
      db.put('part', whole.subarray(100, 200))
      db.put('buffer', Buffer.from('héllo'))
      db.put('shared', shared)
      for (const handle of [() => db, () => reopen()]) {
        const current = handle()
        expect([...current.get('empty')!]).toEqual([])
        expect([...current.get('all bytes')!]).toEqual([...whole.slice(0, 256)])
        expect([...current.get('part')!]).toEqual([...whole.slice(100, 200)])
        expect(Buffer.from(current.get('buffer')!).toString()).toBe('héllo')
        expect([...current.get('shared')!]).toEqual([...whole.slice(50, 150)])
      }
    }))

  test('of the wrong type are refused', () =>
    withMemoryDatabase<Uint8Array>({ valueEncoding: 'binary' }, ({ db }) => {
      for (const value of [undefined, null, 'text', 5, {}, [1, 2], { length: 3 }]) {
        expectCode(() => db.put('key', wrong(value)), INVALID)
      }
      expect(db.has('key')).toBe(false)
    }))

  test('a buffer changed after put, async.put, batch or tx.put changes nothing', () =>
    withMemoryDatabase<Uint8Array>({ valueEncoding: 'binary' }, async ({ db }) => {
      for (const length of [10, 1000, 50_000]) {
        const value = new Uint8Array(length).fill(1)
        const key = Buffer.from('key')
        const check = (): void => {
          expect(db.get('key')!.every(byte => byte === 1)).toBe(true)
          value.fill(1)
          key.write('key')
          db.delete('key')
        }
        const change = (): void => {
          value.fill(2)
          key.fill(0x78)
        }
        db.put(key, value)
        change()
        check()
        const promise = db.async.put(key, value)
        change()
        await promise
        check()
        const second = db.async.batch([{ type: 'put', key, value }])
        change()
        await second
        check()
        const tx = db.begin()
        tx.put(key, value)
        change()
        tx.commit()
        check()
      }
    }))

  test('a result can be changed without changing the database or later results', () =>
    withMemoryDatabase<Uint8Array>({ valueEncoding: 'binary', keyEncoding: 'binary' }, async ({ db }) => {
      for (const length of [10, 1000, 4000, 50_000]) {
        const key = `key ${length}`
        db.put(key, new Uint8Array(length).fill(1))
        const tx = db.begin({ readOnly: true })
        db.reset()
        db.next()
        const current = db.readCurrent()
        const results = [db.get(key)!, db.getMany([key])[0]!, tx.get(key)!, current.value]
        const keyBytes = current.key as unknown as Uint8Array
        results.forEach((result, i) => {
          expect(result).toHaveLength(length)
          expect(result.every(byte => byte === 1)).toBe(true)
          result.fill(i + 2)
        })
        keyBytes.fill(0x7a)
        expect(db.get(key)!.every(byte => byte === 1)).toBe(true)
        expect(tx.get(key)!.every(byte => byte === 1)).toBe(true)
        tx.rollback()
        // What was given back stays what it is while the database changes under it.
        const kept = db.get(key)!
        db.put(key, new Uint8Array(length).fill(9))
        for (let i = 0; i < 200; i++) db.put(`other ${i}`, new Uint8Array(1000).fill(7))
        expect(kept.every(byte => byte === 1)).toBe(true)
        for (let i = 0; i < 200; i++) db.delete(`other ${i}`)
        db.delete(key)
      }
    }))
})

describe('custom values', () => {
  const codec = {
    name: 'date',
    encode: (value: Date): Uint8Array => utf8(value.toISOString()),
    decode: (bytes: Uint8Array): Date => new Date(Buffer.from(bytes).toString()),
  }

  test('pass through their codec', () =>
    withMemoryDatabase<Date>({ valueEncoding: codec }, ({ db, reopen }) => {
      db.put('birth', new Date(0))
      expect(db.get('birth')).toEqual(new Date(0))
      expect(reopen().get('birth')).toEqual(new Date(0))
      const again = reopen()
      again.reset()
      again.next()
      expect(again.readCurrent()).toEqual({ key: 'birth', value: new Date(0) })
    }))

  test('an encode that throws or gives no bytes changes nothing', () =>
    withMemoryDatabase<string>(
      {
        valueEncoding: {
          name: 'picky',
          encode: value => {
            if (value === 'throw') throw new Error('no')
            return value === 'text' ? wrong('text') : utf8(value)
          },
          decode: bytes => Buffer.from(bytes).toString(),
        },
      },
      ({ db }) => {
        db.put('key', 'old')
        expect(thrownBy(() => db.put('key', 'throw'))).toBeInstanceOf(Error)
        expectCode(() => db.put('key', 'text'), 'XENON_ENCODE')
        expect(db.get('key')).toBe('old')
        const tx = db.begin()
        tx.put('key', 'new')
        expect(thrownBy(() => tx.put('key', 'throw'))).toBeInstanceOf(Error)
        expect(thrownBy(() => db.get('key'))).toBeUndefined()
        tx.commit()
        expect(db.get('key')).toBe('new')
      },
    ))

  test('a decode that throws leaves the database usable', () =>
    withMemoryDatabase<string>(
      {
        valueEncoding: {
          name: 'picky',
          encode: utf8,
          decode: bytes => {
            if (bytes.length === 3) throw new Error('no')
            return Buffer.from(bytes).toString()
          },
        },
      },
      ({ db }) => {
        db.put('bad', 'abc')
        db.put('good', 'abcd')
        expect(thrownBy(() => db.get('bad'))).toBeInstanceOf(Error)
        expect(db.get('good')).toBe('abcd')
        expect(db.delete('bad')).toBe(true)
      },
    ))

  test('a codec that hands its bytes on does not hand out memory of the database', () =>
    withMemoryDatabase<Uint8Array>(
      { valueEncoding: { name: 'identity', encode: value => value, decode: bytes => bytes } },
      ({ db }) => {
        for (const length of [10, 1000, 50_000]) {
          db.put('key', new Uint8Array(length).fill(1))
          const kept = db.get('key')!
          db.get('key')!.fill(2)
          expect(db.get('key')!.every(byte => byte === 1)).toBe(true)
          db.put('key', new Uint8Array(length).fill(3))
          expect(kept.every(byte => byte === 1)).toBe(true)
          db.delete('key')
        }
      },
    ))

  test('a codec may use the database from inside', () =>
    withMemoryDatabase<string>({ valueEncoding: 'utf8' }, async ({ db: names }) => {
      await withMemoryDatabase<string>(
        {
          valueEncoding: {
            name: 'interned',
            encode: value => {
              names.put(`id of ${value}`, value)
              return utf8(value)
            },
            decode: bytes => names.get(`id of ${Buffer.from(bytes)}`) ?? 'lost',
          },
        },
        ({ db }) => {
          for (let i = 0; i < 300; i++) db.put(`${i}`, `value ${i % 7}`)
          for (let i = 0; i < 300; i++) expect(db.get(`${i}`)).toBe(`value ${i % 7}`)
        },
      )
    }))
})

describe('keys', () => {
  test('a string and its UTF-8 bytes are the same key', () =>
    withMemoryDatabase({}, ({ db }) => {
      for (const key of ['a', 'é', '語', '😀', '\0', 'a\0', 'mixed é語😀', 'é'.repeat(512), 'x'.repeat(1024)]) {
        db.put(key, 'by text')
        expect(db.get(utf8(key))).toBe('by text')
        expect(db.has(Buffer.from(key))).toBe(true)
        db.put(utf8(key), 'by bytes')
        expect(db.get(key)).toBe('by bytes')
        expect(db.stats().records).toBe(1)
        expect(db.delete(utf8(key))).toBe(true)
        expect(db.delete(key)).toBe(false)
      }
    }))

  test('come back as text or as bytes', () =>
    withMemoryDatabase({}, ({ db, reopen }) => {
      db.put('é', '1')
      db.reset()
      expect(db.next()).toBe(true)
      expect(db.readCurrent()).toEqual({ key: 'é', value: '1' })
      const again = reopen({ keyEncoding: 'binary' })
      again.reset()
      expect(again.next()).toBe(true)
      const { key } = again.readCurrent() as unknown as { key: Uint8Array }
      expect(key).toBeInstanceOf(Uint8Array)
      expect([...key]).toEqual([0xc3, 0xa9])
    }))

  test('that differ in case, length, NUL, or normal form are different', () =>
    withMemoryDatabase({}, ({ db }) => {
      const keys = [
        'a',
        'A',
        'aa',
        'a\0',
        '\0a',
        '\0',
        '\0\0',
        'é',
        'e\u0301',
        '1',
        '01',
        ' a',
        'a ',
        '\ufffd',
        '\ufeffa',
      ]
      for (const key of keys) db.put(key, `value of ${key}`)
      expect(db.stats().records).toBe(keys.length)
      for (const key of keys) expect(db.get(key)).toBe(`value of ${key}`)
    }))

  test('__proto__, constructor and the like are keys as others are', () =>
    withMemoryDatabase({}, ({ db }) => {
      const keys = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'undefined', 'null']
      for (const key of keys) {
        expect(db.get(key)).toBeUndefined()
        expect(db.has(key)).toBe(false)
        expect(db.delete(key)).toBe(false)
      }
      for (const key of keys) db.put(key, key)
      for (const key of keys) expect(db.get(key)).toBe(key)
    }))

  test('that are empty, of the wrong type, or contain a lone surrogate are refused everywhere', () =>
    withMemoryDatabase({}, async ({ db }) => {
      db.put('\ufffd', 'the character that a lone surrogate is often replaced by')
      const keys: unknown[] = ['', new Uint8Array(), '\ud800', 'a\udfffb', '\udc00\ud800', `${'x'.repeat(100)}\ud800`]
      keys.push(undefined, null, 5, true, {}, [], ['a'], Symbol('x'), 5n, () => 'x', new ArrayBuffer(3))
      const tx = db.begin()
      for (const bad of keys) {
        const key = wrong(bad) as Key
        const actions = [
          () => db.get(key),
          () => db.has(key),
          () => db.put(key, 'x'),
          () => db.delete(key),
          () => db.getMany(['ok', key]),
          () => db.batch([{ type: 'put', key, value: 'x' }]),
          () => db.batch([{ type: 'delete', key }]),
          () => tx.get(key),
          () => tx.has(key),
          () => tx.put(key, 'x'),
          () => tx.delete(key),
        ]
        for (const action of actions) expectCode(action, INVALID)
        expect(await failureOf(() => db.async.put(key, 'x'))).toMatchObject({ code: INVALID })
        expect(await failureOf(() => db.async.delete(key))).toMatchObject({ code: INVALID })
      }
      tx.commit()
      expect(db.stats().records).toBe(1)
    }))

  test('whose buffer was detached are refused', () =>
    withMemoryDatabase({}, ({ db }) => {
      const key = new Uint8Array([1, 2, 3])
      structuredClone(key.buffer, { transfer: [key.buffer] })
      expectCode(() => db.put(key, 'x'), INVALID)
      expectCode(() => db.get(key), INVALID)
    }))

  test('of bytes that are no UTF-8 are refused where keys come back as text, whoever puts them', () =>
    withMemoryDatabase<string>({ keyEncoding: 'binary' }, async subject => {
      const stray = [
        [0xff],
        [0x61, 0xfe, 0x61],
        [0xc3],
        [0xc0, 0x80],
        [0xed, 0xa0, 0x80],
        [0xf4, 0x90, 0x80, 0x80],
        [...Buffer.from('x'.repeat(1000)), 0xe2, 0x82],
      ].map(bytes => new Uint8Array(bytes))
      // A database may hold such keys already.
      for (const key of stray) subject.db.put(key, 'old')
      const db = subject.reopen({ keyEncoding: 'utf8' })
      const tx = db.begin()
      for (const key of stray) {
        for (const action of [
          () => db.put(key, 'x'),
          () => db.put(key, 'x'.repeat(5000), { ttl: 1000 }),
          () => db.batch([{ type: 'put', key, value: 'x' }]),
          () => tx.put(key, 'x'),
        ])
          expect(expectCode(action, INVALID).message).toContain("keyEncoding: 'binary'")
        for (const action of [
          () => db.async.put(key, 'x'),
          () => db.async.batch([{ type: 'put', key, value: 'x' }]),
          () => db.async.transact(tx => tx.put(key, 'x')),
        ])
          expect(await failureOf(action)).toMatchObject({ code: INVALID })
        expect(() => new Values('utf8', UTF8_KEYS).encodeKey(key)).toThrow('keyEncoding')
        expect(new Values('utf8', BINARY_KEYS).encodeKey(key)).toEqual(key)
      }
      tx.rollback()
      for (const [key, text] of [
        ['\ufeffbom', 'x'],
        ['\ufffd', 'y'],
        ['€😀', 'z'],
      ] as const) {
        db.put(Buffer.from(key), text)
        expect(db.get(key)).toBe(text)
        expect(db.delete(key)).toBe(true)
      }
      // They are read and removed by their bytes.
      expect(db.count()).toBe(stray.length)
      for (const key of stray) {
        expect(db.get(key)).toBe('old')
        expect(db.expire(key, 1e6)).toBe(true)
        expect([...db.keys({ gte: key, lte: key })]).toEqual([Buffer.from(key).toString()])
        expect(db.delete(key)).toBe(true)
      }
      expect(db.count()).toBe(0)
    }))

  test('bytes that are no UTF-8 are refused or kept apart, never taken for one another', () =>
    withMemoryDatabase({}, ({ db }) => {
      const keys = [
        new Uint8Array([0xff]),
        new Uint8Array([0xfe]),
        new Uint8Array([0xc3]),
        new Uint8Array([0xed, 0xa0, 0x80]),
      ]
      const kept = keys.filter((key, i) => {
        const error = thrownBy(() => db.put(key, `${i}`))
        if (error !== undefined) expect(error).toMatchObject({ code: INVALID })
        return error === undefined
      })
      for (const key of kept) expect(db.get(key)).toBe(`${keys.indexOf(key)}`)
      expect(db.stats().records).toBe(kept.length)
      expect(db.has('\ufffd')).toBe(false)
      for (const key of kept) db.delete(key)
    }))

  test('bytes of all kinds are keys under the binary encoding', () =>
    withMemoryDatabase({ keyEncoding: 'binary' }, ({ db }) => {
      for (let byte = 0; byte < 256; byte++) db.put(new Uint8Array([byte, 255 - byte]), `${byte}`)
      expect(db.stats().records).toBe(256)
      const seen = new Set<number>()
      db.reset()
      while (db.next()) {
        const { key, value } = db.readCurrent() as unknown as { key: Uint8Array; value: string }
        expect([...key]).toEqual([Number(value), 255 - Number(value)])
        seen.add(key[0]!)
      }
      expect(seen.size).toBe(256)
    }))

  test('have up to 1,024 bytes at least; one that is too long is refused as such', () =>
    withMemoryDatabase({}, ({ db }) => {
      for (const key of ['x'.repeat(1024), 'é'.repeat(512), '😀'.repeat(256)]) {
        db.put(key, key)
        expect(db.get(key)).toBe(key)
      }
      for (const length of [1025, 4096, 65_536, 1_000_000, 20_000_000]) {
        for (const key of ['x'.repeat(length), 'é'.repeat(Math.ceil(length / 2)), new Uint8Array(length).fill(0x79)]) {
          const error = thrownBy(() => db.put(key, 'value'))
          if (error === undefined) {
            expect(db.get(key)).toBe('value')
            expect(db.delete(key)).toBe(true)
          } else {
            expect(error).toMatchObject({ code: 'XENON_KEY_TOO_LARGE' })
            const lookup = thrownBy(() => expect(db.get(key)).toBeUndefined())
            if (lookup !== undefined) expect(lookup).toMatchObject({ code: 'XENON_KEY_TOO_LARGE' })
          }
        }
      }
      expect(db.stats().records).toBe(3)
    }))
})
