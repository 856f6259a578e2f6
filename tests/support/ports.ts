/**
 * Ports for servers that must know theirs before they listen: those that others are told of, or that come back after a
 * kill. A port that the system would give (`listen(0)`) lies in the range of the outgoing connections: between the
 * question and the `listen`, a client of any test may get it. These lie below that range, and each is claimed by a file
 * until the process ends, so that test files that run side by side never get the same.
 */
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Linux gives outgoing connections ports from 32,768, other systems from 49,152. In cluster mode redis-server takes the
 * port that lies 10,000 above its own, too: that is none of these, and no outgoing connection's either.
 */
const FIRST = 12_000
const LAST = 22_000
/** A claim older than this, in milliseconds, is of a process that was killed: no test lasts as long. */
const STALE = 3_600_000

const claims = join(tmpdir(), 'xenondb-test-ports')
const claimed: string[] = []

export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST))
    if (claim(port) && (await isFree(port))) return port
  }
  throw new Error(`no free port from ${FIRST} to ${LAST}; claims are in ${claims}`)
}

function claim(port: number): boolean {
  if (claimed.length === 0) {
    mkdirSync(claims, { recursive: true })
    process.once('exit', () => {
      for (const path of claimed) rmSync(path, { force: true })
    })
  }
  const path = join(claims, `${port}`)
  try {
    writeFileSync(path, `${process.pid}`, { flag: 'wx' })
  } catch {
    // Taken. A stale one goes, for whoever draws it next.
    const since = statSync(path, { throwIfNoEntry: false })?.mtimeMs
    if (since !== undefined && Date.now() - since > STALE) rmSync(path, { force: true })
    return false
  }
  claimed.push(path)
  return true
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer().once('error', () => resolve(false))
    server.listen(port, () => server.close(() => resolve(true)))
  })
}
