/**
 * docs/recipes.md: what it says about moving data from other stores. These are no dependencies: the programs run where
 * bench/peers has been installed (`npm run bench -- peers` does that), and are skipped elsewhere.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { withDirectory } from '../support/directory.ts'

const root: string = fileURLToPath(new URL('../..', import.meta.url))
const peers: string = process.env.XENON_PEERS ?? join(root, 'bench/peers/node_modules')
const page: string = readFileSync(join(root, 'docs/recipes.md'), 'utf8')

const migrations = [...page.matchAll(/^```mjs\n\/\/ from ([\w-]+): .*\n([\s\S]*?)^```$/gm)].map(([, from, code]) => ({
  from: from!,
  code: code!,
}))

/** What there was before, and what the recipe then prints. */
const before: Readonly<Record<string, { fill: string; look: string; printed: string }>> = {
  lmdb: {
    fill: `
      import { open } from 'lmdb'
      const db = open({ path: 'old' })
      for (let i = 0; i < 2500; i++) db.put(['user', i], { name: 'u' + i, seen: new Date(i) })
      await db.put('settings', { tags: ['a'] })
      await db.flushed
      await db.close()`,
    look: `
      const db = open('new', { keyEncoding: 'tuple', valueEncoding: 'msgpack' })
      console.log(db.get(['user', 2499]), db.get('settings'))`,
    printed: "2501 records\n{ name: 'u2499', seen: 1970-01-01T00:00:02.499Z } { tags: [ 'a' ] }\n",
  },
  'classic-level': {
    fill: `
      import { ClassicLevel } from 'classic-level'
      const db = new ClassicLevel('old', { valueEncoding: 'json' })
      for (let i = 0; i < 1200; i++) await db.put('user:' + i, { i })
      await db.sublevel('users', { valueEncoding: 'json' }).put('ada', { born: 1815 })
      await db.close()`,
    look: `
      import { XenonLevel } from 'xenondb/level'
      const db = new XenonLevel('new', { valueEncoding: 'json' })
      console.log(await db.get('user:1199'), await db.sublevel('users', { valueEncoding: 'json' }).get('ada'))
      await db.close()`,
    printed: '1201 records\n{ i: 1199 } { born: 1815 }\n',
  },
  'better-sqlite3': {
    fill: `
      import SQLite from 'better-sqlite3'
      const db = new SQLite('old.db')
      db.exec('CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, city TEXT)')
      const insert = db.prepare('INSERT INTO users VALUES (?, ?, ?)')
      db.transaction(() => {
        for (let i = 0; i < 2500; i++) insert.run(i, 'u' + i, i % 5 === 0 ? 'Oslo' : i % 5 === 1 ? null : 'Bern')
      })()
      db.close()`,
    look: `
      const db = open('new')
      console.log(db.sub('users').get(1001))`,
    printed: "2500 users, 500 of them in Oslo\n{ name: 'u1001', city: null }\n",
  },
}

test('there is a program for each store', () => {
  expect(migrations.map(({ from }) => from)).toEqual(Object.keys(before))
})

test.skipIf(!existsSync(peers)).each(migrations)('from $from', ({ from, code }) =>
  withDirectory(directory => {
    const { fill, look, printed } = before[from]!
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
    mkdirSync(join(directory, 'node_modules'))
    const packages = { [from]: join(peers, from), xenondb: root, msgpackr: join(root, 'node_modules/msgpackr') }
    for (const [name, path] of Object.entries(packages)) symlinkSync(path, join(directory, 'node_modules', name))
    const run = (name: string, text: string): string => {
      writeFileSync(join(directory, name), text)
      const child = spawnSync(process.execPath, [name], { cwd: directory, encoding: 'utf8' })
      expect({ name, status: child.status, stderr: child.stderr }).toEqual({ name, status: 0, stderr: '' })
      return child.stdout
    }
    run('fill.mjs', fill)
    const said = run('recipe.mjs', code)
    expect(said + run('look.mjs', `import { open } from 'xenondb'\n${look}`)).toBe(printed)
  }),
)
