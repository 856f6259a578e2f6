/** COMMAND DOCS: arguments, what has changed, and what is better. */
import { expect, test } from 'vitest'
import { argumentsOf } from '../../../src/server/commands/documentation.ts'
import { ARGUMENTS, DEPRECATED, HISTORY } from '../../../src/server/commands/documented.ts'
import { commands } from '../../../src/server/commands/index.ts'
import { bulk, withServer } from '../wire.ts'

const names = new Set([...commands.values()].flatMap(({ name, within }) => [name, ...within.map(([each]) => each)]))

test.each([...new Set([...Object.keys(ARGUMENTS), ...Object.keys(DEPRECATED), ...Object.keys(HISTORY)])])(
  '%s is a command, and what is written of it can be read',
  name => {
    expect(names).toContain(name)
    if (name in ARGUMENTS) expect(argumentsOf(name).length).toBeGreaterThan(0)
  },
)

test('the arguments of BITFIELD_RO and CLIENT KILL, one in the other', () => {
  const plain = { keySpec: undefined, token: undefined, since: undefined, deprecated: undefined, flags: [], within: [] }
  expect(argumentsOf('bitfield_ro')).toEqual([
    { ...plain, name: 'key', type: 'key', keySpec: 0 },
    {
      ...plain,
      name: 'encoding_offset',
      type: 'block',
      token: 'GET',
      flags: ['optional', 'multiple', 'multiple_token'],
      within: [
        { ...plain, name: 'encoding', type: 'string' },
        { ...plain, name: 'offset', type: 'integer' },
      ],
    },
  ])
  const [filter] = argumentsOf('client|kill')
  expect(filter).toMatchObject({
    name: 'filter',
    type: 'oneof',
    within: [{ name: 'ip:port', deprecated: '2.8.12' }, {}],
  })
  expect(filter!.within[1]!.within[1]).toMatchObject({ token: 'TYPE', since: '2.8.12', flags: ['optional'] })
})

const array = (...items: readonly string[]): string => `*${items.length}\r\n${items.join('')}`

test('the replies are those of Redis 7.0', () =>
  withServer({}, async ({ client }) => {
    const c = await client()
    const texts = (...words: string[]): string[] => words.map(bulk)
    const key = array(...texts('name', 'key', 'type', 'key', 'key_spec_index'), ':0\r\n')
    const value = array(...texts('name', 'value', 'type', 'string'))
    const getset = array(
      ...texts('summary', 'Set the string value of a key and return its old value', 'since', '1.0.0'),
      ...texts('group', 'string', 'complexity', 'O(1)', 'doc_flags'),
      array('+deprecated\r\n'),
      ...texts('deprecated_since', '6.2.0', 'replaced_by', '`SET` with the `!GET` argument', 'arguments'),
      array(key, value),
    )
    await c.expect('COMMAND DOCS getset\r\n', array(bulk('getset'), getset))
    const exists = array(
      ...texts('summary', 'Determine if a key exists', 'since', '1.0.0', 'group', 'generic', 'complexity'),
      bulk('O(N) where N is the number of keys to check.'),
      bulk('history'),
      array(array(...texts('3.0.3', 'Accepts multiple `key` arguments.'))),
      bulk('arguments'),
      array(
        array(
          ...texts('name', 'key', 'type', 'key', 'key_spec_index'),
          ':0\r\n',
          bulk('flags'),
          array('+multiple\r\n'),
        ),
      ),
    )
    await c.expect('COMMAND DOCS exists nothing\r\n', array(bulk('exists'), exists))
  }))
