/** The examples for Express and Hono, as processes of their own. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { open } from '../../src/index.ts'
import { pause } from '../support/child.ts'
import { withDirectory } from '../support/directory.ts'
import { address, INSTALLING, installed, start, stop } from './support.ts'

const json = (method: string, body: unknown): RequestInit => ({
  method,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

test('Express: 200 logins at once, each with a session that outlives the process', INSTALLING, context =>
  withDirectory(async directory => {
    const folder = await installed('express-sessions', context)
    const environment = { DATABASE: join(directory, 'db'), SECRET: 'secret', PORT: '0' }
    const first = start(folder, ['server.js'], environment)
    const url = await address(first)
    const users = Array.from({ length: 200 }, (_, i) => `user-${i}`)
    const login = async (user: string): Promise<string> => {
      const response = await fetch(`${url}/login`, json('POST', { user }))
      expect(response.status).toBe(200)
      return response.headers.get('set-cookie')!.split(';')[0]!
    }
    const cookies = await Promise.all(users.map(login))
    expect(new Set(cookies).size).toBe(200)
    expect(await stop(first), first.output()).toBe(0)

    const second = start(folder, ['server.js'], environment)
    const again = await address(second)
    const userOf = async (cookie: string): Promise<string | undefined> => {
      const response = await fetch(`${again}/me`, { headers: { cookie } })
      return response.status === 401 ? undefined : ((await response.json()) as { user: string }).user
    }
    expect(await Promise.all(cookies.map(userOf))).toEqual(users)
    expect(await userOf('connect.sid=s%3Aforged')).toBeUndefined()
    const logout = await fetch(`${again}/logout`, { method: 'POST', headers: { cookie: cookies[0]! } })
    expect(logout.status).toBe(204)
    expect(await userOf(cookies[0]!)).toBeUndefined()
    expect(await stop(second), second.output()).toBe(0)

    const db = open(join(directory, 'db'))
    expect(db.sub('sessions').count()).toBe(199)
    expect((await db.verify()).ok).toBe(true)
    db.close()
  }),
)

test('Express: a session that is used lasts, one that is not used ends with its cookie', INSTALLING, context =>
  withDirectory(async directory => {
    const folder = await installed('express-sessions', context)
    const program = start(folder, ['server.js'], {
      DATABASE: join(directory, 'db'),
      SECRET: 'secret',
      PORT: '0',
      MAX_AGE: '3000',
    })
    const url = await address(program)
    const login = async (): Promise<string> =>
      (await fetch(`${url}/login`, json('POST', { user: 'ada' }))).headers.get('set-cookie')!.split(';')[0]!
    const status = async (cookie: string): Promise<number> => (await fetch(`${url}/me`, { headers: { cookie } })).status
    const [used, unused] = await Promise.all([login(), login()])
    const began = performance.now()
    // A use touches the session: each begins its 3 s anew.
    while (performance.now() - began < 3_500) {
      expect(await status(used)).toBe(200)
      await pause(200)
    }
    expect(await status(unused)).toBe(401)
    expect(await stop(program), program.output()).toBe(0)
  }),
)

test('Express: the store does what express-session asks of one', INSTALLING, context =>
  withDirectory(async directory => {
    const folder = await installed('express-sessions', context)
    // In a process of its own, since vitest would load the example by its own rules.
    const program = start(
      folder,
      [
        '--input-type=module',
        '--eval',
        `import { promisify } from 'node:util'
        import { open } from 'xenondb'
        import { XenonStore } from './store.js'
        const db = open(process.env.DATABASE)
        const store = new XenonStore(db, { ttl: 50_000 })
        const run = (name, ...given) => promisify(store[name]).call(store, ...given)
        const results = []
        results.push(await run('get', 'a'))
        await run('set', 'a', { cookie: { maxAge: 60_000 }, user: 'ada' })
        await run('set', 'b', { cookie: { expires: new Date(Date.now() + 60_000) }, user: 'alan' })
        await run('set', 'c', { cookie: {}, user: 'grace' })
        await run('set', 'd', { cookie: { maxAge: -1 }, user: 'late' })
        const ttl = id => Math.ceil(db.sub('sessions').ttl(id) / 10_000)
        results.push(await run('length'), ttl('a'), ttl('b'), ttl('c'))
        await run('touch', 'a', { cookie: { maxAge: 90_000 } })
        await run('touch', 'nobody', { cookie: { maxAge: 90_000 } })
        results.push(ttl('a'), (await run('get', 'a')).user, (await run('all')).map(({ id, user }) => id + ' ' + user))
        await run('destroy', 'a')
        await run('destroy', 'a')
        results.push(await run('length'))
        await run('clear')
        results.push(await run('length'))
        store.set('e', { cookie: {} })
        db.close()
        results.push(await run('get', 'e').catch(error => error.code))
        console.log(JSON.stringify(results))`,
      ],
      { DATABASE: join(directory, 'db') },
    )
    expect(await program.ended, program.output()).toBe(0)
    expect(JSON.parse(program.output())).toEqual([
      null,
      3,
      6,
      6,
      5,
      9,
      'ada',
      ['a ada', 'b alan', 'c grace'],
      2,
      0,
      'XENON_CLOSED',
    ])
  }),
)

test('Hono: requests are answered, bad ones too, a second process says who has the database', INSTALLING, context =>
  withDirectory(async directory => {
    const folder = await installed('hono', context)
    const environment = { DATABASE: join(directory, 'db'), PORT: '0' }
    const first = start(folder, ['server.js'], environment)
    const url = `${await address(first)}/bookmarks`
    const names = Array.from({ length: 50 }, (_, i) => `name-${String(i).padStart(2, '0')}`)
    const answers = await Promise.all(names.map(name => fetch(`${url}/ada/${name}`, json('PUT', { url: `/${name}` }))))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([204]))
    expect(await (await fetch(`${url}/ada/name-07`)).json()).toEqual({ url: '/name-07' })
    expect((await fetch(`${url}/ada/nothing`)).status).toBe(404)
    expect(await (await fetch(`${url}/ada`)).json()).toEqual(names.map(name => ({ name, url: `/${name}` })))
    const tooLong = await fetch(`${url}/ada/${'x'.repeat(2000)}`, json('PUT', {}))
    expect([tooLong.status, await tooLong.json()]).toEqual([400, { error: expect.stringContaining('1024') }])

    const second = start(folder, ['server.js'], environment)
    expect(await second.ended).toBe(1)
    expect(second.output()).toContain(`is open in process ${first.process.pid}`)

    // A deployment: the next one waits until this one has closed.
    const third = start(folder, ['server.js'], environment)
    await pause(300)
    expect(await stop(first), first.output()).toBe(0)
    expect(await (await fetch(`${await address(third)}/bookmarks/ada/name-07`)).json()).toEqual({ url: '/name-07' })
    expect(await stop(third), third.output()).toBe(0)
    const db = open(join(directory, 'db'), { keyEncoding: 'tuple', valueEncoding: 'json' })
    expect((await db.verify()).ok).toBe(true)
    db.close()
  }),
)
