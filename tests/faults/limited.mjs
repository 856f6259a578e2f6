// Runs under a limit of the system (ulimit) or without rights, and prints one line of JSON per event.
//   write <directory> <options> <bytes>   commits records of so many bytes until one is refused, then tries what is left
//   descriptors <directory> <options>     opens the database with 0, 1, 2 … file descriptors to spare
//   create <directory> <options>          creates databases <directory>/0, 1, 2 … with so many file descriptors to spare
//   starve <directory> <options>          takes away all descriptors while the database is open, and writes on
//   read-as <uid> <directory> <options>   as another user: opens for reading, opens for writing
import { closeSync, openSync, readdirSync, writeSync } from 'node:fs'
import { open, XenonError } from '../../dist/index.js'

const say = event => writeSync(1, `${JSON.stringify(event)}\n`)
const [command, ...parameters] = process.argv.slice(2)

/** What an action failed with, as JSON can hold it. */
function failureOf(action) {
  try {
    action()
    return undefined
  } catch (error) {
    return {
      typed: error instanceof XenonError,
      code: error.code,
      cause: error.cause?.code,
      message: error.message,
    }
  }
}

/** Holds every file descriptor that is left. */
function takeAll() {
  const held = []
  try {
    for (;;) held.push(openSync('/dev/null', 'r'))
  } catch {
    return held
  }
}

const commands = {
  write(directory, options, bytes) {
    let db
    const failure = failureOf(() => {
      db = open(directory, JSON.parse(options))
    })
    if (failure !== undefined) return say({ event: 'not opened', ...failure })
    const value = i => `${i}:`.padEnd(Number(bytes), 'abcdefg')
    for (let i = 0; ; i++) {
      const failure = failureOf(() => db.put(`record/${i}`, value(i)))
      if (failure === undefined) {
        say({ event: 'acknowledged', number: i })
        continue
      }
      say({ event: 'refused', ...failure })
      break
    }
    say({ event: 'afterwards', ...failureOf(() => db.get('record/0')) })
    say({ event: 'closed', failure: failureOf(() => db.close()) })
  },

  descriptors(directory, options) {
    // Something may load a file the first time it runs.
    open(directory, JSON.parse(options)).close()
    failureOf(() => open(`${directory}/absent/absent`, { createIfMissing: false }))
    const before = readdirSync('/proc/self/fd').length
    const held = takeAll()
    for (let spare = 0; spare < 12; spare++) {
      let records
      const failure = failureOf(() => {
        const db = open(directory, JSON.parse(options))
        records = db.stats().records
        db.close()
      })
      say({ event: 'opened', spare, records, failure })
      closeSync(held.pop())
    }
    for (const fd of held) closeSync(fd)
    say({ event: 'left open', files: readdirSync('/proc/self/fd').length - before })
  },

  create(directory, options) {
    open(`${directory}/warm-up`, JSON.parse(options)).close()
    const before = readdirSync('/proc/self/fd').length
    for (let spare = 0; spare < 12; spare++) {
      const held = takeAll()
      for (const fd of held.splice(0, spare)) closeSync(fd)
      const failure = failureOf(() => open(`${directory}/${spare}`, JSON.parse(options)).close())
      for (const fd of held) closeSync(fd)
      say({ event: 'created', spare, failure, files: readdirSync('/proc/self/fd').length - before })
    }
  },

  starve(directory, options) {
    const db = open(directory, JSON.parse(options))
    const held = takeAll()
    for (let i = 0; i < 5000; i++) {
      const failure = failureOf(() => db.put(`record/${i}`, `${i}:`.padEnd(500, 'abcdefg')))
      if (failure !== undefined) {
        say({ event: 'refused', ...failure })
        break
      }
      say({ event: 'acknowledged', number: i })
    }
    say({ event: 'closed', failure: failureOf(() => db.close()) })
    for (const fd of held) closeSync(fd)
  },

  'read-as'(uid, directory, options) {
    process.setuid(Number(uid))
    for (const readOnly of [true, false]) {
      let records
      const failure = failureOf(() => {
        const db = open(directory, { ...JSON.parse(options), readOnly })
        records = db.stats().records
        db.close()
      })
      say({ event: 'opened', readOnly, records, failure })
    }
  },
}

commands[command](...parameters)
