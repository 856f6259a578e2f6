/** `xenondb client` as a process, to redis-server and to `xenondb serve`. */
import { describe, expect, test } from 'vitest'
import { run } from '../cli/run.ts'
import { withDirectory } from '../support/directory.ts'
import { freePort } from '../support/ports.ts'
import { hasRedis, type RunningServer, startRedis, startXenon } from './servers.ts'

const servers: readonly (readonly [
  name: string,
  there: boolean,
  start: (directory: string) => Promise<RunningServer>,
])[] = [
  ['redis-server', hasRedis, startRedis],
  ['xenondb serve', true, directory => startXenon(`${directory}/db`)],
]

describe.each(servers)('client to %s', (_, there, start) => {
  test.skipIf(!there)('PUT, GET, DELETE, and any other command; status 1 when there is nothing', () =>
    withDirectory(async directory => {
      const server = await start(directory)
      const client = (...words: string[]) => run('client', '--port', `${server.port}`, ...words)
      expect(await client('--', 'ECHO', '--port')).toMatchObject({ status: 0, stdout: '--port' })
      const said = (stdout: string, status: number = 0) => ({ status, stdout, stderr: '' })
      try {
        const json = '{"name": "Alice"}'
        expect(await client('PUT', 'user:42', json)).toMatchObject(said('OK\n'))
        expect(await client('GET', 'user:42')).toMatchObject(said(json))
        expect(await client('get', 'nobody')).toMatchObject(said('', 1))
        expect(await client('DELETE', 'user:42')).toMatchObject(said('1\n'))
        expect(await client('delete', 'user:42')).toMatchObject(said('0\n', 1))
        expect(await client('SET', '--key', '-5')).toMatchObject(said('OK\n'))
        expect(await client('INCRBY', '--key', '-2')).toMatchObject(said('-7\n'))
        expect(await client('MGET', '--key', 'x', '--key')).toMatchObject(said('-7\n\n-7\n'))
        expect(await client('--request-timeout', '5000', 'ECHO', '007')).toMatchObject(said('007'))
        expect(await client('NOSUCH', 'a')).toMatchObject({
          status: 1,
          stdout: '',
          stderr: expect.stringMatching(/^xenondb: ERR unknown command 'NOSUCH'.*\n$/),
        })
      } finally {
        await server.stop()
      }
    }),
  )
})

test('no server, no command, wrong options', async () => {
  const port = `${await freePort()}`
  expect(await run('client', '--port', port, 'GET', 'a')).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^xenondb: no connection to 127\.0\.0\.1:\d+ .*\n$/),
  })
  expect(await run('client', '--connect', `127.0.0.1:${port}`, 'GET', 'a')).toEqual(
    await run('client', '--port', port, 'GET', 'a'),
  )
  expect(await run('client', '--connect', `:${port}`, '--port', port, 'GET', 'a')).toMatchObject({ status: 2 })
  expect(await run('client', 'GET', 'a', '--port', port)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('--port stands behind the command'),
  })
  expect(await run('client')).toMatchObject({ status: 2 })
  expect(await run('client', '--port', 'x', 'GET', 'a')).toMatchObject({ status: 2 })
  expect(await run('client', '--nonsense', 'GET', 'a')).toMatchObject({ status: 2 })
})
