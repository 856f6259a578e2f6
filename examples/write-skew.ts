/**
 * Write skew: two transactions each check a rule over two records, and each changes the one that the other only reads.
 * `npm run build && node build/examples/write-skew.js`.
 *
 * The rule: at least one doctor is on call. Ada and Grace both want to go home, at the same moment.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, type IsolationLevel, open } from 'xenondb'

const directory = mkdtempSync(join(tmpdir(), 'xenondb-write-skew-'))
const db: Database = open(join(directory, 'hospital'))

/** Goes home if somebody else is on call; gives true if so. */
const goHome = (doctor: string, isolation: IsolationLevel): Promise<boolean> =>
  db.async.transact(
    async tx => {
      let onCall = 0
      for await (const state of tx.values('doctor/')) if (state === 'on call') onCall++
      if (onCall < 2) return false
      // Time passes between the look and the deed.
      await new Promise(resolve => setTimeout(resolve, 10))
      await tx.put(`doctor/${doctor}`, 'at home')
      return true
    },
    { isolation },
  )

let isAsExpected = true
for (const isolation of ['read-committed', 'snapshot', 'serializable'] as const) {
  db.put('doctor/ada', 'on call')
  db.put('doctor/grace', 'on call')
  const left = await Promise.all([goHome('ada', isolation), goHome('grace', isolation)])
  const onCall = [...db.values('doctor/')].filter(state => state === 'on call').length
  const verdict = onCall > 0 ? 'the rule holds' : 'the rule is broken'
  console.log(`${isolation}: ${left.filter(Boolean).length} went home, ${onCall} on call, ${verdict}`)
  isAsExpected &&= onCall === (isolation === 'serializable' ? 1 : 0)
}

// At 'snapshot', a rule holds if those who check it change the same record: then the second one meets a write conflict.
db.put('doctor/ada', 'on call')
db.put('doctor/grace', 'on call')
const goHomeWithTicket = (doctor: string): Promise<boolean> =>
  db.async.transact(
    async tx => {
      await tx.put('ticket', doctor)
      let onCall = 0
      for await (const state of tx.values('doctor/')) if (state === 'on call') onCall++
      if (onCall < 2) return false
      await new Promise(resolve => setTimeout(resolve, 10))
      await tx.put(`doctor/${doctor}`, 'at home')
      return true
    },
    { isolation: 'snapshot' },
  )
const left = await Promise.all([goHomeWithTicket('ada'), goHomeWithTicket('grace')])
const wentHome = left.filter(Boolean).length
console.log(`snapshot, with a record that both change: ${wentHome} went home, the rule holds`)
isAsExpected &&= wentHome === 1

db.close()
rmSync(directory, { recursive: true })
if (!isAsExpected) process.exitCode = 1
