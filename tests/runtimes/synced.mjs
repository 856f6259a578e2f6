// Opens a database where Node may refuse to sync files: prints what a writer meets, and what a reader finds.
import { existsSync } from 'node:fs'
import { open } from 'xenondb'

const directory = process.argv[2]
try {
  const db = open(directory)
  db.put('a', '1')
  db.close()
  console.log('written')
} catch (error) {
  console.log(`${error.code} ${error.message}`)
}
if (existsSync(directory)) {
  const db = open(directory, { readOnly: true })
  console.log(`read: ${db.get('a')}`)
  db.close()
} else console.log('no directory')
