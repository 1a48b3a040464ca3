import type { ImapExtension } from '../api/index.js'
import { baseAbout } from './about.js'
import { append } from './commands/append.js'
import { authenticate } from './commands/authenticate.js'
import { capability } from './commands/capability.js'
import { check } from './commands/check.js'
import { close } from './commands/close.js'
import { copy } from './commands/copy.js'
import { create } from './commands/create.js'
import { deleteMailbox } from './commands/delete.js'
import { expunge } from './commands/expunge.js'
import { fetch } from './commands/fetch.js'
import { list, lsub } from './commands/list.js'
import { login } from './commands/login.js'
import { logout } from './commands/logout.js'
import { noop } from './commands/noop.js'
import { rename } from './commands/rename.js'
import { search } from './commands/search.js'
import { examine, select } from './commands/select.js'
import { starttls } from './commands/starttls.js'
import { baseStatusItems, status } from './commands/status.js'
import { store } from './commands/store.js'
import { subscribe, unsubscribe } from './commands/subscribe.js'
import { uid } from './commands/uid.js'
import { BASE_EXTENSION } from './extensions/assembly.js'
import type { ExtensionEntry } from './extensions/tables.js'
import { sectionItems } from './items/body-section.js'
import { columnItems } from './items/columns.js'
import { rfc822Items } from './items/rfc822.js'
import { structureItems } from './items/structure.js'

/** Every command of RFC 3501, its FETCH items and its STATUS items, as one extension that is always there. */
export const baseExtension: ImapExtension = {
  commands: [
    capability, noop, logout, starttls, authenticate, login,
    select, examine, create, deleteMailbox, rename, subscribe, unsubscribe, list, lsub, status, append,
    check, close, expunge, search, fetch, store, copy, uid,
  ],
  fetchItems: [...columnItems, ...structureItems, ...sectionItems, ...rfc822Items],
  statusItems: baseStatusItems,
}

/** The base commands among the extensions, also where a configuration would leave them out. */
export const baseEntry: ExtensionEntry = { name: BASE_EXTENSION, plugin: 'core-imapd', about: baseAbout, made: baseExtension }
