import { CLOCK, definePlugin, loginPolicies } from 'mailwright/api'
import type { Admission, Clock, LoginPolicy } from 'mailwright/api'
import { z } from 'zod'

const HOUR_MS = 3_600_000

/** Every choice is a setting with a default and one sentence of help; a wrong value is reported with its place in the file. */
const settings = z.strictObject({
  from: z.int().min(0).max(23).default(7).describe('First hour of the day, UTC, in which people may log in.'),
  until: z.int().min(1).max(24).default(19).describe('Hour of the day, UTC, from which they may not any more.'),
  except: z.array(z.string()).default([]).describe('Users who may log in at any time.'),
})

/** Plain constructor arguments: a test makes it without the server, with a clock of its own. */
export class OfficeHours implements LoginPolicy {
  readonly #settings: z.output<typeof settings>
  readonly #clock: Clock
  constructor(chosen: z.output<typeof settings>, clock: Clock) {
    this.#settings = chosen
    this.#clock = clock
  }
  async decide({ user }: { readonly user: { readonly name: string } }): Promise<Admission> {
    const { from, until, except } = this.#settings
    const hour = Math.floor(this.#clock.now() / HOUR_MS) % 24
    const open = hour >= from && hour < until
    return open || except.includes(user.name) ? { kind: 'allow' } : { kind: 'refuse', refusal: { kind: 'not-permitted' } }
  }
}

export default definePlugin({
  id: 'acme-office-hours',
  api: '1.0',
  summary: 'Logins during office hours only',
  // Declares, and nothing else: no file, no socket, no clock. Work begins in `create`.
  setup(p) {
    p.to(loginPolicies).contribute({
      name: 'office-hours',
      settings,
      needs: { clock: CLOCK },
      create: (chosen, { clock }) => new OfficeHours(chosen, clock),
    })
  },
})
