// Opens a database, says so, and holds it until its input ends. Arguments: directory, options as JSON. Runs from the
// build.
import { writeSync } from 'node:fs'
import { open } from '../../dist/index.js'

const [directory, options] = process.argv.slice(2)
const say = message => writeSync(1, `${JSON.stringify(message)}\n`)
try {
  const db = open(directory, { durability: 'process', ...JSON.parse(options) })
  db.put(`by ${process.pid}`, 'x')
  say({ event: 'open', pid: process.pid, records: db.count() })
  process.stdin.resume()
  await new Promise(resolve => process.stdin.on('end', resolve))
  db.close()
} catch (error) {
  say({ event: 'refused', code: error.code, pid: error.pid, message: error.message })
}
