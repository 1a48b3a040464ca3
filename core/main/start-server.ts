import { knownPoints } from './always.js'
import type { ConfigOrigin } from './processes/messages.js'
import { modelOf } from './processes/model.js'
import { Supervisor } from './processes/supervisor.js'
import type { RunningServer, ServerParts } from './running-server.js'
import { MailServer } from './server.js'

/**
 * Starts the server in the process model of its configuration.
 * @throws StartFailure with everything that is wrong; nothing stays open then.
 */
export async function startServer(parts: ServerParts, origin: ConfigOrigin): Promise<RunningServer> {
  const model = modelOf(parts.source.plan(knownPoints), process.getuid?.() === 0)
  return model === 'single' ? MailServer.start(parts) : Supervisor.start(parts, origin)
}
