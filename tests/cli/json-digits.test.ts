/** JSON that passes through the command line keeps its digits, its escapes and its members. */
import { writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { compactJson, memberText } from '../../src/cli/json-text.ts'
import { open } from '../../src/index.ts'
import { withDirectory } from '../support/directory.ts'
import fc from '../support/property.ts'
import { run, runWith } from './run.ts'

/** JSON as it is given, and as it is stored and printed: the same but for white space. */
const TEXTS: readonly (readonly [given: string, kept: string])[] = [
  ['3791411052119578828', '3791411052119578828'],
  ['1e400', '1e400'],
  ['-0', '-0'],
  ['1.0', '1.0'],
  ['0.10000000000000000000', '0.10000000000000000000'],
  ['-1E+2', '-1E+2'],
  ['[1.50, {"n" : 9007199254740993}]', '[1.50,{"n":9007199254740993}]'],
  ['{"b": 1, "a": 2, "b": 3}', '{"b":1,"a":2,"b":3}'],
  ['{"10": 1, "9": 2, "__proto__": 3}', '{"10":1,"9":2,"__proto__":3}'],
  [String.raw`"\u00e9 \/ \ud800 é \" \\"`, String.raw`"\u00e9 \/ \ud800 é \" \\"`],
  [' { "a b" : [ 1 ,\n\t2 ] , "c" : { } } ', '{"a b":[1,2],"c":{}}'],
  ['"two  spaces, {\\"value\\": 1}"', '"two  spaces, {\\"value\\": 1}"'],
]

test('get and range print what put was given', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    const lines = TEXTS.map(([given], i) => `{"key":"k${i}","value":${given.replaceAll('\n', ' ')}}`)
    await runWith(lines.join('\n'), 'import', db, '--encoding', 'json')
    // One number, and one with white space of all kinds.
    for (const i of [2, 10]) {
      const [given, kept] = TEXTS[i]!
      expect(await run('put', db, '--encoding', 'json', '--', `k${i}`, given)).toMatchObject({
        status: 0,
        stderr: '',
      })
      expect((await run('get', db, `k${i}`, '--encoding', 'json')).stdout).toBe(kept)
    }
    const range = async (...options: string[]): Promise<string[]> =>
      (await run('range', db, '--encoding', 'json', ...options)).stdout.trimEnd().split('\n').sort()
    expect(await range()).toEqual(TEXTS.map(([, kept], i) => `k${i}\t${kept}`).sort())
    expect(await range('--values')).toEqual(TEXTS.map(([, kept]) => kept).sort())
    expect(await range('--json')).toEqual(TEXTS.map(([, kept], i) => `{"key":"k${i}","value":${kept}}`).sort())
    // What the engine's own encoding reads is the same value.
    const own = open<unknown>(db, { valueEncoding: 'json' })
    for (const [i, [given]] of TEXTS.entries()) expect(own.get(`k${i}`)).toEqual(JSON.parse(given))
    own.close()
    expect((await run('put', db, 'bad', '01', '--encoding', 'json')).stderr).toContain('not JSON')
  }))

test('import and export keep it in both formats, wherever the value stands in its line', () =>
  withDirectory(async parent => {
    const lines = TEXTS.map(([given], i) => {
      const value = given.replaceAll('\n', ' ')
      return i % 2 === 0
        ? `{"key":"k${i}","value":${value}}`
        : `{ "value" : ${value} ,"expiresAt":4102444800000, "key":"k${i}" }`
    })
    const expected = TEXTS.map(
      ([, kept], i) => `{"key":"k${i}","value":${kept}${i % 2 === 0 ? '' : ',"expiresAt":4102444800000'}}`,
    ).sort()
    for (const format of ['jsonl', 'csv']) {
      const [db, file] = [`${parent}/${format}`, `${parent}/file.${format}`]
      expect((await runWith(lines.join('\n'), 'import', db, '--encoding', 'json')).status).toBe(0)
      await run('export', db, file, '--encoding', 'json')
      await run('import', `${db}-2`, file, '--encoding', 'json')
      const { stdout } = await run('export', `${db}-2`, '--encoding', 'json')
      expect(stdout.trimEnd().split('\n').sort()).toEqual(expected)
    }
    writeFileSync(`${parent}/twice`, '{"key":"k","value":1.0,"value":2.00}\n{"\\u0076alue":3.0,"key":"e"}')
    await run('import', `${parent}/twice-db`, `${parent}/twice`, '--encoding', 'json')
    expect((await run('range', `${parent}/twice-db`, '--encoding', 'json')).stdout).toBe('e\t3.0\nk\t2.00\n')
  }))

describe('json text', () => {
  test('without its white space is the same JSON', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'grapheme' }), fc.constantFrom(undefined, 1, '\t', ' \n '), (json, space) => {
        const spaced = JSON.stringify(JSON.parse(json), null, space)
        expect(compactJson(spaced)).toBe(JSON.stringify(JSON.parse(json)))
      }),
    )
    const long = JSON.stringify('\\"'.repeat(1_000_000))
    expect(compactJson(` ${long} `)).toBe(long)
  })

  test('gives the text of a member', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), fc.json())), fc.json(), fc.string(), (members, json, name) => {
        const all = [...members, [name, json] as const]
        const text = `{ ${all.map(([name, value]) => `${JSON.stringify(name)} : ${value}`).join(' , ')} }`
        expect(memberText(text, name)?.trim()).toBe(json)
        expect(memberText('{}', name)).toBeUndefined()
      }),
    )
  })
})
