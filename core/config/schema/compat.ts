import { z } from 'zod'

/** `hosts.*.compat`. */
export const compatSection = z.strictObject({
  dialect: z
    .enum(['faq', 'late'])
    .default('faq')
    .describe('Wording of refusals, goodbyes and the log where the releases of the UW servers differ: as their FAQ quotes it, or as the last one, 2007f, has it.'),
})
