// Makes backups, or restores one, again and again until it is killed. Arguments: what, database, backups.
import { writeSync } from 'node:fs'
import { open, restore } from '../../dist/index.js'

const [what, directory, backups] = process.argv.slice(2)
if (what === 'backup') {
  const db = open(directory)
  writeSync(1, 'begun\n')
  for (let i = 0; ; i++) {
    db.put('counter', `${i}`)
    const { directory: where } = await db.backup(backups, { keep: 2, verify: i % 2 === 0 })
    writeSync(1, `${where}\n`)
  }
} else {
  writeSync(1, 'begun\n')
  for (;;) {
    await restore(backups, directory, { overwrite: true })
    writeSync(1, 'restored\n')
  }
}
