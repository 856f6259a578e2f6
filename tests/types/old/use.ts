/** Compiled with the oldest TypeScript that reads our types; never run. */

import { type AsyncStore, type Database, jsonCodec, open, XenonError } from 'xenondb'
import { db_open } from 'xenondb/c'
import { type Client, connect } from 'xenondb/client'
import { createServer } from 'xenondb/server'
import { withMutant } from 'xenondb/testing'
import { PortDatabase } from 'xenondb/worker'

const db: Database = open('db')
const value: string | undefined = db.get('a')
const json = open('json', { valueEncoding: 'json', durability: 'none' })
const users = open('users', { valueEncoding: jsonCodec(given => ({ name: String(given) })) })
const name: string | undefined = users.get('ada')?.name
const keys: Uint8Array[] = [...open('bytes', { keyEncoding: 'binary' }).keys()]
const store: AsyncStore = db.async
const server = createServer(json, { port: 0 })
const client: Promise<Client> = connect({ port: 1 })

console.log(client, db_open, withMutant, keys, name, PortDatabase, server, store, value, XenonError)
