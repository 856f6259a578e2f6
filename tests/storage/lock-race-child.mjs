// A process that races for locks and databases: one line in, one line out. Runs from the build.
//   lock <microseconds> <directory>   → won <from> <to> | refused <pid> <from> <to> | failed <code> <message>
//   open <microseconds> <directory>   → the same, for a database that is opened and left open
//   close                             → closed: what was won is given back
//   count <times> <directory>         → counted: opens, adds one to a counter and closes, so many times
//   wait <times> <directory>          → waited <longest>: the same with lockWait, and the longest wait in milliseconds
//   hold <milliseconds> <directory>   → held: opens, blocks for so long, closes
//   ready                             → ready
// <microseconds>, of the clock that all processes share, is the moment to start at; <from> and <to> when it did and was done.
import { createInterface } from 'node:readline'
import { nodeStorage, open } from '../../dist/index.js'

const options = { durability: 'process', cacheBytes: 64 * 4096 }
let giveBack = () => {}

const now = () => Number(process.hrtime.bigint() / 1000n)
const outcome = error =>
  error.code === 'XENON_LOCKED' ? `refused ${error.pid}` : `failed ${error.code} ${error.stack.replaceAll('\n', ' ')}`

function race(moment, take) {
  while (now() < moment);
  const from = now()
  let answer = 'won'
  try {
    take()
  } catch (error) {
    answer = outcome(error)
  }
  return `${answer} ${from} ${now()}`
}

const commands = {
  ready: () => 'ready',
  close() {
    giveBack()
    giveBack = () => {}
    return 'closed'
  },
  lock: (moment, directory) =>
    race(moment, () => {
      const lock = nodeStorage.lock(directory)
      giveBack = () => lock.release()
    }),
  open: (moment, directory) =>
    race(moment, () => {
      const db = open(directory, options)
      giveBack = () => db.close()
      db.put('owner', `${process.pid}`)
    }),
  count(times, directory) {
    for (let i = 0; i < times; ) {
      try {
        const db = open(directory, options)
        db.put('counter', `${Number(db.get('counter') ?? 0) + 1}`)
        db.close()
        i++
      } catch (error) {
        if (error.code !== 'XENON_LOCKED') return outcome(error)
      }
    }
    return 'counted'
  },
  wait(times, directory) {
    let longest = 0
    for (let i = 0; i < times; i++) {
      const from = performance.now()
      const db = open(directory, { ...options, lockWait: Number.POSITIVE_INFINITY })
      longest = Math.max(longest, performance.now() - from)
      db.put('counter', `${Number(db.get('counter') ?? 0) + 1}`)
      db.close()
    }
    return `waited ${Math.round(longest)}`
  },
  hold(milliseconds, directory) {
    const db = open(directory, options)
    process.stdout.write('holding\n')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
    db.close()
    return 'held'
  },
}

createInterface({ input: process.stdin }).on('line', line => {
  const [command, number, ...rest] = line.split(' ')
  process.stdout.write(`${commands[command](Number(number), rest.join(' '))}\n`)
})
