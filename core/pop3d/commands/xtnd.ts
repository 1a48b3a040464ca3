import type { Pop3Command } from '../../api/index.js'

/** Extensions of an old server, sending mail among them; known and refused. */
export const xtnd: Pop3Command = {
  name: 'XTND',
  states: ['transaction'],
  run: () => ({ kind: 'err', text: "Sorry I can't do that" }),
}
