import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { Output } from '../../src/cli/output.ts'

const KEY = 'a\u001b]0;title\u0007b\tc\u009bd\u007fé\n'

const written = async (isTTY: boolean): Promise<string> => {
  const stream = Object.assign(new PassThrough(), { isTTY })
  const all = text(stream)
  const output = new Output(stream)
  output.addStored(KEY)
  output.add('\u001b[1mours\u001b[0m')
  await output.end()
  return await all
}

test('what lies in a database does not steer the terminal; what the command says itself may', async () => {
  expect(await written(true)).toBe('a\\u001b]0;title\\u0007b\tc\\u009bd\\u007fé\n\u001b[1mours\u001b[0m')
})

test('a pipe gets it as it is', async () => {
  expect(await written(false)).toBe(`${KEY}\u001b[1mours\u001b[0m`)
})
