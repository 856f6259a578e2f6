/** The rooms of src/server/: who may know whom, as its README says. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root: string = fileURLToPath(new URL('../../src/server', import.meta.url))

/** From the ground up: a file imports from its own room and those before it. */
const rooms: readonly string[] = [
  'protocol',
  'service',
  'scripting',
  'commands',
  'connection',
  'server.ts',
  'inspect',
  'index.ts',
]

const roomOf = (file: string): string => file.split('/')[0]!

const imports: { from: string; to: string }[] = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts'))
  .flatMap(from => {
    const text = readFileSync(join(root, from), 'utf8')
    return [...text.matchAll(/from '(\.[^']+)'/g)].map(match => ({
      from,
      to: relative(root, join(root, dirname(from), match[1]!)),
    }))
  })

test('no import runs upwards', () => {
  const inside = imports.filter(({ to }) => !to.startsWith('..'))
  expect(inside.length).toBeGreaterThan(100)
  for (const { from, to } of inside) {
    expect(rooms).toContain(roomOf(from))
    expect(rooms.indexOf(roomOf(to)), `${from} → ${to}`).toBeLessThanOrEqual(rooms.indexOf(roomOf(from)))
  }
})

test('the protocol knows nothing of the database', () => {
  const outside = imports.filter(({ from, to }) => roomOf(from) === 'protocol' && roomOf(to) !== 'protocol')
  expect(outside).toEqual([])
})

test('the README lists the rooms in this order', () => {
  const listed = readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^\| `([\w.]+)\/?` \|/gm)
  expect([...listed].map(match => match[1])).toEqual(rooms.slice(0, -1))
})
