/** Several processes share a database; the one that has it open is killed again and again. */
import { describe, expect, test } from 'vitest'
import { open } from '../../src/index.ts'
import { openShared } from '../../src/shared/index.ts'
import { type Child, pause, startChild } from '../support/child.ts'
import { withDirectory } from '../support/directory.ts'
import { firstSeed, Random, runs, runTimeout } from '../support/random.ts'

const start = (directory: string, name: string, isMarked = false): Child =>
  startChild('shared/member.mjs', [directory, name, ...(isMarked ? ['marks'] : [])])

describe('several processes', () => {
  test.each([
    { what: 'lose nothing that was acknowledged, and keep the order of each', isMarked: false, rounds: 8 },
    { what: 'know of each change, with marks, whether it was committed', isMarked: true, rounds: 5 },
  ])(
    'of which the owner is killed $what',
    ({ isMarked, rounds }) =>
      withDirectory(async directory => {
        const random = new Random(firstSeed())
        const alive = new Map<string, Child>()
        const outputs = new Map<string, Child>()
        let started = 0
        let heard = 0
        let onHeard = (): void => {}
        const more = (count: number): Promise<void> => {
          const least = heard + count
          return new Promise(resolve => {
            onHeard = () => {
              if (heard >= least) resolve()
            }
          })
        }
        const add = (): void => {
          const name = `m${started++}`
          const child = start(directory, name, isMarked)
          child.process.stdout!.on('data', (text: string) => {
            heard += text.split('ack ').length - 1
            onHeard()
          })
          alive.set(name, child)
          outputs.set(name, child)
        }
        for (let i = 0; i < 5; i++) add()
        await Promise.all([...alive.values()].map(child => child.firstLine))
        let kills = 0
        while (kills < rounds * runs) {
          await more(20)
          await pause(random.between(0, 300))
          const owner = ownerOf(directory)
          const victim = [...alive].find(([, child]) => child.process.pid === owner)
          if (victim === undefined) continue
          victim[1].kill()
          alive.delete(victim[0])
          kills++
          add()
        }
        const watcher = await openShared(directory, { ownerTimeout: 60_000, marks: isMarked })
        // One that leaves in peace, too: whoever is the owner then hands over.
        for (const child of alive.values()) child.process.stdin!.write('end\n')
        const said = await Promise.all([...outputs].map(async ([name, child]) => [name, await child.ended] as const))
        const problems: string[] = []
        let acknowledged = 0
        for (const [name, { lines, errors }] of said) {
          if (errors !== '') problems.push(`${name}: ${errors}`)
          for (const line of lines)
            if (/^(wrong|error)/.test(line) || (isMarked && /^lost/.test(line))) problems.push(`${name}: ${line}`)
          let count = 0
          let unknown = 0
          for (const line of lines) {
            const [word, number] = line.split(' ')
            if (word !== 'ack' && word !== 'lost') continue
            const i = Number(number)
            if (i % 10 === 9) {
              if (word === 'ack') count++
              else unknown++
            } else if (word === 'ack') {
              acknowledged++
              const found = await watcher.get(`${name}:${String(i).padStart(8, '0')}`)
              if (found !== `${i}`) problems.push(`${name}: ${i} was acknowledged, and is ${found}`)
            }
          }
          const counted = Number((await watcher.get(`${name}:count`)) ?? 0)
          // What was on its way when it was killed itself nobody has heard of.
          if (counted < count || counted > count + unknown + 1)
            problems.push(`${name}: counted ${counted}, acknowledged ${count}, unknown ${unknown}`)
        }
        await watcher.close()
        const db = open(directory)
        expect((await db.verify()).problems).toEqual([])
        db.close()
        expect(problems).toEqual([])
        expect(acknowledged).toBeGreaterThan(10 * kills)
      }),
    runTimeout,
  )

  test('that start at once elect one', () =>
    withDirectory(async directory => {
      const children = Array.from({ length: 12 }, (_, i) => start(directory, `m${i}`))
      const first = await Promise.all(children.map(child => child.firstLine))
      for (const child of children) child.process.stdin!.write('end\n')
      const all = await Promise.all(children.map(child => child.ended))
      expect(first.filter(line => line === 'owner')).toHaveLength(1)
      for (const { lines, errors } of all) {
        expect(errors).toBe('')
        expect(lines.at(-1)).toBe('closed')
        expect(lines.filter(line => /^(wrong|error)/.test(line))).toEqual([])
      }
      const db = open(directory)
      expect((await db.verify()).problems).toEqual([])
      db.close()
    }))
})

/** The process that has the lock. */
const ownerOf = (directory: string): number | undefined => {
  try {
    open(directory, { createIfMissing: false }).close()
    return undefined
  } catch (error) {
    return (error as { pid?: number }).pid
  }
}
