/** fast-check with a seed that is the same in every run, as those of `random.ts` are, or a fresh one where it is asked. */
import fc from 'fast-check'
import { hasFreshSeeds } from './random.ts'

if (!hasFreshSeeds) fc.configureGlobal({ seed: Number(process.env.XENON_SEED ?? 1) })

export default fc
