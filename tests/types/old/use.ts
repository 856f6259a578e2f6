/** Compiled with the oldest and other versions of TypeScript, as an ES module and as CommonJS; never run. */

import { type AsyncStore, type Database, jsonCodec, type OpenOptions, open, XenonError } from 'xenondb'
import { type BrowserStore, openBrowser, opfsStorage } from 'xenondb/browser'
import type {} from 'xenondb/browser/worker'
import { db_open } from 'xenondb/c'
import { type Client, connect } from 'xenondb/client'
import { type ClusterClient, connectCluster } from 'xenondb/cluster'
import { KeyvXenon } from 'xenondb/keyv'
import { XenonLevel } from 'xenondb/level'
import { metricsText } from 'xenondb/metrics'
import { createServer, type ServerOptions } from 'xenondb/server'
import { openShared, type SharedStore } from 'xenondb/shared'
import { withMutant } from 'xenondb/testing'
import { xenonDriver } from 'xenondb/unstorage'
import { PortDatabase, servePort } from 'xenondb/worker'

const db: Database = open('db')
const value: string | undefined = db.get('a')
const json = open('json', { valueEncoding: 'json', durability: 'none' })
const users = open('users', { valueEncoding: jsonCodec(given => ({ name: String(given) })) })
const name: string | undefined = users.get('ada')?.name
const keys: Uint8Array[] = [...open('bytes', { keyEncoding: 'binary' }).keys()]
const store: AsyncStore = db.async
const undefinedOptions: OpenOptions = { readOnly: undefined, cacheBytes: undefined, onWarning: undefined }
const serverOptions: ServerOptions = { port: 0, password: undefined, tls: undefined }
const server = createServer(json, serverOptions)
const client: Promise<Client> = connect({ port: 1 })
const cluster: Promise<ClusterClient> = connectCluster({ nodes: ['127.0.0.1:1'], patience: undefined })
const shared: Promise<SharedStore> = openShared('db', { ownerTimeout: undefined })
const tabs: Promise<BrowserStore> = openBrowser('db', { ownerTimeout: undefined })
const level = new XenonLevel<string, object>('level', { valueEncoding: 'json' })
const keyv = new KeyvXenon('keyv')
const driver = xenonDriver({ directory: 'items', ttl: undefined })
const text: string = metricsText(db, { prefix: undefined })

console.log(client, cluster, db_open, withMutant, keys, name, PortDatabase, server, store, value, XenonError)
console.log(driver.name, keyv, level, opfsStorage, servePort, shared, tabs, text, undefinedOptions)
