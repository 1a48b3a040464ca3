import { definePlugin, pop3Extensions } from 'mailwright/api'
import { z } from 'zod'
import { langExtension, tags } from './lang.js'

const settings = z.strictObject({
  preferred: z.enum(tags).default('en').describe('Language of a client that asks for the one its server prefers ("LANG *").'),
})

export default definePlugin({
  id: 'pop3-lang',
  api: '1.0',
  summary: 'LANG: texts in English, French, German and Spanish (RFC 6856 §3)',
  setup(p) {
    p.to(pop3Extensions).contribute({
      name: 'lang',
      settings,
      about: { requires: [], capabilities: () => ['LANG'] },
      create: ({ preferred }) => langExtension(preferred),
    })
  },
})
