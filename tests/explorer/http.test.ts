/** The explorer over HTTP: who is answered, what is answered, and that a page which only looks changes nothing. */
import { rmSync } from 'node:fs'
import { request } from 'node:http'
import { expect, test } from 'vitest'
import { Explorer } from '../../src/explorer/api.ts'
import { type ExplorerServer, serveExplorer } from '../../src/explorer/http.ts'
import { type Database, nodeStorage, open } from '../../src/index.ts'
import { run, start } from '../cli/run.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'

interface Reply {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: Buffer
}

/** Not `fetch`, which sets Host and Origin itself. */
const ask = (url: string, options: { method?: string; headers?: object; body?: string } = {}): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const sent = request(url, { method: options.method ?? 'GET', headers: { ...options.headers } }, response => {
      const parts: Buffer[] = []
      response.on('data', part => parts.push(part))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }),
      )
    })
    sent.on('error', reject)
    sent.end(options.body)
  })

const callAt = (url: string, name: string, params: object = {}, headers: object = {}): Promise<Reply> =>
  ask(`${url}api/${name}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(params),
  })

const json = async (reply: Promise<Reply>) => JSON.parse((await reply).body.toString())

const withServer = (
  writable: boolean,
  body: (server: ExplorerServer, db: Database<Uint8Array, Uint8Array>) => Promise<void>,
): Promise<void> =>
  withDirectory(async parent => {
    const directory = `${parent}/db`
    const db = open<Uint8Array>(directory, { valueEncoding: 'binary', keyEncoding: 'binary' })
    db.transaction(tx => {
      for (let i = 0; i < 2_000; i++) tx.put(Buffer.from(`key ${i}`), Buffer.from(`value ${i}`))
    })
    for (let i = 0; i < 3; i++) db.put(Buffer.from(`key ${i}`), Buffer.from(`value ${i}`))
    const explorer = new Explorer({ directory, storage: nodeStorage, db, writable })
    const server = await serveExplorer(explorer, 0)
    try {
      await body(server, db)
    } finally {
      await server.close()
      await explorer.close()
      expect(db.layers.health.observer).toBeUndefined()
      await expectVerified(db)
      db.close()
    }
  })

test('only who knows the token is answered, under the name of this machine, from no other origin', () =>
  withServer(true, async ({ url }) => {
    const { host, pathname, port } = new URL(url)
    expect(host).toMatch(/^127\.0\.0\.1:\d+$/)
    expect(pathname).toMatch(/^\/[\w-]{32}\/$/)
    const other = `${url.slice(0, -2)}${url.at(-2) === 'A' ? 'B' : 'A'}/`
    for (const address of [
      `http://${host}/`,
      `http://${host}/index.html`,
      other,
      `http://${host}/api/facts`,
      `http://${host}//`,
    ]) {
      expect((await ask(address)).status, address).toBe(403)
      expect((await callAt(address, 'facts')).status, address).toBe(403)
    }
    const page = await ask(url)
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
    expect((await ask(url, { headers: { host: `localhost:${port}` } })).status).toBe(200)
    for (const headers of [
      { host: 'evil.example' },
      { host: `evil.example:${port}` },
      { host: '127.0.0.1' },
      { origin: 'http://evil.example' },
      { origin: 'null' },
      { origin: `http://localhost:${port}` },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ]) {
      expect((await ask(url, { headers })).status, JSON.stringify(headers)).toBe(403)
      expect((await callAt(url, 'put', { key: 'evil', value: 'x' }, headers)).status).toBe(403)
    }
    expect((await callAt(url, 'facts', {}, { origin: `http://${host}` })).status).toBe(200)
    expect((await json(callAt(url, 'path', { key: 'evil' }))).found).toBe(false)
  }))

test('every answer forbids what the page does not need', () =>
  withServer(false, async ({ url }) => {
    for (const reply of [
      await ask(url),
      await ask(`${url}nothing`),
      await callAt(url, 'facts'),
      await callAt(url, 'map'),
    ]) {
      expect(reply.headers['content-security-policy']).toMatch(
        /^default-src 'none'; script-src 'self'; .*frame-ancestors 'none'$/,
      )
      expect(reply.headers['x-content-type-options']).toBe('nosniff')
      expect(reply.headers['referrer-policy']).toBe('no-referrer')
      expect(reply.headers['cache-control']).toBe('no-store')
      expect(reply.headers['access-control-allow-origin']).toBeUndefined()
    }
    const { body } = await ask(url)
    const files = [...body.toString().matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(match => match[1]!)
    expect(files.length).toBe(3)
    for (const file of files) expect((await ask(url + file)).status, file).toBe(200)
    expect(body.toString()).not.toMatch(/<script[^>]*>[^<]|<style|https?:/)
    for (const path of ['../package.json', '%2e%2e/package.json', '..%2f..%2fpackage.json', 'assets/../../index.js'])
      expect((await ask(url + path)).status, path).not.toBe(200)
    expect((await ask(url, { method: 'POST' })).status).toBe(405)
    expect((await ask(`${url}api/facts`)).status).toBe(405)
    expect((await callAt(url, 'facts', {}, { 'content-type': 'text/plain' })).status).toBe(405)
    expect((await callAt(url, 'search', { text: 'x'.repeat(5_000_000) })).status).toBe(413)
  }))

test('a page that only looks changes nothing, whatever it asks', () =>
  withServer(false, async ({ url }, db) => {
    const before = db.layers.log.endLsn
    for (const [name, params] of [
      ['put', { key: 'a', value: 'b' }],
      ['delete', { key: 'key 1' }],
      ['begin', {}],
      ['inside', { transaction: 1, what: 'commit' }],
      ['checkpoint', {}],
      ['compact', {}],
    ] as const) {
      const reply = await callAt(url, name, params)
      expect([reply.status, JSON.parse(reply.body.toString()).code], name).toEqual([403, 'XENON_READ_ONLY'])
    }
    expect(db.layers.log.endLsn).toBe(before)
  }))

test('answers are those of stats, verify and get; nonsense is refused with a reason', () =>
  withServer(true, async ({ url }, db) => {
    const facts = await json(callAt(url, 'facts'))
    expect([facts.metadata.records, facts.writable]).toEqual([2_000, true])
    const { stats } = await json(callAt(url, 'state'))
    expect([stats.records, stats.cache.accesses]).toEqual([2_000, db.stats().cache.accesses])
    const path = await json(callAt(url, 'path', { key: 'key 7' }))
    const block = await json(callAt(url, 'block', { block: path.record.block }))
    expect(block.bucket.records[path.record.slot]?.key ?? block.bucket.records.at(-1).key).toBeDefined()
    expect(await json(callAt(url, 'value', { hex: Buffer.from('key 7').toString('hex') }))).toMatchObject({
      found: true,
      text: 'value 7',
    })
    expect((await json(callAt(url, 'search', { text: 'key 199', limit: 5 }))).keys.length).toBe(5)
    expect((await json(callAt(url, 'log', { limit: 3 }))).groups.length).toBe(3)
    expect((await json(callAt(url, 'verify'))).ok).toBe(true)
    for (const [name, params] of [
      ['nothing', {}],
      ['__proto__', {}],
      ['constructor', {}],
      ['block', { block: -1 }],
      ['block', { block: 1e9 }],
      ['block', { block: '1' }],
      ['path', { key: '' }],
      ['path', { key: 'x'.repeat(2_000) }],
      ['path', { key: 1 }],
      ['path', { hex: 'zz' }],
      ['path', { key: 'a', sub: 'users' }],
      ['path', { key: 'a', sub: ['none'] }],
      ['search', {}],
      ['inside', { transaction: 77, what: 'commit' }],
      ['put', { key: 'a' }],
    ] as const) {
      const reply = await callAt(url, name, params)
      expect(reply.status, `${name} ${JSON.stringify(params)}`).toBe(400)
      expect(JSON.parse(reply.body.toString()).code).toMatch(/^XENON_/)
    }
  }))

test('records are changed, and transactions wait for each other', () =>
  withServer(true, async ({ url }, db) => {
    expect((await callAt(url, 'put', { key: 'new', value: '<b>' })).status).toBe(200)
    expect(Buffer.from(db.get(Buffer.from('new'))!).toString()).toBe('<b>')
    expect(await json(callAt(url, 'delete', { key: 'new' }))).toEqual({ deleted: true })
    const a = (await json(callAt(url, 'begin'))).transaction
    const b = (await json(callAt(url, 'begin'))).transaction
    await callAt(url, 'inside', { transaction: a, what: 'put', key: 'one', value: '1' })
    await callAt(url, 'inside', { transaction: b, what: 'put', key: 'two', value: '2' })
    const waits = callAt(url, 'inside', { transaction: a, what: 'put', key: 'two', value: '1' })
    await expect
      .poll(async () => (await json(callAt(url, 'transactions'))).waits)
      .toEqual([{ transaction: a, holders: [b] }])
    const view = await json(callAt(url, 'transactions'))
    expect(
      view.open.map(({ id, changes }: { id: number; changes: { key: { text: string } }[] }) => [
        id,
        changes[0]?.key.text,
      ]),
    ).toEqual([
      [a, 'one'],
      [b, 'two'],
    ])
    // The younger one is ended.
    const deadlock = await callAt(url, 'inside', { transaction: b, what: 'put', key: 'one', value: '2' })
    expect(JSON.parse(deadlock.body.toString()).code).toBe('XENON_DEADLOCK')
    expect((await waits).status).toBe(200)
    expect((await callAt(url, 'inside', { transaction: a, what: 'commit' })).status).toBe(200)
    expect(Buffer.from(db.get(Buffer.from('two'))!).toString()).toBe('1')
    const left = (await json(callAt(url, 'begin'))).transaction
    await callAt(url, 'inside', { transaction: left, what: 'put', key: 'left', value: '1' })
  }))

test('a server shows what it serves on a page of its own, which only looks', () =>
  withDirectory(async parent => {
    const serving = start('serve', `${parent}/db`, '--port', '0', '--explorer-port', '0', '--log-level', 'warn')
    let stderr = ''
    serving.process.stderr.on('data', text => {
      stderr += text
    })
    await new Promise(resolve => serving.process.stdout.once('data', resolve))
    const url = /explorer: (http:\/\/127\.0\.0\.1:\d+\/[\w-]+\/)\n/.exec(stderr)?.[1]
    expect(url, stderr).toBeDefined()
    const facts = await json(callAt(url!, 'facts'))
    expect([facts.isOpen, facts.writable, facts.metadata.records]).toEqual([true, false, 0])
    expect((await callAt(url!, 'put', { key: 'a', value: 'b' })).status).toBe(403)
    serving.process.kill('SIGTERM')
    expect((await serving.outcome).status).toBe(0)
  }))

test('a page is shown until Ctrl-C; beside a program that writes it follows', () =>
  withDirectory(async parent => {
    const directory = `${parent}/db`
    const db = open(directory)
    db.put('a', '1')
    await db.checkpoint()
    const exploring = start('explore', directory)
    const url = String(await new Promise(resolve => exploring.process.stdout.once('data', resolve))).trim()
    const facts = await json(callAt(url, 'facts'))
    expect([facts.isOpen, facts.writable, facts.metadata.records]).toEqual([true, false, 1])
    expect((await json(callAt(url, 'path', { key: 'a' }))).record.value.text).toBe('1')
    // It follows what others commit, checkpointed or not.
    db.put('b', '2')
    expect((await json(callAt(url, 'state'))).metadata.records).toBe(2)
    expect((await json(callAt(url, 'path', { key: 'b' }))).record?.value.text).toBe('2')
    exploring.process.kill('SIGINT')
    expect(await exploring.outcome).toMatchObject({ status: 0, stdout: `${url}\n` })
    const writing = start('explore', directory, '--write')
    expect((await writing.outcome).status).toBe(1)
    await expectVerified(db)
    db.close()
    expect((await start('explore', `${parent}/none`).outcome).status).toBe(1)
    expect((await start('explore', directory, '--port', '99999').outcome).status).toBe(2)
  }))

test.each([[[]], [['--write']]])(
  'explore %j of a database that is removed says so in every view, and ends as it is told to',
  options =>
    withDirectory(async parent => {
      const directory = `${parent}/db`
      const db = open(directory)
      for (let i = 0; i < 100; i++) db.put(`key ${i}`, 'value')
      db.close()
      const exploring = start('explore', directory, ...options)
      const url = String(await new Promise(resolve => exploring.process.stdout!.once('data', resolve))).trim()
      expect((await callAt(url, 'state')).status).toBe(200)
      rmSync(directory, { recursive: true })
      for (const [name, params] of Object.entries({
        facts: {},
        state: {},
        map: {},
        block: { block: 1 },
        path: { key: 'key 1' },
        search: { text: 'key' },
        log: {},
        pool: {},
        transactions: {},
        value: { key: 'key 1' },
        verify: {},
      }))
        expect([name, (await json(callAt(url, name, params))).code]).toEqual([name, 'XENON_MOVED'])
      exploring.process.kill('SIGINT')
      expect(await exploring.outcome).toMatchObject({ status: 0, stderr: '' })
    }),
)

test('a call that is too long is refused, and the next one over the same connections is answered', () =>
  withServer(false, async ({ url }) => {
    const call = (body: string): Promise<Response> =>
      fetch(`${url}api/state`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        signal: AbortSignal.timeout(4000),
      })
    for (let i = 0; i < 3; i++) {
      const refused = await call(`"${'x'.repeat(5_000_000)}"`)
      expect([refused.status, await refused.text()]).toEqual([413, 'the parameters are too long\n'])
      const next = await call('{}')
      expect([next.status, typeof ((await next.json()) as { at: number }).at]).toEqual([200, 'number'])
    }
  }))

test('explore says what to do about a port that is taken, and about a database that is not there', () =>
  withServer(false, async ({ url }, { directory }) => {
    const taken = await run('explore', directory, '--port', new URL(url).port)
    expect([taken.status, taken.stderr]).toEqual([1, expect.stringMatching(/EADDRINUSE.*choose another port\n$/)])
    const missing = await run('explore', `${directory}/none`)
    expect([missing.status, missing.stderr]).toEqual([
      1,
      expect.stringMatching(/check the path \[XENON_NOT_FOUND\]\n$/),
    ])
  }))

test('a server ends when the port of its explorer or of its metrics is taken', () =>
  withServer(false, async ({ url }, { directory }) => {
    for (const option of ['--explorer-port', '--metrics-port']) {
      const serving = start('serve', `${directory}-served`, '--port', '0', option, new URL(url).port)
      const late = setTimeout(() => serving.process.kill('SIGKILL'), 10_000)
      const { status, signal, stderr } = await serving.outcome
      clearTimeout(late)
      expect({ option, status, signal }).toEqual({ option, status: 1, signal: null })
      expect(stderr).toMatch(/EADDRINUSE.*choose another port\n$/)
    }
    const served = open(`${directory}-served`)
    await expectVerified(served)
    served.close()
  }))
