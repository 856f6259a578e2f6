/** How long a leader waits for those whom it has just answered. */
import { expect, test } from 'vitest'
import { Gathering } from '../../src/cluster/gathering.ts'
import { Machine, Process, World } from './simulator/world.ts'

const make = (): { world: World; gathering: Gathering } => {
  const world = new World(1)
  return { world, gathering: new Gathering(new Process(new Machine(world, 1, 1, 0))) }
}

/** Groups of an append that takes 8 ms, until the average is about that. */
const groups = (gathering: Gathering, count: number, answered: number): void => {
  for (let i = 0; i < count; i++) {
    gathering.begin(answered, 0, 8)
    gathering.end(answered)
  }
}

test('a group waits until most of those are back who were answered, and no longer than a part of an append', () => {
  const { world, gathering } = make()
  groups(gathering, 100, 64)
  gathering.begin(64, 10, 8)
  expect(gathering.left(10)).toBeCloseTo(6)
  expect(gathering.left(65)).toBeGreaterThan(0)
  expect(gathering.left(66)).toBe(0)
  world.now += 4
  expect(gathering.left(10)).toBeCloseTo(2)
  world.now += 3
  expect(gathering.left(10)).toBe(0)
})

test('a client alone, and the first group of all, wait for nobody', () => {
  const { world, gathering } = make()
  expect(gathering.left(1)).toBe(0)
  gathering.end(1)
  groups(gathering, 20, 1)
  gathering.begin(1, 0, 8)
  expect(gathering.left(1)).toBe(0)
  world.now += 100
  expect(gathering.left(1)).toBe(0)
})

test('where nobody comes back the next groups do not wait, more and more of them; one that has waited well begins anew', () => {
  const { world, gathering } = make()
  groups(gathering, 20, 8)
  const inVain = (): number => {
    let skipped = 0
    for (; ; skipped++) {
      gathering.begin(8, 2, 8)
      const waits = gathering.left(2) > 0
      world.now += 10
      gathering.end(3)
      if (waits) return skipped
    }
  }
  expect(Array.from({ length: 8 }, inVain)).toEqual([0, 8, 16, 32, 64, 128, 256, 256])
  groups(gathering, 257, 8)
  expect([inVain(), inVain()]).toEqual([0, 8])
})
