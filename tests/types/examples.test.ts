/** Every public member has a docstring, and every function and method an example that compiles. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { withDirectory } from '../support/directory.ts'
// @ts-expect-error: JavaScript
import { publicMembers } from './members.mjs'

interface Member {
  name: string
  owner: string | undefined
  file: string
  kind: 'callable' | 'field' | 'type'
  text: string
  examples: string[]
}

const root: string = fileURLToPath(new URL('../..', import.meta.url))
const members: readonly Member[] = publicMembers()
const nameOf = ({ owner, name }: Member): string => (owner === undefined ? name : `${owner}.${name}`)

/** What others implement, and nobody but this package calls: an example would show how not to use it. */
const IMPLEMENTED = new Set([
  ...[
    'Storage',
    'File',
    'DirectoryLock',
    'PortLike',
    'ValueCodec',
    'CompressionCodec',
    'Measured',
    'FaultDisk.apply',
    'XenonDriver',
  ],
])

/** Names that examples use without saying where they come from. */
const CONTEXT = `
import { db_close, db_delete, db_get, db_next, db_open, db_put, db_read_current, db_reset } from '${root}dist/adapters/c.js'
import { tx_commit, tx_delete, tx_get, tx_init, tx_put, tx_rollback } from '${root}dist/adapters/c.js'
import type { KeyvXenon } from '${root}dist/adapters/keyv/index.js'
import type { XenonLevel } from '${root}dist/adapters/level/index.js'
import { type Client, type ClientTransaction, connect } from '${root}dist/client/index.js'
import { changes, type ClusterClient, connectCluster, slotOf } from '${root}dist/cluster/index.js'
import { convert, jsonCodec, memoryStorage, open, restore, salvage, XenonError } from '${root}dist/index.js'
import type { AsyncIndex, AsyncStore, AsyncStoreTransaction, Cursor, Database, Index, RangeCursor } from '${root}dist/index.js'
import type { RangeIterator, Snapshot, Transaction, Watcher } from '${root}dist/index.js'
import { createServer } from '${root}dist/server/index.js'
import { type XenonDriver, xenonDriver } from '${root}dist/adapters/unstorage/index.js'
import { type FaultDisk, mutantNames, type Random, withMutant } from '${root}dist/testing/index.js'
import { metricsContentType, metricsText } from '${root}dist/metrics/index.js'
import { databaseNames, deleteDatabase, importDatabase, openBrowser, opfsStorage, serveBrowser } from '${root}dist/browser/index.js'
import { openShared, type SharedStore } from '${root}dist/shared/index.js'
import { type PortDatabase, type PortLike, servePort } from '${root}dist/worker/index.js'

declare const createStorage: (options: { driver: XenonDriver }) => unknown
declare const db: Database
declare const store: AsyncStore
declare const users: AsyncStore<{ age: number }>
declare const snapshot: Snapshot
declare const cursor: Cursor<string>
declare const range: RangeCursor<string>
declare const iterator: RangeIterator<string, string, string>
declare const index: Index<string, string, string>
declare const byCity: AsyncIndex<string, string, string>
declare const watcher: Watcher<string>
declare const keyv: KeyvXenon
declare const level: XenonLevel
declare const client: Client
declare const cluster: ClusterClient
declare const transaction: ClientTransaction
declare const port: PortDatabase
declare const shared: SharedStore
declare const tab: Awaited<ReturnType<typeof openBrowser>>
declare const worker: PortLike
declare const disk: FaultDisk
declare const random: Random
declare const server: ReturnType<typeof createServer>
declare const tx: TX
declare const before: BEFORE
declare const response: import('node:http').ServerResponse
`

/** Those of the helpers of iterators are about values of any type. */
const faceOf = (file: string): string =>
  /items/.test(file) ? 'any' : /async|client|shared|owned|cluster/.test(file) ? 'async' : 'sync'

const lacking = members.filter(
  ({ kind, text, examples, owner, name }) =>
    text === '' ||
    (kind === 'callable' &&
      examples.length === 0 &&
      !IMPLEMENTED.has(owner ?? '') &&
      !IMPLEMENTED.has(`${owner}.${name}`)),
)

test('every public member has a docstring, and every function and method an example', () => {
  expect(members.length).toBeGreaterThan(800)
  expect(lacking.map(nameOf)).toEqual([])
})

test('the examples compile', () =>
  withDirectory(async parent => {
    const files: string[] = []
    const examples = new Map(members.flatMap(member => member.examples.map(example => [example, member])))
    // Those of the asynchronous face are about another transaction than those of the synchronous one.
    for (const [face, type, savepoint] of [
      ['async', 'AsyncStoreTransaction', 'object'],
      ['sync', 'Transaction', 'ReturnType<Transaction["savepoint"]>'],
      ['any', 'Transaction', 'object'],
    ]) {
      const blocks = [...examples]
        .filter(([, { file }]) => faceOf(file) === face)
        .map(
          ([example, member]) => `// ${nameOf(member)}\nexport const _${files.length} = async () => {\n${example}\n}`,
        )
        .map((block, i) => block.replace(/export const _\d+/, `export const _${i}`))
      const file = join(parent, `${face}.ts`)
      writeFileSync(
        file,
        `${CONTEXT.replace('TX', type!)
          .replace('BEFORE', savepoint!)
          .replace(/: (Database|AsyncStore)$/gm, face === 'any' ? ': $1<any>' : ': $1')}\n${blocks.join('\n\n')}\n`,
      )
      files.push(file)
    }
    expect(examples.size).toBeGreaterThan(150)
    const compilerOptions = {
      ...{ target: 'ES2022', lib: ['ES2022', 'ESNext.Disposable'], module: 'NodeNext', moduleResolution: 'NodeNext' },
      ...{ strict: true, skipLibCheck: true, noEmit: true, types: ['node'] },
      typeRoots: [join(root, 'node_modules/@types')],
    }
    writeFileSync(join(parent, 'package.json'), '{ "type": "module" }')
    writeFileSync(join(parent, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', parent], { encoding: 'utf8' })
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
  }))
