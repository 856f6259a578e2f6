/** A server that is killed and comes back, and one that speaks TLS. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ConnectionError, connect } from '../../src/client/index.ts'
import { startXenon } from '../redis/servers.ts'
import { pause } from '../support/child.ts'
import { withDirectory } from '../support/directory.ts'
import { expectCodeAsync } from '../support/errors.ts'
import { freePort } from '../support/ports.ts'

test('after SIGKILL every answered write is there, and the client goes on', () =>
  withDirectory(async directory => {
    const port = await freePort()
    const start = () => startXenon(`${directory}/db`, '--port', `${port}`)
    let server = await start()
    const client = await connect({ port })
    const answered: string[] = []
    const failed: unknown[] = []
    let writing = true
    const writers = Array.from({ length: 16 }, async (_, writer) => {
      for (let i = 0; writing; i++) {
        const key = `${writer}:${i}`
        try {
          await client.put(key, key)
          answered.push(key)
        } catch (error) {
          failed.push(error)
        }
      }
    })
    for (let round = 0; round < 3; round++) {
      await pause(300)
      server.process.kill('SIGKILL')
      await server.stop()
      server = await start()
    }
    await pause(200)
    writing = false
    await Promise.all(writers)
    expect(answered.length).toBeGreaterThan(100)
    for (const error of failed) expect(error).toBeInstanceOf(ConnectionError)
    for (const error of failed) expect(error).toMatchObject({ sent: true })
    // Each writer has one command on its way.
    expect(failed.length).toBeLessThanOrEqual(3 * 16)
    const found = await client.getMany(answered)
    expect(found).toEqual(answered)
    await client.close()
    await server.stop()
  }))

const hasOpenssl = spawnSync('openssl', ['version']).status === 0

test.skipIf(!hasOpenssl)('TLS', () =>
  withDirectory(async directory => {
    const [key, cert] = [`${directory}/key.pem`, `${directory}/cert.pem`]
    const certificate = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout ${key} -out ${cert}`
    execFileSync('openssl', certificate.split(' '), { stdio: 'ignore' })
    const server = await startXenon(`${directory}/db`, '--tls-key', key, '--tls-cert', cert, '--password', 'secret')
    try {
      const { port } = server
      const ca = readFileSync(cert)
      for (const host of ['127.0.0.1', 'localhost']) {
        const client = await connect({ host, port, tls: { ca }, password: 'secret' })
        await client.put('a', 'over TLS')
        expect(await client.transact(tx => tx.get('a'))).toBe('over TLS')
        await client.close()
      }
      await expectCodeAsync(() => connect({ port, tls: true, password: 'secret' }), 'XENON_CONNECTION')
      await expectCodeAsync(() => connect({ port, tls: { ca } }), 'XENON_SERVER')
      await expectCodeAsync(() => connect({ port, connectTimeout: 2000 }), 'XENON_CONNECTION', 'XENON_TIMEOUT')
    } finally {
      await server.stop()
    }
  }),
)
