/**
 * A cluster whose every connection is encrypted and known: NATS by certificates on both sides and credentials files
 * (operator, accounts, JWT), clients by TLS and a password.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { credsAuthenticator } from '@nats-io/nats-core'
import { describe, expect, test } from 'vitest'
import { connectCluster } from '../../src/cluster/index.ts'
import { pause } from '../support/child.ts'
import { withDirectory } from '../support/directory.ts'
import { failureOf } from '../support/errors.ts'
import { freePort } from '../support/ports.ts'
import { type Run, run } from './command.ts'
import { operatorMode } from './credentials.ts'
import { NO_NATS, natsProgram, withNats } from './nats-servers.ts'

const [certificate, key] = ['cert', 'key'].map(name =>
  fileURLToPath(new URL(`../server/tls-${name}.pem`, import.meta.url)),
) as [string, string]

async function shows({ child, output }: Run, words: string): Promise<void> {
  for (let i = 0; i < 2000 && child.exitCode === null && !output().includes(words); i++) await pause(25)
  expect(output()).toContain(words)
}

describe.skipIf(natsProgram === undefined)(`a cluster by TLS (else ${NO_NATS})`, () => {
  test(
    'two nodes with credentials files and certificates, and nobody without',
    () =>
      withDirectory(async directory => {
        const { lines, user, system } = operatorMode()
        const [userFile, systemFile] = [join(directory, 'user.creds'), join(directory, 'system.creds')]
        writeFileSync(userFile, user)
        writeFileSync(systemFile, system)
        const tls = { caFile: certificate, certFile: certificate, keyFile: key }
        const options = {
          servers: 1 as const,
          accounts: { lines, authenticator: credsAuthenticator(Buffer.from(user)) },
          tls,
          more: `tls { cert_file: "${certificate}", key_file: "${key}", ca_file: "${certificate}", verify: true }`,
        }
        await withNats(directory, options, async nats => {
          const trusted = ['--nats', nats.urls.join(','), '--nats-ca', certificate]
          const encrypted = [...trusted, '--nats-cert', certificate, '--nats-key', key]
          const access = [...encrypted, '--nats-creds', userFile, '--nats-system-creds', systemFile]
          const done = async (...words: string[]): Promise<string> => {
            const ended = run(...words)
            expect([await ended.status, ended.output()]).toEqual([0, expect.anything()])
            return ended.output()
          }
          // Without a certificate of one's own, without credentials, with those of another operator.
          const foreign = join(directory, 'foreign.creds')
          writeFileSync(foreign, operatorMode().user)
          for (const wrong of [
            [...trusted, '--nats-creds', userFile],
            encrypted,
            [...encrypted, '--nats-creds', foreign],
          ]) {
            const refused = run('cluster', 'create', 'safe', ...wrong, '--nats-trust')
            expect([await refused.status, refused.output()]).toEqual([1, expect.stringContaining('XENON_CONNECTION')])
          }
          await done('cluster', 'create', 'safe', '--log-bytes', `${64 * 1024 ** 2}`, ...access)

          const forClients = ['--tls-cert', certificate, '--tls-key', key, '--password', 'secret']
          const nodes: (Run & { readonly port: number })[] = []
          try {
            for (const name of ['one', 'two']) {
              const port = await freePort()
              const own = ['--cluster', 'safe', '--port', `${port}`, ...access, ...forClients]
              nodes.push({ ...run('serve', join(directory, name), ...own), port })
              await shows(nodes.at(-1)!, `node ${nodes.length} of shard 0`)
            }
            const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
            const ca = readFileSync(certificate)
            const cluster = await connectCluster({
              nodes: addresses,
              tls: { ca },
              password: 'secret',
              patience: 30_000,
            })
            await cluster.put('a', '1')
            expect(await cluster.get('a')).toBe('1')
            const client = ['--tls', '--cacert', certificate, '--password', 'secret']
            // Nodes speak to one another over NATS; the hand-over is asked for over the port of clients.
            expect(await done('cluster', 'failover', 'safe', ...access, ...client)).toContain('leads')
            await cluster.put('a', '2')
            expect(await cluster.get('a')).toBe('2')
            await cluster.close()
            expect(await done('cluster', 'status', 'safe', ...access)).toContain('all is well')

            const plain = { nodes: addresses, password: 'secret', patience: 1, connectTimeout: 2_000 }
            expect(await failureOf(() => connectCluster(plain))).toMatchObject({ code: 'XENON_CONNECTION' })
            const unknown = { ...plain, tls: true }
            expect(await failureOf(() => connectCluster(unknown))).toMatchObject({ code: 'XENON_CONNECTION' })
          } finally {
            for (const { child } of nodes) child.kill('SIGTERM')
            await Promise.all(nodes.map(({ status }) => status))
          }
          for (const name of ['one', 'two']) await done('verify', join(directory, name))
        })
      }),
    120_000,
  )
})
