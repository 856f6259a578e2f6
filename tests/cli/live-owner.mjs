/** A program that has a database open: `node live-owner.mjs DIRECTORY INSPECT [CALL]`; ends when its stdin does. */
import { lstatSync } from 'node:fs'
import { open } from '../../dist/index.js'

const [directory, inspect, call] = process.argv.slice(2)
const inodes = () =>
  ['inspect.sock', 'inspect.json'].map(name => lstatSync(`${directory}/${name}`, { throwIfNoEntry: false })?.ino)
/** What an earlier process has left. */
const before = inodes()
const db = open(directory, { valueEncoding: 'json', inspect: inspect === 'write' ? 'write' : inspect === 'read' })
if (db.count() === 0) {
  for (let i = 0; i < 2000; i++) db.put(`user:${String(i).padStart(4, '0')}`, { n: i })
  db.put('session', 'x', { ttl: 3_600_000 })
  db.sub('tuples', { keyEncoding: 'tuple', valueEncoding: 'binary' }).put(['a', 1], Uint8Array.of(255))
}
if (call === 'busy') {
  // Nothing but this loop is served.
  setTimeout(() => {
    for (;;) db.get('session')
  }, 300)
}
const listens = () => inspect === 'none' || inodes().some((ino, i) => ino !== undefined && ino !== before[i])
const wait = setInterval(() => {
  if (!listens()) return
  clearInterval(wait)
  process.stdout.write('ready\n')
  if (call === 'leave') process.stdin.unref()
}, 5)
process.stdin.resume()
process.stdin.on('end', () => db.close())
