// What the several writers of writers.mjs commit. Commit number `generation` of a writer is a pure function of the seed
// (and, for transfers, of what the accounts hold), so that the parent can tell what any number of them leaves behind.

/** Each has keys of its own and keeps several commits in flight. */
export const asyncWriters = ['ada', 'bob', 'cyd']
/** Commits that one of these keeps in flight at most. */
export const MAX_IN_FLIGHT = 24

/** Explicit transactions, one after the other, each of which writes its generation to every key of the group. */
export const groupWriter = 'group'
export const groupKeys = Array.from({ length: 20 }, (_, i) => `group/key/${i}`)

/** Explicit transactions over the same accounts, which meet each other's locks; the sum stays the same. */
export const tellers = ['ted', 'uma']
export const accounts = Array.from({ length: 10 }, (_, i) => `account/${i}`)
export const OPENING_BALANCE = 1000

export const writers = [...asyncWriters, groupWriter, ...tellers]

export function commitOf(seed, writer, generation) {
  const random = generatorOf(seed, writer, generation)
  const roll = random(100)
  const key = () => `${writer}/record/${random(300)}`
  const change = () => [key(), random(4) === 0 ? undefined : textOf(generation, random, 1200)]
  if (writer === groupWriter) {
    const changes = groupKeys.map(name => [name, `${generation}`])
    for (let i = random(6); i > 0; i--) changes.push(change())
    return { kind: roll < 50 ? 'commit' : 'commitSoon', changes }
  }
  if (roll < 45) return { kind: 'put', changes: [[key(), textOf(generation, random, 1200)]] }
  if (roll < 60) return { kind: 'delete', changes: [[key(), undefined]] }
  if (roll < 64) {
    return {
      kind: 'put',
      changes: [[`${writer}/large/${random(3)}`, textOf(generation, random, 100_000)]],
    }
  }
  return { kind: 'batch', changes: Array.from({ length: 1 + random(8) }, change) }
}

/** What a transfer moves: from one account to two others. */
export function transferOf(seed, teller, generation) {
  const random = generatorOf(seed, teller, generation)
  const from = random(accounts.length)
  const amounts = [1 + random(50), 1 + random(50)]
  const first = (from + 1 + random(4)) % accounts.length
  const second = (from + 5 + random(5)) % accounts.length
  return {
    kind: random(2) === 0 ? 'commit' : 'commitSoon',
    moves: [
      [accounts[from], -amounts[0] - amounts[1]],
      [accounts[first], amounts[0]],
      [accounts[second], amounts[1]],
    ],
  }
}

/** Whether a transaction that is rolled back comes before this one. */
export function rollsBackBefore(seed, writer, generation) {
  return generatorOf(seed ^ 0x5bd1e995, writer, generation)(6) === 0
}

function textOf(generation, random, most) {
  return `${generation}:`.padEnd(random(most) + 1, `${random(10)}abcdefg`)
}

function generatorOf(seed, writer, generation) {
  const salt = Math.imul(writers.indexOf(writer) + 1, 0xc2b2ae35)
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(generation + 1, 0x85ebca6b) ^ salt) >>> 0
  return end => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % end
  }
}
