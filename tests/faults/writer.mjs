// Writes records until it is refused or killed, and says the number of each that is acknowledged.
// Arguments: directory, options as JSON, bytes of a value, first number.
import { writeSync } from 'node:fs'
import { open } from '../../dist/index.js'

const [directory, options, bytes, first] = process.argv.slice(2)
const db = open(directory, JSON.parse(options))
const value = 'v'.repeat(Number(bytes))
try {
  for (let i = Number(first); ; i++) {
    db.put(`key ${i}`, value)
    writeSync(1, `${i}\n`)
  }
} catch (error) {
  writeSync(1, `${error.code}\n`)
  // Until it is killed.
  setInterval(() => {}, 1000)
}
