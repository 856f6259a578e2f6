// Writes commit after commit until it is killed, and prints the number of each once it has returned.
// Arguments: directory, options as JSON, seed, first generation.
import { writeSync } from 'node:fs'
import { open } from '../../dist/index.js'
import { commitOf, groupKeys, MAX_IN_FLIGHT, rollsBackBefore } from './workload.mjs'

const [directory, options, seedText, firstText] = process.argv.slice(2)
const seed = Number(seedText)
const db = open(directory, JSON.parse(options))
const inFlight = []

const acknowledge = generation => writeSync(1, `${generation}\n`)
const apply = (target, [key, value]) => (value === undefined ? target.delete(key) : target.put(key, value))
const operation = ([key, value]) => (value === undefined ? { type: 'delete', key } : { type: 'put', key, value })

for (let generation = Number(firstText); ; generation++) {
  if (rollsBackBefore(seed, generation)) {
    const tx = db.begin()
    for (const key of groupKeys) tx.put(key, 'rolled back')
    tx.put('never', 'there')
    tx.delete('record/1')
    tx.rollback()
  }
  const { kind, changes } = commitOf(seed, generation)
  if (kind === 'async') {
    const [key, value] = changes[0]
    const promise =
      changes.length > 1
        ? db.async.batch(changes.map(operation))
        : value === undefined
          ? db.async.delete(key)
          : db.async.put(key, value)
    // A delete that found nothing returns without waiting for the commits in flight before it.
    inFlight.push(promise.then(found => found !== false && acknowledge(generation)))
    if (inFlight.length >= MAX_IN_FLIGHT) await Promise.all(inFlight.splice(0))
    else if (generation % 5 === 0) await new Promise(setImmediate)
    continue
  }
  if (kind === 'batch') db.batch(changes.map(operation))
  else if (kind === 'transaction') {
    const tx = db.begin()
    for (const change of changes) {
      const savepoint = tx.savepoint()
      tx.put('never', 'there')
      tx.put(change[0], 'undone')
      tx.rollbackTo(savepoint)
      apply(tx, change)
    }
    tx.commit()
  } else if (apply(db, changes[0]) === false) continue
  acknowledge(generation)
}
