/** Records, a transaction, a cursor: `npm run build && node build/examples/quickstart.js`. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from 'xenondb'

interface Student {
  name: string
  born: number
}

const directory = mkdtempSync(join(tmpdir(), 'xenondb-quickstart-'))
const db = open<Student>(join(directory, 'students'), { valueEncoding: 'json' })

db.put('ada', { name: 'Ada Lovelace', born: 1815 })
console.log(db.get('ada')) // { name: 'Ada Lovelace', born: 1815 }
console.log(db.get('nobody')) // undefined

// All or nothing: an error inside rolls everything back.
db.transaction(tx => {
  tx.put('alan', { name: 'Alan Turing', born: 1912 })
  tx.delete('ada')
})

// A cursor over all records, in the order they lie in the blocks.
for (db.reset(); db.next(); ) {
  const { key, value } = db.readCurrent()
  console.log(key, value) // alan { name: 'Alan Turing', born: 1912 }
}

db.close()
rmSync(directory, { recursive: true })
