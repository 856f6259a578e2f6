/** The entries of the families, and what is made of them. */
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Command } from '../../../src/server/commands/command.ts'
import { commands, findCommand } from '../../../src/server/commands/index.ts'
import { RequestParser } from '../../../src/server/protocol/parser.ts'
import { bulk, request, withServer } from '../wire.ts'

const folder = new URL('../../../src/server/commands/', import.meta.url)

const isFamily = (value: unknown): value is readonly Command[] =>
  Array.isArray(value) && value.every(({ run }) => typeof run === 'function')

test('every family is listed, and no command stands in two of them', async () => {
  const names: string[] = ['command', 'eval', 'eval_ro', 'evalsha', 'evalsha_ro', 'script']
  for (const file of readdirSync(folder))
    if (file.endsWith('.ts'))
      for (const value of Object.values(await import(new URL(file, folder).href)))
        if (isFamily(value)) names.push(...value.map(({ name }) => name))
  expect(names.toSorted()).toEqual([...commands.keys()].toSorted())
})

test('a command is found however it is written, and by its whole name alone', () => {
  const find = (name: string): Command | undefined => {
    const parser = new RequestParser(
      { arguments: 9, argumentBytes: 99, queryBytes: 999 },
      { arguments: 9, argumentBytes: 99, queryBytes: 999 },
      true,
    )
    parser.feed(Buffer.from(request(name)))
    expect(parser.next()).toBe('request')
    return findCommand(parser)
  }
  for (const [name, command] of commands) {
    expect(find(name)).toBe(command)
    expect(find(name.toUpperCase())).toBe(command)
    expect(find(`${name}x`)).toBe(commands.get(`${name}x`))
    expect(find(name.slice(0, -1))).toBe(commands.get(name.slice(0, -1)))
  }
  for (const name of ['', 'g', 'get\0', 'constructor', 'x'.repeat(50)]) expect(find(name)).toBeUndefined()
})

test('a command that changes records, or reads some by their keys, says where its keys stand', () => {
  const withoutKeys = [...commands.values()]
    .filter(({ name }) => name !== 'lolwut')
    .filter(({ flags, keys }) => (flags.includes('write') || flags.includes('readonly')) && keys.length === 0)
    .map(({ name }) => name)
  expect(withoutKeys.toSorted()).toEqual([
    'dbsize',
    'flushall',
    'flushdb',
    'index',
    'keys',
    'randomkey',
    'range',
    'scan',
    'swapdb',
  ])
})

test('COMMAND tells of every command', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    await c.expect('COMMAND COUNT\r\n', `:${commands.size}\r\n`)
    await c.expect(
      'COMMAND INFO mset nothing\r\n',
      '*2\r\n*10\r\n$4\r\nmset\r\n:-3\r\n*2\r\n+write\r\n+denyoom\r\n:1\r\n:-1\r\n:2\r\n' +
        '*3\r\n+@write\r\n+@string\r\n+@slow\r\n' +
        `*2\r\n${bulk('request_policy:multi_shard')}${bulk('response_policy:all_succeeded')}` +
        `*1\r\n*6\r\n${bulk('flags')}*2\r\n+OW\r\n+update\r\n` +
        `${bulk('begin_search')}*4\r\n${bulk('type')}${bulk('index')}${bulk('spec')}*2\r\n${bulk('index')}:1\r\n` +
        `${bulk('find_keys')}*4\r\n${bulk('type')}${bulk('range')}${bulk('spec')}` +
        `*6\r\n${bulk('lastkey')}:-1\r\n${bulk('keystep')}:2\r\n${bulk('limit')}:0\r\n*0\r\n$-1\r\n`,
    )
    await c.expect(
      'COMMAND DOCS dbsize nothing\r\n',
      `*2\r\n${bulk('dbsize')}*8\r\n${bulk('summary')}${bulk('Return the number of keys in the selected database')}` +
        `${bulk('since')}${bulk('1.0.0')}${bulk('group')}${bulk('server')}${bulk('complexity')}${bulk('O(1)')}`,
    )
    c.received = ''
    c.write('COMMAND LIST\r\n')
    const names = [...commands.values()].flatMap(({ name, within }) => [name, ...within.map(([each]) => each)])
    const all = `*${names.length}\r\n${names.map(bulk).join('')}`
    expect(await c.until(text => text.length >= all.length)).toBe(all)
  }))
