/** The shared log on one real nats-server: answers that get lost, who is let in; and what answers of NATS mean. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Msg, nkeys } from '@nats-io/nats-core'
import { describe, expect, test } from 'vitest'
import { connectNats } from '../../src/cluster/load.ts'
import { outcomeOf } from '../../src/cluster/nats/append.ts'
import { isAtLeast } from '../../src/cluster/nats/servers.ts'
import { pause } from '../support/child.ts'
import { withDirectory } from '../support/directory.ts'
import { NO_NATS, natsOptions, natsProgram, USER, withNats } from './nats-servers.ts'
import { startProxy } from './proxy.ts'
import { appendDefinitely, bytesOf, collect, textOf } from './shared-logs.ts'

describe.skipIf(natsProgram === undefined)(`a log on one nats-server (else ${NO_NATS})`, () => {
  test('whose acknowledgements get lost has the outcomes unknown, and the messages', () =>
    withDirectory(directory =>
      withNats(directory, { servers: 1 }, async servers => {
        const proxy = await startProxy(Number(new URL(servers.urls[0]!).port))
        const nats = await connectNats({ ...natsOptions(servers), servers: [`nats://${proxy.address}`] })
        try {
          expect(nats.replicas).toBe(1)
          const log = await nats.createLog({ cluster: 'one', shard: 0, generation: 1 }, { replicas: 1, maxBytes: -1 })
          const connections: boolean[] = []
          log.onConnection(isConnected => connections.push(isConnected))
          const reader = collect(log, 1)
          expect(await log.append([bytesOf('0')], 0)).toEqual({ kind: 'stored', sequence: 1 })

          proxy.loseAnswers()
          const late = await log.append([bytesOf('1')], 1)
          expect(late).toMatchObject({ kind: 'unknown', cause: { cause: { message: 'timeout' } } })
          proxy.cut()
          while (connections.length < 2) await pause(10)
          expect(textOf(await log.read(2))).toBe('1')
          expect(await log.append([bytesOf('1')], 1)).toMatchObject({ kind: 'refused', reason: 'wrong last' })

          proxy.loseAnswers()
          const cut = log.append([bytesOf('2')], 2)
          await pause(200)
          const before = performance.now()
          proxy.cut()
          expect(await cut).toMatchObject({ kind: 'unknown', cause: { code: 'XENON_CONNECTION' } })
          expect(performance.now() - before).toBeLessThan(1_400)
          expect(await log.append([bytesOf('x')], 2)).toMatchObject({ kind: 'unknown' })
          await expect(log.read(3)).rejects.toMatchObject({ code: 'XENON_CONNECTION' })
          while (!log.isConnected) await pause(10)
          expect(await appendDefinitely(log, bytesOf('2'), 2)).toBe('ours')
          expect(await appendDefinitely(log, bytesOf('y'), 2)).toBe('superseded')

          await reader.until(3)
          expect(reader.texts).toEqual(['0', '1', '2'])
          expect(connections).toEqual([false, true, false, true])
        } finally {
          await nats.close()
          proxy.close()
        }
      }),
    ))

  test('is reached by user, nkey and TLS, and by nobody else', () =>
    withDirectory(async directory => {
      const pair = nkeys.createUser()
      const seed = join(directory, 'seed.nk')
      writeFileSync(seed, `-- a comment --\n${new TextDecoder().decode(pair.getSeed())}\n`)
      const [caFile, keyFile] = ['cert', 'key'].map(name =>
        fileURLToPath(new URL(`../server/tls-${name}.pem`, import.meta.url)),
      )
      const options = {
        servers: 1 as const,
        users: `, { nkey: ${pair.getPublicKey()} }`,
        tls: { caFile: caFile! },
        more: `tls { cert_file: "${caFile}", key_file: "${keyFile}" }`,
      }
      await withNats(directory, options, async servers => {
        const { servers: urls, system } = natsOptions(servers)
        const tls = { caFile }
        const place = { cluster: 'access', shard: 0, generation: 1 }
        const byNkey = await connectNats({ servers: urls, system, tls, nkeyFile: seed })
        const log = await byNkey.createLog(place, { replicas: 1, maxBytes: -1 })
        expect(await log.append([bytesOf('a')], 0)).toEqual({ kind: 'stored', sequence: 1 })
        expect((await log.check()).problems).toEqual([])
        await byNkey.close()
        const byUser = await connectNats({
          servers: urls,
          tls,
          user: USER.user,
          password: USER.pass,
          trustServers: true,
        })
        expect(textOf(await (await byUser.openLog(place)).read(1))).toBe('a')
        await byUser.close()

        const code = (changes: object) =>
          connectNats({ servers: urls, tls, ...changes }).then(
            () => 'connected',
            ({ code }) => code,
          )
        expect(await code({})).toBe('XENON_CONNECTION')
        expect(await code({ user: USER.user, password: 'wrong' })).toBe('XENON_CONNECTION')
        expect(await code({ user: USER.user, password: USER.pass, tls: {} })).toBe('XENON_CONNECTION')
        expect(await code({ user: USER.user, password: USER.pass, system: { user: 'nobody', password: '' } })).toBe(
          'XENON_CONNECTION',
        )
        expect(await code({ nkeyFile: join(directory, 'none') })).toBe('XENON_INVALID_ARGUMENT')
        expect(await code({ nkeyFile: caFile })).toBe('XENON_INVALID_ARGUMENT')
        expect(await code({ credsFile: caFile })).toBe('XENON_INVALID_ARGUMENT')
        expect(await code({ user: 'a', nkeyFile: seed })).toBe('XENON_INVALID_ARGUMENT')
        expect(await code({ password: 'a' })).toBe('XENON_INVALID_ARGUMENT')
        expect(await code({ servers: [] })).toBe('XENON_INVALID_ARGUMENT')
        expect(await code({ servers: ['nats://user:password@localhost:4222'] })).toBe('XENON_INVALID_ARGUMENT')
        expect(await code({ servers: ['nats://127.0.0.1:1'] })).toBe('XENON_CONNECTION')
      })
    }))

  test('is not taken if its server acknowledges what is not on the disk yet', () =>
    withDirectory(directory =>
      withNats(directory, { servers: 1, sync: '2m' }, async servers => {
        const nats = await connectNats(natsOptions(servers))
        const [problem, ...more] = (await nats.checkServers()).problems
        expect(more).toEqual([])
        expect(problem).toContain('sync_interval: always')
        await nats.close()
      }),
    ))
})

describe('an answer of NATS', () => {
  const outcome = (answer: object | string) => {
    const text = typeof answer === 'string' ? answer : JSON.stringify(answer)
    const message = { json: () => JSON.parse(text) } as unknown as Msg
    return outcomeOf(message, 'S', 7)
  }
  const error = (err_code: number, description: string) => outcome({ error: { code: 400, err_code, description } })

  test.each([
    ['the acknowledgement', { stream: 'S', seq: 7 }, 'stored'],
    ['another stream', { stream: 'T', seq: 7 }, 'unknown'],
    ['another sequence', { stream: 'S', seq: 8 }, 'unknown'],
    ['nothing', {}, 'unknown'],
    ['no JSON', '-ERR', 'unknown'],
  ])('is understood: %s', (_, answer, kind) => {
    expect(outcome(answer).kind).toBe(kind)
  })

  test.each([
    [10071, 'wrong last sequence: 3', 'wrong last'],
    [10164, 'wrong last sequence', 'wrong last'],
    [10054, 'message size exceeds maximum allowed', 'too large'],
    [10077, 'maximum bytes exceeded', 'full'],
    [10077, 'maximum messages exceeded', 'full'],
  ])('is a refusal: %s %s', (code, text, reason) => {
    expect(error(code, text)).toMatchObject({ kind: 'refused', reason })
  })

  // One server's disk or memory: the others may have stored it.
  test.each([
    [10077, 'write: no space left on device'],
    [10023, 'insufficient resources'],
    [10002, 'resource limits exceeded for account'],
    [10008, 'JetStream system temporarily unavailable'],
    [10060, 'expected stream does not match'],
  ])('proves nothing: %s %s', (code, text) => {
    expect(error(code, text).kind).toBe('unknown')
  })

  test.each([
    ['2.10.27', true],
    ['2.10.26', false],
    ['2.9.99', false],
    ['2.15.1', true],
    ['2.11.0-RC.1', true],
    ['3.0', true],
    ['', false],
  ])('that its version is %s is understood', (version, isNewEnough) => {
    expect(isAtLeast(version, '2.10.27')).toBe(isNewEnough)
  })
})
