// A process that takes locks on command, one line in, one line out. Runs from the build: node cannot run TypeScript here.
//   lock <directory>      → held | refused <code> <pid> | failed <message>
//   release <directory>   → released
//   user <uid>            → user
import { createInterface } from 'node:readline'
import { nodeStorage } from '../../dist/index.js'

const locks = new Map()

function answer(command, argument) {
  if (command === 'user') {
    process.setuid(Number(argument))
    return 'user'
  }
  if (command === 'release') {
    locks.get(argument)?.release()
    return 'released'
  }
  try {
    locks.set(argument, nodeStorage.lock(argument))
    return 'held'
  } catch (error) {
    return error.code === 'XENON_LOCKED' ? `refused ${error.code} ${error.pid}` : `failed ${error.message}`
  }
}

createInterface({ input: process.stdin }).on('line', line => {
  const space = line.indexOf(' ')
  process.stdout.write(`${answer(line.slice(0, space), line.slice(space + 1))}\n`)
})
