import { loginPolicies, passwordBackends, saslMechanisms, userDirectories } from '../../api/auth.js'
import { AUTH_SETTINGS, HOST, LOGIN_GATE } from '../../api/host.js'
import { chosen, chosenEntries, CLOCK, definePlugin, LOGGER } from '../../api/kernel.js'
import { HostLoginGate } from './login-gate.js'

/** The gate of a host, made of what its `auth` section chose. */
export default definePlugin({
  id: 'core-auth',
  api: '1.0',
  summary: 'Logins: mechanisms, password backends, user directories and policies of a host',
  setup(p) {
    p.provide(LOGIN_GATE, {
      needs: {
        mechanisms: chosenEntries(saslMechanisms),
        backends: chosenEntries(passwordBackends),
        directories: chosenEntries(userDirectories),
        policies: chosen(loginPolicies),
        settings: AUTH_SETTINGS,
        host: HOST,
        logger: LOGGER,
        clock: CLOCK,
      },
      create: (needs) => new HostLoginGate(needs),
    })
  },
})
