import type { Pop3Command } from '../../api/index.js'

/** RFC 1939 §5. */
export const noop: Pop3Command = {
  name: 'NOOP',
  states: ['transaction'],
  run: () => ({ kind: 'ok', text: 'No-op to you too!' }),
}
