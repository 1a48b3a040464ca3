import { definePlugin, pop3Extensions } from 'mailwright/api'
import { z } from 'zod'
import { formats, isTemplate, templateFormat } from './formats.js'
import { uidlCommand } from './uidl.js'

const names = Object.keys(formats) as [keyof typeof formats, ...(keyof typeof formats)[]]

const settings = z.strictObject({
  format: z
    .union([z.enum(names), z.string().refine(isTemplate, `expected ${names.join(', ')}, or a template with {uid} and {validity}, each also with :hex`)])
    .default('uw')
    .describe('Form of the ids: that of the server the mail came from, or a template such as "{validity}.{uid:hex}".'),
})

export default definePlugin({
  id: 'pop3-uidl',
  api: '1.0',
  summary: 'UIDL: ids of messages that stay, made of UIDVALIDITY and UID (RFC 1939 §7)',
  setup(p) {
    p.to(pop3Extensions).contribute({
      name: 'uidl',
      settings,
      about: { requires: [], capabilities: () => ['UIDL'] },
      create: ({ format }) => ({ commands: [uidlCommand(isPreset(format) ? formats[format] : templateFormat(format))] }),
    })
  },
})

function isPreset(format: string): format is keyof typeof formats {
  return format in formats
}
