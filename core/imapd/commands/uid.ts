import { sealCommand } from '../../api/index.js'

/** `UID` alone: the commands behind it are in the table as `UID FETCH` and so on (RFC 3501 §6.4.8). */
export const uid = sealCommand({
  name: 'UID',
  states: ['selected'],
  uidForm: 'no',
  mayReportExpunge: false,
  parse: (input): void => input.fail('a command'),
  run: async () => ({ kind: 'bad' as const }),
})
