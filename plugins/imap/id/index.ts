import { definePlugin, imapExtensions } from 'mailwright/api'
import { LIMITS } from 'mailwright/toolkit'
import { z } from 'zod'
import { always } from '../shared/capability.js'
import { idCommand } from './id.js'

const settings = z.strictObject({
  fields: z
    .record(z.string().min(1).max(LIMITS.idField), z.string().max(LIMITS.idValue))
    .refine((fields) => Object.keys(fields).length <= LIMITS.idPairs, `at most ${LIMITS.idPairs} fields`)
    .default({ name: 'Mailwright' })
    .describe('What clients are told about this server; an empty mapping answers NIL.'),
})

export default definePlugin({
  id: 'imap-id',
  api: '1.0',
  summary: 'ID: client and server say what they are (RFC 2971)',
  setup(p) {
    p.to(imapExtensions).contribute({
      name: 'id',
      settings,
      about: always(['ID']),
      create: ({ fields }) => ({ commands: [idCommand(fields)] }),
    })
  },
})
