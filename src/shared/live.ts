/** Finds the process that has a database open and lets others use it, and connects to it. */
import type { Client } from '../client/client.ts'
import { isError } from '../errors.ts'
import { findSocket } from '../server/inspect/place.ts'
import { readClaim } from '../storage/claim.ts'
import { nodeStorage } from '../storage/node.ts'

/** A connection to it, and what it says of itself. */
export interface Live<V, K> {
  readonly client: Client<V, K>
  readonly facts: Facts
  /** Path of the socket. */
  readonly socket: string
}

export interface Facts {
  readonly pid: number
  /** Of the lock that it holds. */
  readonly lock: string
  /** Of the directory: device and inode. */
  readonly place: string
  readonly ordered: boolean
  readonly readOnly: boolean
}

/**
 * Connects to the process that has the database in a directory open; undefined if none lets itself be reached. What
 * listens must name the lock that lies in this directory now: a socket or a pointer may be another database's, or left
 * over.
 * @throws what `connectTo` throws
 */
export async function connectLive<V, K>(
  directory: string,
  connectTo: (socket: string) => Promise<Client<V, K>>,
): Promise<Live<V, K> | undefined> {
  const place = nodeStorage.resolve?.(directory) ?? directory
  const socket = findSocket(place)
  if (socket === undefined) return undefined
  const client = await connectTo(socket)
  try {
    const facts = JSON.parse(String(await client.command('INSPECT', 'DATABASE'))) as Facts
    if (facts.lock === nonceIn(place) && facts.place === nodeStorage.identity?.(place)) return { client, facts, socket }
  } catch (error) {
    if (!isError(error)) throw error
    // What listens there is none of ours.
  }
  await client.close()
  return undefined
}

const nonceIn = (directory: string): string | undefined =>
  readClaim(nodeStorage.join(directory, 'lock'), 'lock')?.owner?.nonce
