// Opens databases and reads all of them, one for each line of stdin: { directory, options }. Answers with a line each.
import { createInterface } from 'node:readline'
import { open } from '../../dist/index.js'

async function answer(directory, options) {
  try {
    const db = open(directory, options)
    let records = 0
    db.reset()
    while (db.next()) {
      db.readCurrent()
      records++
    }
    const { ok } = await db.verify()
    db.close()
    return { event: 'opened', records, ok }
  } catch (error) {
    return { event: 'refused', name: error.name, code: error.code, message: error.message }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { directory, options } = JSON.parse(line)
  process.stdout.write(`${JSON.stringify(await answer(directory, options))}\n`)
}
