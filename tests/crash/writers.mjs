// Several writers at once over one database, until the process is killed. Prints `<writer> <generation>` once a commit
// is acknowledged, and now and then `stats <evictions> <checkpoints> <segments> <conflicts>`. Arguments: directory,
// options as JSON, seed, first generation of each writer as JSON.
import { writeSync } from 'node:fs'
import { open } from '../../dist/index.js'
import {
  accounts,
  asyncWriters,
  commitOf,
  groupKeys,
  groupWriter,
  MAX_IN_FLIGHT,
  OPENING_BALANCE,
  rollsBackBefore,
  tellers,
  transferOf,
} from './many-writers.mjs'

const [directory, options, seedText, firstText] = process.argv.slice(2)
const seed = Number(seedText)
const first = JSON.parse(firstText)
const db = open(directory, JSON.parse(options))
if (!db.has(accounts[0])) {
  db.batch(accounts.map(key => ({ type: 'put', key, value: `${OPENING_BALANCE}` })))
}
writeSync(1, 'open\n')

let acknowledged = 0
function acknowledge(writer, generation) {
  writeSync(1, `${writer} ${generation}\n`)
  if (++acknowledged % 200 !== 0) return
  const { cache, checkpoints, log, logSegments, transactions } = db.stats()
  const recycled = Math.floor(log.bytes / (128 * 1024)) - logSegments
  writeSync(1, `stats ${cache.evictions} ${checkpoints} ${recycled} ${transactions.lockConflicts}\n`)
}

const turn = () => new Promise(setImmediate)
const operation = ([key, value]) => (value === undefined ? { type: 'delete', key } : { type: 'put', key, value })
const apply = (tx, [key, value]) => (value === undefined ? tx.delete(key) : tx.put(key, value))

/**
 * Runs `attempt` again, some turns of the event loop later, as long as it meets a lock of another writer's transaction.
 */
async function insist(attempt) {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (error.code !== 'XENON_LOCK_CONFLICT') throw error
      for (let turns = Math.random() * 4; turns >= 0; turns--) await turn()
    }
  }
}

/** Commits in flight, several at once. */
async function writeAsync(writer) {
  const inFlight = []
  for (let generation = first[writer]; ; generation++) {
    const { kind, changes } = commitOf(seed, writer, generation)
    // The call itself stores the records, or waits for a lock: a commit in flight keeps its place in the sequence.
    const { promise, applied } = start(kind, changes)
    await applied
    // A delete that found nothing returns without waiting for the commits in flight before it.
    inFlight.push(promise.then(found => found !== false && acknowledge(writer, generation)))
    if (inFlight.length >= MAX_IN_FLIGHT) await inFlight.shift()
    else if (generation % 7 === 0) await turn()
  }
}

/** `applied` resolves when the change is made, though perhaps not durable yet; `promise` when it is. */
function start(kind, changes) {
  const [key, value] = changes[0]
  const { open } = db.engine.transactions
  const before = open.size
  const promise =
    kind === 'put'
      ? db.async.put(key, value)
      : kind === 'delete'
        ? db.async.delete(key)
        : db.async.batch(changes.map(operation))
  // One that has met a lock is made later, by a transaction that has begun at once.
  return { promise, applied: open.size > before ? promise : undefined }
}

async function end(tx, kind) {
  if (kind === 'commitSoon') await tx.commitSoon()
  else tx.commit()
}

/** Transactions that stay open over turns of the event loop, with savepoints, rolled back now and then. */
async function writeGroups(writer) {
  for (let generation = first[writer]; ; generation++) {
    const { kind, changes } = commitOf(seed, writer, generation)
    await insist(async () => {
      if (rollsBackBefore(seed, writer, generation)) {
        const tx = db.begin()
        try {
          for (const key of groupKeys) tx.put(key, 'rolled back')
          tx.put('never', 'there')
          await turn()
        } finally {
          tx.rollback()
        }
      }
      const tx = db.begin()
      try {
        for (const [index, change] of changes.entries()) {
          const savepoint = tx.savepoint()
          tx.put(change[0], 'undone')
          tx.put('never', 'there')
          tx.rollbackTo(savepoint)
          apply(tx, change)
          if (index % 7 === 0) await turn()
        }
      } catch (error) {
        tx.rollback()
        throw error
      }
      await end(tx, kind)
    })
    acknowledge(writer, generation)
  }
}

async function transfer(teller) {
  for (let generation = first[teller]; ; generation++) {
    const { kind, moves } = transferOf(seed, teller, generation)
    await insist(async () => {
      const tx = db.begin()
      try {
        for (const [account, amount] of moves) {
          const balance = Number(tx.get(account))
          const savepoint = tx.savepoint()
          tx.delete(account)
          tx.rollbackTo(savepoint)
          tx.put(account, `${balance + amount}`)
          if (generation % 3 === 0) await turn()
        }
        tx.put(`teller/${teller}`, `${generation}`)
        if (generation % 4 === 0) await turn()
      } catch (error) {
        tx.rollback()
        throw error
      }
      await end(tx, kind)
    })
    acknowledge(teller, generation)
    // Room for the others: a teller that keeps the accounts busy starves its colleague.
    await turn()
  }
}

await Promise.all([...asyncWriters.map(writeAsync), writeGroups(groupWriter), ...tellers.map(transfer)])
