/**
 * What `npm start` runs: a walk through xenondb, from the first put to a killed process.
 *
 *     node build/examples/students.js [directory] [--quick]
 *
 * Works in a temporary directory and removes it; a directory that is named is kept, to look into with the command
 * line. `--quick` takes 5,000 of the cities. Every step is checked: the exit status is 1 if one fails.
 */
import { parseArgs } from 'node:util'
import { loadCities } from './support/cities.ts'
import { killAndRecover } from './support/crash.ts'
import { firstSteps } from './support/first-steps.ts'
import { lookInside } from './support/inside.ts'
import { finish, title } from './support/lesson.ts'
import { choosePlace, type Place } from './support/places.ts'
import { loadRealData } from './support/real-data.ts'

try {
  const { values, positionals } = parseArgs({
    options: { quick: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  if (positionals.length > 1) throw new Error('usage: students.js [directory] [--quick]')
  process.exitCode = await main(choosePlace(positionals[0]), values.quick)
} catch (error) {
  console.error(error instanceof Error ? `students: ${error.message}` : error)
  process.exitCode = 1
}

async function main(place: Place, quick: boolean): Promise<number> {
  try {
    title(`xenondb: a walk through the store (in ${place.directory})`)
    firstSteps(place.database('students'))
    const cities = loadCities(quick ? 5_000 : undefined)
    loadRealData(place.database('cities'), cities)
    await killAndRecover(place.database('cities'), cities, quick ? 100 : 1_000)
    await lookInside(place.database('cities'), cities)
    const status = finish()
    console.log(
      place.kept
        ? `\nTo see inside: npx xenondb explore ${place.database('cities')} --open`
        : '\nTo see inside: npm start -- DIRECTORY keeps the databases; then npx xenondb explore DIRECTORY/cities --open',
    )
    return status
  } finally {
    place.leave()
  }
}
