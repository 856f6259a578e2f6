/**
 * A test in two lengths: `npm test` tries little of it, `npm run test:long`, which `.ci/run` runs as well, all of it
 * (`XENON_LONG=1`). The latter runs the files that import this one.
 */
export const isLong: boolean = process.env.XENON_LONG === '1'

/** How often: in `npm test`, and in `npm run test:long`. */
export const rounds = (short: number, long: number): number => (isLong ? long : short)
