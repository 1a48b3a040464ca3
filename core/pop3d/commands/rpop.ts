import type { Pop3Command } from '../../api/index.js'

/** Trust in the client's machine, from before RFC 1939: never given. */
export const rpop: Pop3Command = {
  name: 'RPOP',
  states: ['authorization'],
  run: () => ({ kind: 'err', text: 'Nice try, bunkie' }),
}
