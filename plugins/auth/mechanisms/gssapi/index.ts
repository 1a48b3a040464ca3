import { CLOCK, definePlugin, duration, filePath, LOGGER, MailError, noSettings, saslMechanisms, transportLayers, type Closing, type SaslMechanism, type TransportLayerKind } from 'mailwright/api'
import { z } from 'zod'
import { CallPool } from '../../shared/children/call-pool.js'
import { kerberosEnvironment } from '../../shared/kerberos.js'
import type { GssCalls } from './calls.js'
import { Gssapi } from './gssapi.js'
import { GSS_LAYER, GssLayerKind } from './layer.js'

const CHILD = new URL('./child.js', import.meta.url)

/** SASL GSSAPI, and the security layers that it negotiates. */
export default definePlugin({
  id: 'auth-gssapi',
  api: '1.0',
  summary: 'SASL GSSAPI (RFC 4752): Kerberos V, with its security layers',
  setup(p) {
    p.to(saslMechanisms).contribute({
      name: 'gssapi',
      settings: z.strictObject({
        hostname: z.string().min(1).optional().describe('Host in the name of the service (imap/HOST, pop/HOST); without it the name of the virtual host; "*": any that has a key.'),
        keytab: filePath().optional().describe('Keys of the services; without it KRB5_KTNAME, or the default of Kerberos (/etc/krb5.keytab).'),
        configuration: filePath().optional().describe('Configuration of Kerberos; without it KRB5_CONFIG, or /etc/krb5.conf.'),
        layers: z.array(z.enum(['none', 'integrity', 'confidentiality'])).min(1).default(['none', 'integrity', 'confidentiality']).describe('Security layers that are offered; the client chooses one.'),
        timeout: duration().prefault('10s').describe('Without an answer of the library in this time the login fails as an outage.'),
        parallel: z.int().min(1).max(64).default(4).describe('Calls of the library at the same time, each in a process of its own; the others wait.'),
      }),
      needs: { clock: CLOCK, logger: LOGGER },
      about: { name: 'GSSAPI', exposesPassword: false, verifiesBy: [], worksWith: [], offered: () => true },
      async create(s, { clock, logger }, site) {
        // Loaded by the children only; here it is asked for, so that a missing package is told at the start.
        await import('koffi')
        const env = kerberosEnvironment({ keytab: s.keytab === undefined ? undefined : site.resolve(s.keytab), configuration: s.configuration === undefined ? undefined : site.resolve(s.configuration) }, process.env)
        const pool = new CallPool<GssCalls>({ name: 'GSSAPI', module: CHILD, env }, { timeoutMs: s.timeout, parallel: s.parallel }, clock)
        const mechanism = new Gssapi({ hostname: s.hostname, layers: s.layers }, { pool, logger, now: () => clock.now() })
        const closing: Closing<SaslMechanism> = {
          authenticate: (x) => mechanism.authenticate(x),
          ready: () => mechanism.ready(),
          [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
        }
        return closing
      },
    })
    p.to(transportLayers).contribute({
      name: GSS_LAYER,
      settings: noSettings,
      about: { use: GSS_LAYER },
      async create() {
        const { loadGss } = await import('./native.js')
        try {
          return new GssLayerKind(await loadGss())
        } catch (cause) {
          // Every process makes every layer, also where nobody wants Kerberos. Who does is told by the mechanism; without it no session comes here.
          const missing: TransportLayerKind = {
            open() {
              throw new MailError('unavailable', 'layers of GSSAPI need koffi and the library of Kerberos', { cause })
            },
          }
          return missing
        }
      },
    })
  },
})
