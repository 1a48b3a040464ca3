import {
  CLOCK,
  COMPAT_SETTINGS,
  FILES,
  HOST,
  IMAP_SETTINGS,
  LOGGER,
  RANDOM,
  chosenEntries,
  chosenKnown,
  definePlugin,
  imapExtensions,
  mailDrivers,
  mailboxFormats,
  noSettings,
  protocols,
  sidecarBackends,
  transportLayers,
  workarounds,
} from '../api/index.js'
import { dialects } from '../session/dialects.js'
import { IMAP2BIS, MAILBOX_REFERRALS, baseAbout, imap2bisAbout, mailboxReferralsAbout } from './about.js'
import { BASE_EXTENSION, ExtensionAssembly } from './extensions/assembly.js'

/** IMAP4rev1 as a protocol of the server, and its commands as an extension that others may build on. Commands that serve nobody know it too, without a module of it. */
export default definePlugin({
  id: 'core-imapd',
  api: '1.0',
  summary: 'IMAP4rev1: both halves of a session and the commands of RFC 3501',
  setup(p) {
    p.to(imapExtensions).contribute({ name: BASE_EXTENSION, settings: noSettings, about: baseAbout, create: async () => (await import('./base.js')).baseExtension })
    p.to(imapExtensions).contribute({ name: IMAP2BIS, settings: noSettings, about: imap2bisAbout, create: async () => (await import('./old-dialects.js')).imap2bis })
    p.to(imapExtensions).contribute({ name: MAILBOX_REFERRALS, settings: noSettings, about: mailboxReferralsAbout, create: async () => (await import('./old-dialects.js')).mailboxReferrals })
    p.to(protocols).contribute({
      name: 'imap4',
      settings: noSettings,
      about: { service: 'imap', ports: { plain: 143, tls: 993 } },
      needs: {
        host: HOST,
        settings: IMAP_SETTINGS,
        compat: COMPAT_SETTINGS,
        logger: LOGGER,
        clock: CLOCK,
        files: FILES,
        random: RANDOM,
        extensions: chosenEntries(imapExtensions),
        workarounds: chosenEntries(workarounds),
        stores: chosenKnown(mailDrivers),
        formats: chosenKnown(mailboxFormats),
        sidecars: chosenKnown(sidecarBackends),
        layers: chosenEntries(transportLayers),
      },
      async create(_settings, needs) {
        const [{ baseEntry }, { Imap4 }] = await Promise.all([import('./base.js'), import('./imap4.js')])
        const list = needs.workarounds.map((w) => w.made)
        const drivers = [...needs.stores, ...needs.formats].map((d) => d.about)
        const abilities = { drivers, sidecars: needs.sidecars.length > 0, layers: needs.layers.map((l) => l.about.use) }
        const assembly = new ExtensionAssembly(baseEntry, needs.extensions, list, abilities)
        for (const [extension, reason] of assembly.off) needs.logger.info('IMAP extension is off', { host: needs.host.id, extension, reason })
        const { host, settings, logger, clock, files, random } = needs
        return new Imap4({ host, dialect: dialects[needs.compat.dialect], settings, logger, clock, files, random, assembly, workarounds: list, drivers })
      },
    })
  },
})
