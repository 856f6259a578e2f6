// Commits changes that keep some rules, until stdin ends or it is killed: whoever reads must never see one broken.
//   accounts    'account 0' to 'account 39' always sum up to 4,000
//   twins       'left' and 'right' are equal; so is 'right' of the sub-database 'twin'
//   large       'large' is one character again and again, as often as 'large length' says
//   run         'run/0' to 'run/n-1' are there, where n is 'run length'; all hold the same text
// Arguments: directory, options as JSON, seed. Prints a line when it is ready and one at the end.
import { writeSync } from 'node:fs'
import { open } from '../../dist/index.js'

const [directory, options, seed] = process.argv.slice(2)
const ACCOUNTS = 40
let state = Number(seed) >>> 0
const below = n => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return Math.floor((state / 2 ** 32) * n)
}
let stopped = false
process.stdin.resume().on('end', () => {
  stopped = true
})
const db = open(directory, JSON.parse(options))
const twin = db.sub('twin')
if (db.get('left') === undefined)
  db.transaction(tx => {
    for (let i = 0; i < ACCOUNTS; i++) tx.put(`account ${i}`, '100')
    tx.put('left', '')
    tx.put('right', '')
    tx.in(twin).put('right', '')
    tx.put('large', '')
    tx.put('large length', '0')
    tx.put('run length', '0')
  })
writeSync(1, 'ready\n')

const steps = [
  () => {
    const amount = 1 + below(20)
    const from = `account ${below(ACCOUNTS)}`
    const to = `account ${below(ACCOUNTS)}`
    db.transaction(tx => {
      tx.put(from, `${Number(tx.get(from)) - amount}`)
      tx.put(to, `${Number(tx.get(to)) + amount}`)
    })
  },
  () => {
    const text = `${below(1e9)} `.repeat(below(150))
    db.transaction(tx => {
      tx.put('left', text)
      tx.in(twin).put('right', text)
      tx.put('right', text)
    })
  },
  () => {
    const length = below(60_000)
    db.transaction(tx => {
      tx.put('large', String.fromCharCode(97 + below(26)).repeat(length))
      tx.put('large length', `${length}`)
    })
  },
  () => {
    const length = below(80)
    const before = Number(db.get('run length'))
    const text = `${below(1e9)}`.repeat(below(60))
    const ops = []
    for (let i = 0; i < Math.max(length, before); i++)
      ops.push(i < length ? { type: 'put', key: `run/${i}`, value: text } : { type: 'delete', key: `run/${i}` })
    ops.push({ type: 'put', key: 'run length', value: `${length}` })
    db.batch(ops)
  },
  // Taken back, in part or as a whole.
  () => {
    const tx = db.begin()
    tx.put('left', 'never')
    for (let i = 0; i < ACCOUNTS; i++) tx.put(`account ${i}`, 'never'.repeat(below(200)))
    tx.delete('large length')
    tx.rollback()
  },
  () => {
    db.sub('scratch').put(`${below(500)}`, 'x'.repeat(below(2_000)))
    if (below(60) === 0) db.sub('scratch').clear()
    if (below(120) === 0) db.drop('scratch')
  },
  () => db.put(`noise ${below(3_000)}`, 'n'.repeat(below(900))),
  () => db.delete(`noise ${below(3_000)}`),
]
for (let i = 0; !stopped; i++) {
  steps[below(steps.length)]()
  if (i % 50 === 0) await new Promise(setImmediate)
  if (below(400) === 0) await db.checkpoint()
  if (below(3_000) === 0) await db.compact()
}
const { ok, problems } = await db.verify()
db.close()
writeSync(1, `${JSON.stringify({ ok, problems })}\n`)
