/**
 * One process that loads a build of the package, and opens and closes a database twice: prints what each step took.
 * Arguments: the script of the build, the directory of the database, what is opened.
 */
import type * as Xenon from 'xenondb'
import { FIRST_KEY, type OpeningKind, type Step, type Steps } from './steps.ts'

const [script, directory, kind] = process.argv.slice(2) as [string, string, OpeningKind]
const steps: Partial<Steps> = {}
let cpu = process.cpuUsage()
let wall = process.hrtime.bigint()

begin()
const { open, memoryStorage } = (await import(script)) as typeof Xenon
end('load')
const options = kind === 'memory' ? { storage: memoryStorage() } : {}
// So that the clocks are compiled when they count.
for (let i = 0; i < 3; i++) {
  begin()
  end('load', true)
}
begin()
const first = open(directory, options)
end('open')
begin()
use(first)
end('use')
begin()
first.close()
end('close')
begin()
const second = open(directory, options)
end('second open')
second.close()
console.log(JSON.stringify(steps))

function use(db: Xenon.Database): void {
  if (kind === 'expired, keys') db.keys({ limit: 1 }).toArray()
  else if (kind === 'expired, count') db.count()
  else db.get(FIRST_KEY)
}

function begin(): void {
  cpu = process.cpuUsage()
  wall = process.hrtime.bigint()
}

function end(step: Step, isWarmUp: boolean = false): void {
  const elapsed = process.hrtime.bigint() - wall
  const { user, system } = process.cpuUsage(cpu)
  if (!isWarmUp) steps[step] = { cpu: (user + system) / 1000, wall: Number(elapsed) / 1e6 }
}
