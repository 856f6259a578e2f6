/** How this run of the command opens databases: the options that every command takes. */
import type { CAC } from 'cac'
import { countOption, flagOption, type Options, textOption } from './arguments.ts'

export interface Opening {
  lockWait: number
  takeover: boolean
}

let chosen: Opening = { lockWait: 0, takeover: false }

export const opening = (): Opening => chosen

export function registerOpening(cli: CAC): void {
  cli.option('--lock-wait <ms>', 'How long to wait while another process has the database open (or Infinity)')
  cli.option('--takeover', 'Take the lock of a killed container: only if you know that it is gone')
}

export function chooseOpening(options: Options): void {
  const lockWait =
    textOption(options, 'lockWait') === 'Infinity' ? Number.POSITIVE_INFINITY : (countOption(options, 'lockWait') ?? 0)
  chosen = { lockWait, takeover: flagOption(options, 'takeover') }
}
