// Opens a database and reads all of it. Arguments: directory, options as JSON.
// Prints one line of JSON before it opens and one when it is done.
import { writeSync } from 'node:fs'
import { open } from '../../dist/index.js'

const [directory, options] = process.argv.slice(2)
const say = message => writeSync(1, `${JSON.stringify(message)}\n`)

say({ event: 'opening' })
try {
  const db = open(directory, JSON.parse(options))
  let records = 0
  db.reset()
  while (db.next()) {
    db.readCurrent()
    records++
  }
  const { ok } = await db.verify()
  if (process.env.XENON_HOLD) {
    say({ event: 'holding', pid: process.pid })
    process.stdin.resume()
    await new Promise(resolve => process.stdin.on('end', resolve))
  }
  db.close()
  say({ event: 'opened', records, ok })
} catch (error) {
  say({ event: 'refused', name: error.name, code: error.code, message: error.message, pid: error.pid })
}
