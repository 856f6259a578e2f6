// Writes puts, deletes, transactions, large values, sub-databases (cleared and dropped, too) and checkpoints until stdin
// ends, then closes and verifies.
// Arguments: directory, options as JSON, 'idle' to write nothing. Prints a line when it is ready and one at the end.
import { writeSync } from 'node:fs'
import { open } from '../../dist/index.js'

const [directory, options, mode] = process.argv.slice(2)
const say = message => writeSync(1, `${JSON.stringify(message)}\n`)
const db = open(directory, JSON.parse(options))
let stopped = false
process.stdin.resume().on('end', () => {
  stopped = true
})
say({ event: 'ready', pid: process.pid })

const expected = new Map()
let commits = 0
const put = (target, key, value) => {
  target.put(key, value)
  expected.set(key, value)
}
for (let i = 0; !stopped; i++) {
  if (mode !== 'idle') {
    put(db, `key ${i % 700}`, `${i} `.repeat(1 + (i % 300)))
    if (i % 3 === 0) db.delete(`key ${(i * 7) % 700}`) && expected.delete(`key ${(i * 7) % 700}`)
    if (i % 5 === 0) {
      db.transaction(tx => {
        for (let k = 0; k < 6; k++) put(tx, `tx ${(i + k * 31) % 200}`, `${i}`.repeat(20))
      })
    }
    if (i % 11 === 0) put(db, `large ${i % 13}`, `${i % 10}`.repeat(5_000 + ((i * 977) % 60_000)))
    const sub = db.sub(`sub ${i % 3}`).sub('inner')
    sub.put(`key ${i % 100}`, `${i} `.repeat(i % 500))
    if (i % 40 === 0) sub.clear()
    if (i % 150 === 0) db.drop(`sub ${i % 3}`)
    if (i % 97 === 0) await db.checkpoint()
    commits = i
  }
  if (i % 20 === 0 || mode === 'idle') await new Promise(resolve => setTimeout(resolve, mode === 'idle' ? 20 : 1))
}
let wrong = 0
for (const [key, value] of expected) if (db.get(key) !== value) wrong++
const { checkpoints } = db.stats()
const { ok, problems } = await db.verify()
db.close()
say({ event: 'closed', commits, checkpoints, wrong, ok, problems })
