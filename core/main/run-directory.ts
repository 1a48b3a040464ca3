import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConfigPlan } from '../config/plan/types.js'

/** Folder of the control socket: the configured one, systemd's, or the usual one of the account. */
export function runDirectory(plan: Pick<ConfigPlan, 'server'>, env: NodeJS.ProcessEnv = process.env): string {
  const uid = process.getuid?.() ?? 0
  const given = plan.server.runDirectory ?? env['RUNTIME_DIRECTORY']
  if (given !== undefined && given !== '') return given
  if (uid === 0) return '/run/mailwright'
  const session = env['XDG_RUNTIME_DIR']
  return session === undefined || session === '' ? join(tmpdir(), `mailwright-${uid}`) : join(session, 'mailwright')
}
