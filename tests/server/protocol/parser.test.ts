import { expect, test } from 'vitest'
import { RequestParser } from '../../../src/server/protocol/parser.ts'
import { firstSeed } from '../../support/random.ts'
import { fuzzParser } from './fuzz.ts'

const LIMITS = { arguments: 1_000_000, argumentBytes: 1_000_000, queryBytes: 2_000_000 }
const STRANGERS = { arguments: 10, argumentBytes: 16384, queryBytes: 1048576 }

const parserOf = (trusted = true): RequestParser => new RequestParser(LIMITS, STRANGERS, trusted)

/** The requests of some chunks, as words; ends with what was wrong. */
function parse(chunks: readonly string[], trusted = true): (string[] | string)[] {
  const parser = parserOf(trusted)
  const found: (string[] | string)[] = []
  for (const text of chunks) {
    const chunk = Buffer.from(text, 'latin1')
    parser.feed(chunk)
    for (let step = parser.next(); step !== 'more'; step = parser.next()) {
      if (step !== 'request') {
        found.push(step === 'failed' ? parser.problem : step)
        return found
      }
      const words: string[] = []
      for (let i = 0; i < parser.count; i++)
        words.push(parser.source.toString('latin1', parser.starts[i], parser.ends[i]))
      found.push(words)
    }
    parser.settle()
    // The parser must not depend on a chunk that it was given before.
    chunk.fill(0)
  }
  return found
}

const STREAM =
  '*3\r\n$3\r\nSET\r\n$5\r\nk\r\ney\r\n$0\r\n\r\n*-1\r\n*0\r\nPING "a b"\r\n\r\n*1\r\n$4\r\nPING\r\nGET x\n*2\r\n$3\r\nGET\r\n$3\r\nabc\r\n'
const REQUESTS = [['SET', 'k\r\ney', ''], ['PING', 'a b'], ['PING'], ['GET', 'x'], ['GET', 'abc']]

test('a stream of requests', () => {
  expect(parse([STREAM])).toEqual(REQUESTS)
})

test('every split point, and every pair of them', () => {
  for (let a = 0; a <= STREAM.length; a++) {
    for (let b = a; b <= STREAM.length; b += 3)
      expect(parse([STREAM.slice(0, a), STREAM.slice(a, b), STREAM.slice(b)])).toEqual(REQUESTS)
  }
})

test('one byte at a time', () => {
  expect(parse([...STREAM])).toEqual(REQUESTS)
})

test.each([
  ['*2147483648\r\n', 'Protocol error: invalid multibulk length'],
  ['*abc\r\n', 'Protocol error: invalid multibulk length'],
  ['*03\r\n', 'Protocol error: invalid multibulk length'],
  ['*\r\n', 'Protocol error: invalid multibulk length'],
  ['*1\r\n$-1\r\n', 'Protocol error: invalid bulk length'],
  [
    '*1\r\n$999999999999\r\n',
    'Protocol error: invalid bulk length: 999999999999 bytes, of at most 1000000 (proto-max-bulk-len)',
  ],
  ['*1\r\n$a\r\n', 'Protocol error: invalid bulk length'],
  ['*1\r\n*1\r\n', "Protocol error: expected '$', got '*'"],
  ['*1\r\n:1\r\n', "Protocol error: expected '$', got ':'"],
  ['*1\r\n$4\r\nPINGXX', 'Protocol error: expected CRLF behind a bulk string'],
  ['GET "a\r\n', 'Protocol error: unbalanced quotes in request'],
  ["GET 'a'b\r\n", 'Protocol error: unbalanced quotes in request'],
])('%j is refused as Redis refuses it', (bytes, problem) => {
  expect(parse([bytes])).toEqual([problem])
  expect(parse([...bytes])).toEqual([problem])
})

test('a line without an end is refused after 64 KiB', () => {
  const long = '1'.repeat(65537)
  expect(parse([long])).toEqual(['Protocol error: too big inline request'])
  expect(parse([`*${long}`])).toEqual(['Protocol error: too big mbulk count string'])
  expect(parse([`*1\r\n$${long}`])).toEqual(['Protocol error: too big bulk count string'])
})

test('before AUTH little may be sent', () => {
  expect(parse(['*11\r\n'], false)).toEqual(['Protocol error: unauthenticated multibulk length'])
  expect(parse(['*1\r\n$16385\r\n'], false)).toEqual(['Protocol error: unauthenticated bulk length'])
  expect(parse(['*10\r\n$16384\r\n'], false)).toEqual([])
})

test('a request that never ends is refused with the limit', () => {
  const parser = parserOf()
  parser.feed(Buffer.from('*1000\r\n'))
  let step = parser.next()
  for (let i = 0; i < 10 && step === 'more'; i++) {
    parser.settle()
    parser.feed(Buffer.from(`$500000\r\n${'x'.repeat(500_000)}\r\n`))
    step = parser.next()
  }
  expect(step).toBe('failed')
  expect(parser.problem).toMatch(
    /^Protocol error: the request takes more than \d+ bytes \(client-query-buffer-limit\)$/,
  )
})

test('nothing is allocated for what a length announces', () => {
  const before = process.memoryUsage().arrayBuffers
  const parsers = Array.from({ length: 1000 }, () => {
    const parser = parserOf()
    parser.feed(Buffer.from('*1000000\r\n$1000000\r\nabc'))
    expect(parser.next()).toBe('more')
    parser.settle()
    return parser
  })
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000)
  expect(parsers.length).toBe(1000)
})

test('a large argument in small chunks is copied a few times only', () => {
  const parser = new RequestParser({ ...LIMITS, argumentBytes: 2 ** 24, queryBytes: 2 ** 25 }, STRANGERS, true)
  const started = performance.now()
  parser.feed(Buffer.from(`*1\r\n$${2 ** 24}\r\n`))
  const chunk = Buffer.alloc(4096, 120)
  for (let i = 0; i < 4096; i++) {
    expect(parser.next()).toBe('more')
    parser.settle()
    parser.feed(chunk)
  }
  parser.feed(Buffer.from('\r\n'))
  expect(parser.next()).toBe('request')
  expect(parser.ends[0]! - parser.starts[0]!).toBe(2 ** 24)
  expect(performance.now() - started).toBeLessThan(5000)
})

test('50,000 mutated streams give requests or a typed error', () => {
  const seed = firstSeed()
  try {
    const report = fuzzParser(seed, Number(process.env.XENON_FUZZ ?? 50_000))
    expect(report.requests).toBeGreaterThan(1000)
    expect(report.failed).toBeGreaterThan(1000)
  } catch (error) {
    throw new Error(`XENON_SEED=${seed}`, { cause: error })
  }
})
