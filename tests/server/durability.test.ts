/** N1 and N2 of server.ts: what may leave the server, and when. */
import { expect, test } from 'vitest'
import { type File, memoryStorage, type Storage } from '../../src/index.ts'
import { pause } from '../support/child.ts'
import { withServer } from './wire.ts'

/** Storage in memory that calls `onSync` before each sync of a file. */
function watched(onSync: () => void): Storage {
  const storage = memoryStorage()
  return {
    ...storage,
    open(path, options) {
      const file = storage.open(path, options)
      return new Proxy(file, {
        get(target, name) {
          if (name === 'sync')
            return () => {
              onSync()
              target.sync()
            }
          const value = Reflect.get(target, name, target)
          return typeof value === 'function' ? value.bind(target) : value
        },
      }) as File
    },
  }
}

test('no reply leaves before the writes of its turn are synced, whoever has written', async () => {
  let syncs = 0
  const storage = watched(() => syncs++)
  await withServer(
    {},
    async ({ client, server }) => {
      const reader = await client()
      const writer = await client()
      await reader.expect('PING\r\n', '+PONG\r\n')
      await writer.expect('PING\r\n', '+PONG\r\n')
      const before = syncs
      let atReply = -1
      for (const session of server.sessions.values()) {
        const { socket } = session
        const { write } = socket
        socket.write = ((...args: Parameters<typeof write>) => {
          if (atReply < 0) atReply = syncs
          return write.apply(socket, args)
        }) as typeof write
      }
      writer.write('SET a b\r\n')
      reader.write('GET a\r\n')
      await writer.until(text => text === '+OK\r\n')
      await reader.until(text => text.endsWith('\r\n'))
      expect(atReply).toBeGreaterThan(before)
    },
    { storage },
  )
})

test('a write of the program itself is synced before a reply shows it', async () => {
  let syncs = 0
  await withServer(
    {},
    async ({ client, server }) => {
      const c = await client()
      await c.expect('PING\r\n', '+PONG\r\n')
      server.keys.records.put(Buffer.from('a'), Buffer.from('b'), 0)
      const before = syncs
      await c.expect('GET a\r\n', '$1\r\nb\r\n')
      expect(syncs).toBeGreaterThan(before)
    },
    { storage: watched(() => syncs++) },
  )
})

test('after a sync that failed nothing is answered any more, and the server closes', async () => {
  let broken = false
  const storage = watched(() => {
    if (broken) throw Object.assign(new Error('EIO'), { code: 'EIO' })
  })
  let outcome: unknown
  await withServer(
    { logLevel: 'silent' },
    async ({ client, server }) => {
      const a = await client()
      const b = await client()
      await a.expect('SET a 1\r\n', '+OK\r\n')
      await b.expect('PING\r\n', '+PONG\r\n')
      broken = true
      a.write('SET a 2\r\n')
      b.write('GET a\r\n')
      expect(await a.untilClosed()).toBe('')
      expect(await b.untilClosed()).not.toContain('2')
      outcome = await server.done.catch(error => error)
      await pause(1)
    },
    { storage },
  ).catch(() => {})
  expect(outcome).toBeInstanceOf(Error)
  expect(String(outcome)).toContain('EIO')
})
