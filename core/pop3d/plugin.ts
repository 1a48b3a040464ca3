import {
  CLOCK,
  COMPAT_SETTINGS,
  FILES,
  HOST,
  LOGGER,
  MAILDROP_LOCKS,
  MAILBOX_SETTINGS,
  POP3_SETTINGS,
  RANDOM,
  chosen,
  chosenEntries,
  definePlugin,
  noSettings,
  pop3Extensions,
  protocols,
  workarounds,
} from '../api/index.js'
import { dialects } from '../session/dialects.js'
import { baseAbout } from './about.js'
import { BASE_EXTENSION, Pop3Assembly } from './extensions.js'
import { MachineMaildropLocks } from './maildrop-locks.js'

/** POP3 as a protocol of the server, and its commands as an extension that others may build on. Commands that serve nobody know it too, without a module of it. */
export default definePlugin({
  id: 'core-pop3d',
  api: '1.0',
  summary: 'POP3: both halves of a session and the commands of RFC 1939',
  setup(p) {
    p.provide(MAILDROP_LOCKS, { needs: { files: FILES, clock: CLOCK, logger: LOGGER }, create: ({ files, clock, logger }) => new MachineMaildropLocks(files, clock, logger) })
    p.to(pop3Extensions).contribute({ name: BASE_EXTENSION, settings: noSettings, about: baseAbout, create: async () => (await import('./base.js')).baseExtension })
    p.to(protocols).contribute({
      name: 'pop3',
      settings: noSettings,
      // The name that PAM and Kerberos know is that of POP2, which POP3 shares.
      about: { service: 'pop', ports: { plain: 110, tls: 995 } },
      needs: {
        host: HOST,
        settings: POP3_SETTINGS,
        compat: COMPAT_SETTINGS,
        mailbox: MAILBOX_SETTINGS,
        locks: MAILDROP_LOCKS,
        logger: LOGGER,
        clock: CLOCK,
        random: RANDOM,
        extensions: chosenEntries(pop3Extensions),
        workarounds: chosen(workarounds),
      },
      async create(_settings, { extensions, compat, ...needs }) {
        const [{ baseEntry }, { Pop3 }] = await Promise.all([import('./base.js'), import('./pop3.js')])
        const assembly = new Pop3Assembly(baseEntry, extensions)
        for (const [extension, reason] of assembly.off) needs.logger.info('POP3 extension is off', { host: needs.host.id, extension, reason })
        return new Pop3({ ...needs, dialect: dialects[compat.dialect], assembly })
      },
    })
  },
})
