import { z } from 'zod'

/** `hosts.*.drivers`, less the slots `stores` and `use`. */
export const driversSection = z.strictObject({
  create: z.string().min(1).default('unix').describe('Format of new mailboxes; one of those in "use".'),
  empty: z.string().min(1).default('unix').describe('Format that an empty file is taken for; one of those in "use".'),
})
