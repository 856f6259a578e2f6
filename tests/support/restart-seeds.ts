/** Runs before each file of those that share a worker: its seeds do not depend on the files that ran before it. */
import { restartSeeds } from './random.ts'

restartSeeds()
