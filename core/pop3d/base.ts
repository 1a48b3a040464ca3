import type { Pop3Extension } from '../api/index.js'
import { baseAbout } from './about.js'
import { auth } from './commands/auth.js'
import { capa } from './commands/capa.js'
import { dele } from './commands/dele.js'
import { last } from './commands/last.js'
import { list } from './commands/list.js'
import { noop } from './commands/noop.js'
import { pass } from './commands/pass.js'
import { quit } from './commands/quit.js'
import { retr } from './commands/retr.js'
import { rpop } from './commands/rpop.js'
import { rset } from './commands/rset.js'
import { stat } from './commands/stat.js'
import { stls } from './commands/stls.js'
import { top } from './commands/top.js'
import { user } from './commands/user.js'
import { xtnd } from './commands/xtnd.js'
import { BASE_EXTENSION } from './extensions.js'
import type { ExtensionEntry } from './extensions.js'

/** The commands of RFC 1939, with CAPA, STLS and AUTH, as one extension that is always there. */
export const baseExtension: Pop3Extension = {
  commands: [capa, quit, user, pass, auth, rpop, stls, stat, list, retr, dele, noop, rset, top, last, xtnd],
}
/** The base commands among the extensions, also where a configuration would leave them out. */
export const baseEntry: ExtensionEntry = { name: BASE_EXTENSION, plugin: 'core-pop3d', about: baseAbout, made: baseExtension }
