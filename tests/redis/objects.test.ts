/** OBJECT tells of what SET has written what Redis tells of it. */
import { expect, test } from 'vitest'
import { withDirectory } from '../support/directory.ts'
import { hasRedis, startRedis, startXenon } from './servers.ts'
import { type Command, showWire, WireConnection } from './wire.ts'

const VALUES = [
  '', '0', '9999', '10000', '-1', '-0', '01', '9223372036854775807', '9223372036854775808', '-9223372036854775808',
  '1.5', 'text', 'x'.repeat(44), 'x'.repeat(45), '1'.repeat(20), ' 1', '+1',
] // biome-ignore format: a list

test.runIf(hasRedis)('encoding and references of what SET has written', () =>
  withDirectory(async directory => {
    const servers = [await startRedis(directory), await startXenon(`${directory}/db`)]
    try {
      const commands: Command[] = VALUES.flatMap(value => [
        ['SET', 'k', value],
        ['OBJECT', 'ENCODING', 'k'],
        ['OBJECT', 'REFCOUNT', 'k'],
        ['OBJECT', 'FREQ', 'k'],
      ])
      const told = await Promise.all(
        servers.map(async ({ port }) => {
          const connection = await WireConnection.open(port)
          const replies = await connection.send(commands)
          connection.close()
          return replies.map(showWire)
        }),
      )
      expect(told[1]).toEqual(told[0])
    } finally {
      for (const server of servers) await server.stop()
    }
  }),
)
