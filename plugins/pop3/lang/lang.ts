import { createSlot } from 'mailwright/api'
import type { Pop3Command, Pop3Extension, Pop3Session } from 'mailwright/api'
import { french } from './french.js'
import { german } from './german.js'
import type { Language } from './phrases.js'
import { spanish } from './spanish.js'

/** By tag; English is what templates are in. */
const translations: Readonly<Record<string, Language>> = { de: german, es: spanish, fr: french }
const names: Readonly<Record<string, string>> = { de: german.name, en: 'English', es: spanish.name, fr: french.name }

/** Tags of the languages that there are. */
export const tags = Object.keys(names) as [string, ...string[]]

/** Chosen by LANG; crosses the login. Empty: that of the host. */
const CHOSEN = createSlot<string>('pop3.lang', 'logout', () => '', { encode: (tag) => Buffer.from(tag), decode: (octets) => Buffer.from(octets).toString() })

function speak(tag: string, session: Pop3Session): void {
  const texts: Readonly<Record<string, string>> | undefined = translations[tag]?.texts
  session.translate = texts === undefined ? undefined : (template) => texts[template] ?? template
}
/** The language of a range such as `de-AT`: its first part counts, whatever the country. */
function lookUp(range: string): string | undefined {
  const [language = ''] = range.toLowerCase().split('-')
  return language in names ? language : undefined
}

/** LANG of RFC 6856 §3. Before it is used texts are English, which is all that RFC 1939 allows. @param preferred what `LANG *` means. */
export function langExtension(preferred: string): Pop3Extension {
  const lang: Pop3Command = {
    name: 'LANG',
    states: ['authorization', 'transaction'],
    run({ words: [range] }, session) {
      const { out } = session
      if (range === undefined) {
        out.ok('Language listing follows:')
        for (const tag of tags) out.raw(`${tag} `).bytes(Buffer.from(names[tag] ?? '', 'utf8')).endLine()
        out.end()
        return { kind: 'sent' }
      }
      const tag = range === '*' ? preferred : lookUp(range)
      if (tag === undefined) return { kind: 'err', text: ['Unknown language %1', range.slice(0, 40)] }
      session.setSlot(CHOSEN, tag)
      speak(tag, session)
      return { kind: 'ok', prefix: tag, text: 'Language changed' }
    },
  }
  return {
    commands: [lang],
    begin: (session) => speak(session.slot(CHOSEN), session),
  }
}
