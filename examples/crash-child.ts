/**
 * The process that is killed: `node crash-child.js <directory>` commits one transaction after the other and says so.
 *
 * Transaction n stores `crash/n/0` … `crash/n/4` and moves `crash/last` to n. Its number is written to stdout only when
 * the commit has returned, synchronously: what the parent reads, the database has promised to keep.
 */
import { writeSync } from 'node:fs'
import { argv, exit } from 'node:process'
import { open } from 'xenondb'
import { type CrashRecord, crashKey, LAST_KEY, PARTS } from './support/crash-records.ts'

const directory = argv[2]
if (directory === undefined) {
  console.error('usage: node crash-child.js <directory>')
  exit(2)
}

const db = open<CrashRecord>(directory, {
  valueEncoding: 'json',
  durability: 'power',
  createIfMissing: false,
})

for (let n = 1; ; n++) {
  const tx = db.begin()
  for (let part = 0; part < PARTS; part++) tx.put(crashKey(n, part), { transaction: n, part })
  tx.put(LAST_KEY, { transaction: n, part: 0 })
  tx.commit()
  writeSync(1, `${n}\n`)
}
