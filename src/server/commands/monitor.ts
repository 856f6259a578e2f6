/** MONITOR. */
import { type Family, family } from './command.ts'

export const monitor: Family = family(
  { group: 'server', afterBegin: 'refused' },
  {
    monitor: {
      arity: 1,
      flags: 'admin noscript loading stale',
      categories: '@admin @slow @dangerous',
      since: '1.0.0',
      complexity: '',
      summary: 'Listen for all requests received by the server in real time',
      afterMulti: 'refused',
      run(caller) {
        caller.server.activity.watch(caller)
        caller.out.ok()
      },
    },
  },
)
