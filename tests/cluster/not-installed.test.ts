/** `npm install xenondb` brings no NATS: what needs it says what to install, and everybody else loads nothing of a cluster. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { withDirectory } from '../support/directory.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const INSTALL = 'npm install @nats-io/transport-node @nats-io/jetstream @nats-io/kv @nats-io/obj'
/** Classes of `src/cluster`, as they stand in the scripts that have them. */
const OF_A_CLUSTER = /\bclass (ClusterNode|Appender|StreamLog|NatsLink|EngineStore)\b/

test(
  'without the packages of NATS nothing of a cluster is loaded, and who wants one is told what to install',
  () =>
    withDirectory(directory => {
      writeFileSync(join(directory, 'package.json'), '{}')
      const modules = join(directory, 'node_modules')
      for (const part of ['dist', 'package.json'])
        cpSync(join(root, part), join(modules, 'xenondb', part), { recursive: true })
      for (const name of Object.keys(dependencies)) {
        mkdirSync(dirname(join(modules, name)), { recursive: true })
        symlinkSync(join(root, 'node_modules', name), join(modules, name))
      }
      // Empty, so that none is found in a directory above either.
      for (const name of Object.keys(peerDependencies)) mkdirSync(join(modules, name), { recursive: true })
      const main = join(modules, 'xenondb', 'dist', 'cli', 'main.js')
      const covered = join(directory, 'covered')
      /** What it prints, and the scripts of the package that it has loaded. */
      const run = (...words: string[]): { status: number | null; text: string; scripts: string[] } => {
        mkdirSync(covered, { recursive: true })
        const before = readdirSync(covered)
        const { status, stdout, stderr } = spawnSync(process.execPath, words, {
          cwd: directory,
          encoding: 'utf8',
          env: { ...process.env, NODE_V8_COVERAGE: covered },
        })
        const scripts = readdirSync(covered)
          .filter(name => !before.includes(name))
          .flatMap(name => JSON.parse(readFileSync(join(covered, name), 'utf8')).result as { url: string }[])
          .map(({ url }) => url)
          .filter(url => url.includes('/xenondb/dist/'))
        return { status, text: stdout + stderr, scripts }
      }

      writeFileSync(
        join(directory, 'serve.mjs'),
        `import { memoryStorage, open } from 'xenondb'
       import { createServer } from 'xenondb/server'
       const db = open('db', { storage: memoryStorage() })
       const server = createServer(db, { port: 0 })
       await server.listen()
       await server.close()
       db.close()`,
      )
      for (const words of [[main, 'put', 'db', 'a', '1'], [main, 'get', 'db', 'a'], [join(directory, 'serve.mjs')]]) {
        const { status, text, scripts } = run(...words)
        expect({ words, status, text: status === 0 ? '' : text }).toEqual({ words, status: 0, text: '' })
        expect(scripts.length).toBeGreaterThan(2)
        const loaded = scripts.filter(url => OF_A_CLUSTER.test(readFileSync(fileURLToPath(url), 'utf8')))
        expect({ words, loaded }).toEqual({ words, loaded: [] })
      }

      const nats = ['--nats', 'nats://127.0.0.1:1']
      for (const words of [
        ['serve', 'node', '--cluster', 'shop', '--port', '7001', ...nats],
        ['cluster', 'create', 'shop', ...nats],
        ['cluster', 'status', 'shop', ...nats],
      ]) {
        const { status, text } = run(main, ...words)
        expect({ words, status }).toEqual({ words, status: 1 })
        expect(text).toContain(INSTALL)
      }

      // The client speaks to the nodes alone; the feed of changes to NATS.
      writeFileSync(
        join(directory, 'client.mjs'),
        `import { changes, connectCluster } from 'xenondb/cluster'
       const codes = []
       await connectCluster({ nodes: ['127.0.0.1:1'], patience: 1 }).catch(({ code }) => codes.push(code))
       try {
         for await (const each of changes({ servers: ['nats://127.0.0.1:1'], cluster: 'shop', shard: 0 })) codes.push(each)
       } catch ({ code, message }) {
         codes.push(code, message)
       }
       console.log(codes.join(' '))`,
      )
      const { status, text } = run(join(directory, 'client.mjs'))
      expect({ status, text }).toEqual({
        status: 0,
        text: expect.stringMatching(/^XENON_CONNECTION XENON_NOT_SUPPORTED /),
      })
      expect(text).toContain(INSTALL)
    }),
  120_000,
)
