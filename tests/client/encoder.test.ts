/** Commands as the bytes of the Redis protocol, whatever their arguments are. */
import { expect, test } from 'vitest'
import { type Argument, CommandEncoder } from '../../src/client/encoder.ts'
import fc from '../support/property.ts'

const plain = (command: readonly Argument[]): Buffer =>
  Buffer.concat([
    Buffer.from(`*${command.length}\r\n`),
    ...command.flatMap(each => {
      const bytes = Buffer.from(each instanceof Uint8Array ? each : String(each))
      return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]
    }),
  ])

const lengths = [0, 1, 9, 10, 63, 64, 65, 99, 100, 999, 1000, 16383, 16384, 16385, 70_000]

test('texts and bytes of every length go as they are', () => {
  const encoder = new CommandEncoder()
  for (const length of lengths)
    for (const argument of ['x'.repeat(length), 'é'.repeat(length), Buffer.alloc(length, 7)]) {
      const command = ['SET', 'key', argument]
      encoder.add(command)
      expect(Buffer.concat(encoder.take()).equals(plain(command)), `${length}`).toBe(true)
    }
})

test('many commands in one write stay apart, and those of the next write do not change them', () => {
  const argument = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc.uint8Array({ maxLength: 80 }),
    fc.integer(),
    fc.bigInt(),
  )
  const writes = fc.array(fc.array(fc.array(argument, { minLength: 1, maxLength: 12 }), { maxLength: 20 }))
  fc.assert(
    fc.property(writes, given => {
      const encoder = new CommandEncoder()
      const made = given.map(commands => {
        for (const command of commands) encoder.add(command)
        return encoder.take()
      })
      const expected = given.map(commands => Buffer.concat(commands.map(plain)).toString('hex'))
      expect(made.map(chunks => Buffer.concat(chunks).toString('hex'))).toEqual(expected)
    }),
    { numRuns: 50 },
  )
})
