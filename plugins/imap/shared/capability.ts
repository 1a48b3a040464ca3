import type { CapabilityView, ImapExtensionAbout, Requirement } from 'mailwright/api'

/** After the login, where the commands are. */
export function afterLogin(names: readonly string[], requires: readonly Requirement[] = []): ImapExtensionAbout {
  return { requires, capabilities: (v: CapabilityView) => (v.state === 'not-authenticated' ? [] : names) }
}
/** In every state. */
export function always(names: readonly string[], requires: readonly Requirement[] = []): ImapExtensionAbout {
  return { requires, capabilities: () => names }
}
