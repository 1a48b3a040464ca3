import { CLOCK, definePlugin, filePath, FILES, LOGGER, OTP_CHAIN, passwordBackends, RANDOM } from 'mailwright/api'
import { z } from 'zod'
import { PasswordFile } from '../../shared/password-file.js'
import { OtpBackend } from './backend.js'

/** One-time passwords. */
export default definePlugin({
  id: 'passwords-otp',
  api: '1.0',
  summary: 'One-time passwords (RFC 2289) in a text file, for the mechanism OTP',
  setup(p) {
    p.to(passwordBackends).contribute({
      name: 'otp',
      settings: z.strictObject({
        path: filePath().default('otp-users').describe('The file: lines of the form "name:otp-sha1 499 seed last-password"; "mailwright user add" makes them where this is the first entry.'),
        length: z.int().min(10).max(9999).default(500).describe('Passwords of a new chain.'),
        warnBelow: z.int().min(0).default(20).describe('Users with fewer passwords than this are told so at login.'),
        renew: z.boolean().default(true).describe('Clients may replace their chain together with a login (RFC 2243); then whoever sees one password on its way, and is faster, can take the account over.'),
      }),
      needs: { files: FILES, clock: CLOCK, logger: LOGGER, random: RANDOM },
      about: { verifies: ['one-time'], holds: [OTP_CHAIN], changes: false },
      create: (s, { files, clock, logger, random }, site) => new OtpBackend(new PasswordFile(site.resolve(s.path), files, clock, logger), random, s),
    })
  },
})
