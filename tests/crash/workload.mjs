// What the child of the kill test writes. Commit number `generation` is a pure function of the seed, so that the
// parent can tell what any number of them leaves behind without hearing more than the last acknowledged number.

/** Every transaction writes its generation to all of these. */
export const groupKeys = Array.from({ length: 16 }, (_, i) => `group/${i}`)

/** How many commits of `db.async` the child keeps in flight at most. */
export const MAX_IN_FLIGHT = 64

export function commitOf(seed, generation) {
  const random = generatorOf(seed, generation)
  const roll = random(100)
  const change = most => [`record/${random(400)}`, random(4) === 0 ? undefined : textOf(generation, random, most)]
  const changes = count => Array.from({ length: count }, () => change(600))
  if (roll < 30) return { kind: 'put', changes: [[`record/${random(400)}`, textOf(generation, random, 600)]] }
  if (roll < 40) return { kind: 'delete', changes: [[`record/${random(400)}`, undefined]] }
  if (roll < 52) return { kind: 'batch', changes: [...groupOf(generation), ...changes(random(8))] }
  if (roll < 70) return { kind: 'transaction', changes: [...changes(random(8)), ...groupOf(generation)] }
  if (roll < 73) {
    return { kind: 'put', changes: [[`large/${random(4)}`, textOf(generation, random, 200_000)]] }
  }
  if (roll < 90) return { kind: 'async', changes: [change(600)] }
  return { kind: 'async', changes: changes(1 + random(6)) }
}

/** Whether a transaction that is rolled back comes before this commit. */
export function rollsBackBefore(seed, generation) {
  return generatorOf(seed ^ 0x5bd1e995, generation)(8) === 0
}

function groupOf(generation) {
  return groupKeys.map(key => [key, `${generation}`])
}

function textOf(generation, random, most) {
  return `${generation}:`.padEnd(random(most) + 1, `${random(10)}abcdefg`)
}

function generatorOf(seed, generation) {
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(generation + 1, 0x85ebca6b)) >>> 0
  return end => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % end
  }
}
