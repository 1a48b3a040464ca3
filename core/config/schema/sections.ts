import { z } from 'zod'
import { authSection } from './auth.js'
import { compatSection } from './compat.js'
import { driversSection } from './drivers.js'
import { filesSection } from './files.js'
import { imapSection } from './imap.js'
import { mailboxSection } from './mailbox.js'
import { matchSection } from './match.js'
import { pop3Section } from './pop3.js'
import { processesSection, serverSection } from './server.js'
import { tlsSection } from './tls.js'

/** Settings at the top of the file, by place. */
export const processSections = { server: serverSection, processes: processesSection } as const

/** Settings of a host, by place below it. */
export const hostSections = {
  match: matchSection,
  tls: tlsSection,
  drivers: driversSection,
  auth: authSection,
  imap: imapSection,
  pop3: pop3Section,
  mailbox: mailboxSection,
  files: filesSection,
  compat: compatSection,
} as const

/** One sentence about each section, for `config/default.yaml`. */
export const sectionHelp: Readonly<Record<keyof typeof processSections | keyof typeof hostSections, string>> = {
  server: 'The server as a whole.',
  processes: 'How the work is divided among processes.',
  match: 'Which connections and users belong to this host; "default" gets what matches no other.',
  tls: 'Encryption.',
  drivers: 'Storage and formats of mail.',
  auth: 'Who may log in, and how.',
  imap: 'The IMAP4 service.',
  pop3: 'The POP3 service.',
  mailbox: 'What all formats have in common.',
  files: 'Locks on mailbox files.',
  compat: 'Likeness to the servers of the University of Washington.',
}

/** The version of the configuration's own format. */
export const versionField = z.literal(1, 'expected 1, the only version there is')

/** Any section's schema. */
export type SectionSchema = z.ZodObject
