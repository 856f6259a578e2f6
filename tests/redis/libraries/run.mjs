/**
 * `node run.mjs PORT PORT …`: runs every scenario against each of the servers, in database 0 and in database 1. Prints what the scenarios returned and what was said, as JSON:
 * `{ [scenario]: { results, conversations: { sent, received }[] }[] }`, in the order of the ports. The random numbers of a
 * scenario are the same ones each time.
 */
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { record } from './recorder.mjs'

let drawn = 0
function bytes(length) {
  return crypto.createHash('shake256', { outputLength: length }).update(String(drawn++)).digest()
}
Math.random = () => bytes(4).readUInt32BE() / 2 ** 32
crypto.randomBytes = (length, callback) => {
  if (callback === undefined) return bytes(length)
  process.nextTick(callback, null, bytes(length))
}
crypto.randomUUID = () => bytes(16).toString('hex')
syncBuiltinESMExports()

// What a library still waited for when its connections were closed.
process.on('unhandledRejection', () => {})

const { scenarios } = await import('./scenarios.mjs')
const ports = process.argv.slice(2).map(Number)
const outcomes = {}

for (const [name, { run }] of Object.entries(scenarios))
  for (const database of [0, 1]) {
    const title = `${name}, database ${database}`
    outcomes[title] = []
    for (const port of ports) outcomes[title].push(await outcomeOf(run, port, database))
  }

process.stdout.write(JSON.stringify(outcomes), () => process.exit(0))

async function outcomeOf(run, upstream, database) {
  drawn = 0
  const { port, conversations, close } = await record(upstream)
  const ends = []
  const results = []
  /** Puts down what a call has resolved to, or its error. */
  const note = async call => {
    try {
      results.push(plain(await (typeof call === 'function' ? call() : call)))
    } catch (error) {
      results.push(`${error.name}: ${error.message}`)
    }
  }
  const began = performance.now()
  try {
    await within(10_000, run({ port, database, note, ends: end => ends.push(end) }))
  } catch (error) {
    results.push(`the scenario failed: ${error.stack}`)
  }
  for (const end of ends.reverse())
    await within(
      1000,
      Promise.resolve(end()).catch(() => {}),
    ).catch(() => {})
  close()
  return { results, conversations, milliseconds: Math.round(performance.now() - began) }
}

function within(milliseconds, promise) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done in ${milliseconds} ms`)), milliseconds)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

function plain(value) {
  if (Buffer.isBuffer(value)) return value.toString('latin1')
  if (value === undefined) return 'undefined'
  if (value instanceof Error) return `${value.name}: ${value.message}`
  if (value instanceof Map) return [...value].map(plain)
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof Date) return value.getTime()
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]))
  return value
}
