import { describe, expect, it } from 'vitest'
import { withServer } from '../wire.ts'

describe('CLIENT PAUSE', () => {
  it('whoever ends it in the midst of a pipeline gets all replies, and nobody else any of them', () =>
    withServer({}, async ({ client }) => {
      const [ender, waiter] = [await client(), await client()]
      await ender.expect('SET secret 1234\r\nCLIENT PAUSE 100000 WRITE\r\n', '+OK\r\n+OK\r\n')
      waiter.write('SET a 1\r\nGET a\r\n')
      await ender.expect('GET secret\r\n', '$4\r\n1234\r\n')
      await ender.expect('GET secret\r\nCLIENT UNPAUSE\r\nGET secret\r\n', '$4\r\n1234\r\n+OK\r\n$4\r\n1234\r\n')
      await waiter.expect('', '+OK\r\n$1\r\n1\r\n')
      await ender.expect('CLIENT PAUSE 100000 WRITE\r\n', '+OK\r\n')
      waiter.write('SET a 2\r\n')
      await ender.expect('MULTI\r\nGET secret\r\nCLIENT UNPAUSE\r\nEXEC\r\n', /\*2\r\n\$4\r\n1234\r\n\+OK\r\n$/)
      await waiter.expect('', '+OK\r\n')
    }))

  it('commands that waited for its end are not answered after CLIENT REPLY OFF or SKIP', () =>
    withServer({}, async ({ client }) => {
      const [ender, waiter] = [await client(), await client()]
      await ender.expect('CLIENT PAUSE 100000 WRITE\r\n', '+OK\r\n')
      waiter.write('CLIENT REPLY SKIP\r\nSET a 1\r\nGET a\r\n')
      await ender.expect('PING\r\nCLIENT UNPAUSE\r\n', '+PONG\r\n+OK\r\n')
      await waiter.expect('', '$1\r\n1\r\n')
      await ender.expect('CLIENT PAUSE 100000 WRITE\r\n', '+OK\r\n')
      waiter.write('CLIENT REPLY OFF\r\nSET a 2\r\nSET a 3\r\nCLIENT REPLY ON\r\nGET a\r\n')
      await ender.expect('PING\r\nCLIENT UNPAUSE\r\n', '+PONG\r\n+OK\r\n')
      await waiter.expect('', '+OK\r\n$1\r\n3\r\n')
    }))

  it('keeps nothing of clients that are closed before its end', () =>
    withServer({}, async ({ client, server }) => {
      const ender = await client()
      await ender.expect('CLIENT PAUSE 100000 WRITE\r\n', '+OK\r\n')
      const gone = await client()
      gone.write('SET a 1\r\n')
      while (server.pause.count === 0) await ender.expect('PING\r\n', '+PONG\r\n')
      await ender.expect('CLIENT KILL TYPE normal\r\n', ':1\r\n')
      expect(server.pause.count).toBe(0)
      await ender.expect('CLIENT UNPAUSE\r\nGET a\r\n', '+OK\r\n$-1\r\n')
    }))
})
